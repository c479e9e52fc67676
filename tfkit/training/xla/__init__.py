"""Fused training steps compiled by XLA."""
