"""What needs the model, the data or raw rows is looked at when a run ends, and kept with it: a report needs no more."""

from tfkit.report.evidence.gathering import gather
from tfkit.report.evidence.trained import Trained

__all__ = ["Trained", "gather"]
