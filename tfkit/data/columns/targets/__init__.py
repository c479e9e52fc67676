"""The target column, one module for each task that has one: classification, regression, multilabel."""

from tfkit.data.columns.targets.encoding import (
    TARGET_SETTINGS,
    fit_target_statistics,
    infer_target,
    read_target,
    scale_targets,
    soft_targets,
    strata,
)

__all__ = [
    "TARGET_SETTINGS",
    "fit_target_statistics",
    "infer_target",
    "read_target",
    "scale_targets",
    "soft_targets",
    "strata",
]
