"""Analyses at the end of a run that need its model and data."""

from tfkit.report.evidence.gathering import gather
from tfkit.report.evidence.trained import Trained

__all__ = ["Trained", "gather"]
