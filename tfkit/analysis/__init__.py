"""Analyses of a fitted model: importance, slices, label issues, saliency."""

from tfkit.analysis.fitted_model import Trained
from tfkit.analysis.run_analyses import gather

__all__ = ["Trained", "gather"]
