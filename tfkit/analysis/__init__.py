"""Analyses of a fitted model: importance, slices, label issues, saliency."""

from tfkit.analysis.fitted_model import FittedModel
from tfkit.analysis.run_analyses import run_analyses

__all__ = ["FittedModel", "run_analyses"]
