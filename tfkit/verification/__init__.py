"""Verification of a recipe: same seed, resume after kill, save and load, replicas."""
