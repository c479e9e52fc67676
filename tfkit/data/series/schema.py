"""Schema of series: infer the target, fit length and scale on the training series."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfkit.data.columns import targets as columns_targets
from tfkit.data.columns.numeric import needs_float64
from tfkit.data.columns.targets import fit_target_statistics, read_target
from tfkit.data.series.dataset import valid_length
from tfkit.data.series.files import SeriesCollection
from tfkit.data.series.metadata import Normalization, SeriesMetadata, SeriesSchema
from tfkit.data.series.preprocessing import INPUT_NAME
from tfkit.errors import UserError
from tfkit.metadata import Target

SCHEMA_SETTINGS = frozenset({"variable_length", "normalization"})


def infer_target(
    series: SeriesCollection,
    *,
    task: str = "auto",
    positive_class: str | None = None,
    label_normalization: str = "none",
) -> Target:
    """Infer task and classes from the target of series; see `tfkit.data.columns.targets.infer_target`.

    Consecutive integers from 0 or 1 are classes, however many, if there are at least two series per class on average:
    archives write class labels like this. A .ts file declares the task itself.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"label": [str(number % 15 + 1) for number in range(60)]})
        >>> infer_target(SeriesCollection(frame, [], "label", ["value"])).task
        'classification'
    """
    cells = series.frame[series.target]
    if task == "auto" and positive_class is None:
        task = series.task or ("classification" if _are_class_codes(cells) else "auto")
    options: dict[str, Any] = {"positive_class": positive_class, "label_normalization": label_normalization}
    return columns_targets.infer_target(cells, task=task, **options)


def _are_class_codes(cells: Any) -> bool:
    """Return whether cells are consecutive integers from 0 or 1, on average at least two of each."""
    import pandas as pd

    values = np.unique(pd.to_numeric(cells, errors="coerce"))
    starts_low = len(values) and values[0] in (0, 1)
    return bool(starts_low) and len(values) <= len(cells) / 2 and bool((np.diff(values) == 1).all())


def fit_schema(
    train: SeriesCollection,
    target: Target,
    *,
    other_splits: Iterable[SeriesCollection] = (),
    variable_length: bool | str = "auto",
    normalization: Normalization = "dataset",
    read_options: Mapping[str, Any] | None = None,
    messages: Iterable[str] = (),
) -> SeriesMetadata:
    """Fit the schema of the training series: their length and scale.

    Args:
        train: The training series.
        target: Result of `infer_target`.
        other_splits: The validation and test series; only their lengths are used.
        variable_length: Whether series are padded and masked; "auto": if their lengths differ.
        normalization: "dataset" to standardize by mean and standard deviation of each channel in training, "instance"
            by those of each series, "none" not to standardize.
        read_options: Settings of `find_series`, stored for later files.
        messages: Messages about earlier changes to the data, stored with those of this function.
    """
    values = train.arrays()
    steps = np.array([valid_length(array) for array in values])
    if variable_length == "auto":
        arrays = [array for split in other_splits for array in split.arrays()]
        lengths = {*map(len, values), *steps.tolist(), *map(len, arrays), *map(valid_length, arrays)}
        variable_length = len(lengths) > 1
    length = int(steps.max()) if variable_length else max(map(len, values))
    valid_values = np.concatenate([array[:count] for array, count in zip(values, steps, strict=True)])
    center = np.nanmedian(valid_values, axis=0)  # sums of large values would round
    mean = center + np.nanmean(valid_values - center, axis=0)
    std = np.nanstd(valid_values - center, axis=0)
    dtype, dtype_messages = _input_dtype(values, normalization)
    messages = [*messages, *_training_messages(values, steps, bool(variable_length)), *dtype_messages]
    return SeriesMetadata(
        target=fit_target_statistics(target, read_target(train.frame, target)),
        notes=messages,
        read_options=dict(read_options or {}),
        inputs={INPUT_NAME: {"dtype": dtype, "shape": [None if variable_length else length, len(mean)]}},
        series=SeriesSchema(
            length=length,
            variable_length=bool(variable_length),
            channels=train.channels,
            step_columns=train.step_columns,
            normalization=normalization,
            mean=[0.0 if np.isnan(value) else float(value) for value in mean],
            std=[float(value) if value > 0 else 1.0 for value in std],
        ),
    )


def _input_dtype(values: Sequence[np.ndarray], normalization: Normalization) -> tuple[str, list[str]]:
    """Return float64 if float32 would round a channel by a visible part of its steps, and a message."""
    steps = np.concatenate([np.diff(array, axis=0) for array in values])
    levels = np.stack([np.nanmax(np.abs(array), axis=0, initial=0.0) for array in values])
    if not any(map(needs_float64, levels.T, steps.T)):
        return "float32", []
    if normalization == "none":
        return "float32", [
            "rounded to float32, whose digits are too few for the steps; normalization=dataset keeps them"
        ]
    return "float64", ["read as float64 and centered: float32 would round the steps"]


def _training_messages(values: list[np.ndarray], steps: np.ndarray, variable_length: bool) -> list[str]:
    """Describe padding, missing values and constant series.

    Raises:
        UserError: If all series are constant.
    """
    arrays = [array[:count] if variable_length else array for array, count in zip(values, steps, strict=True)]
    num_values, num_missing = sum(array.size for array in arrays), sum(int(np.isnan(array).sum()) for array in arrays)
    highs, lows = (
        np.stack([extreme(array, axis=0, initial=start) for array in arrays])
        for extreme, start in ((np.nanmax, -np.inf), (np.nanmin, np.inf))
    )
    is_constant = (highs <= lows).all(axis=1)
    if is_constant.all():
        raise UserError(
            f"Series must change over time; for values that do not depend on time use `tfkit train "
            f"tabular`. Received: {len(values):,} training series, all constant"
        )
    messages = []
    if variable_length:
        messages.append(
            f"training series have {int(steps.min()):,} to {int(steps.max()):,} steps; shorter series are padded "
            "and masked, longer ones truncated"
        )
    if num_missing:
        messages.append(
            f"{num_missing:,} of {num_values:,} training values are missing; they are filled by linear interpolation"
        )
    if is_constant.any():
        messages.append(f"{int(is_constant.sum()):,} of {len(values):,} training series are constant")
    return messages
