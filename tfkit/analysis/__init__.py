"""Analyses of a fitted model: importance, slices, label issues, saliency."""
