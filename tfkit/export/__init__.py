"""A run's model in another format, each checked by another process before it is published."""

from tfkit.export.publishing import FORMATS, export

__all__ = ["FORMATS", "export"]
