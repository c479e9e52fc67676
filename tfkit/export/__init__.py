"""Export of a run's model to other formats, verified in a separate process."""

from tfkit.export.exporter import FORMATS, export

__all__ = ["FORMATS", "export"]
