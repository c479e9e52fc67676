"""Analyses at the end of a run that need its model and data; reports read their saved results."""

from tfkit.report.evidence.gathering import gather
from tfkit.report.evidence.trained import Trained

__all__ = ["Trained", "gather"]
