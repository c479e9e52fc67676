"""Fit the schema of series, build their preprocessing model, and create prepared datasets."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tfkit.data.columns.target import count_classes, infer_target, read_target
from tfkit.data.series.dataset import valid_length
from tfkit.data.series.files import SeriesCollection
from tfkit.data.series.preprocessing import INPUT_NAME
from tfkit.errors import UserError


def learn_series_label(series: SeriesCollection, *, kind: str = "auto", positive: str | None = None) -> dict[str, Any]:
    """Infer task and classes from the target of series; see `learn_target`.

    Consecutive integers from 0 or 1 are classes, however many, if there are at least two series per class on average:
    archives write class labels like this. A .ts file declares the kind of its labels itself.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"label": [str(number % 15 + 1) for number in range(60)]})
        >>> learn_series_label(SeriesCollection(frame, [], "label", ["value"]))["task"]
        'multiclass'
    """
    cells = series.frame[series.target]
    if kind == "auto" and positive is None:
        kind = series.kind or ("class" if _are_class_codes(cells) else "auto")
    return infer_target(cells, kind=kind, positive=positive)


def _are_class_codes(cells: Any) -> bool:
    """Return whether cells are consecutive integers from 0 or 1, on average at least two of each."""
    import pandas as pd

    values = np.unique(pd.to_numeric(cells, errors="coerce"))
    starts_low = len(values) and values[0] in (0, 1)
    return bool(starts_low) and len(values) <= len(cells) / 2 and bool((np.diff(values) == 1).all())


def learn_series(
    train: SeriesCollection,
    target: Mapping[str, Any],
    *,
    others: Iterable[SeriesCollection] = (),
    lengths: str = "auto",
    scale: str = "train",
    reading: Mapping[str, Any] | None = None,
    said: Iterable[str] = (),
) -> dict[str, Any]:
    """Fit the schema of the training series: their length and scale, as JSON-compatible values.

    Args:
        train: The training series.
        target: Result of `learn_target`.
        others: The validation and test series; only their lengths are used.
        lengths: "equal", "pad", or "auto": pad if lengths differ.
        scale: "train" to standardize by mean and standard deviation of each channel in training, "each" by those of
            each series, "none" not to standardize.
        reading: Settings of `find_series`, stored for later files.
        said: Messages about earlier changes to the data, stored with those of this function.
    """
    values = train.each()
    steps = np.array([valid_length(array) for array in values])
    if lengths == "auto":
        more = [length for split in others for array in split.each() for length in (len(array), valid_length(array))]
        lengths = "equal" if len({*map(len, values), *steps.tolist(), *more}) == 1 else "pad"
    length = max(map(len, values)) if lengths == "equal" else int(steps.max())
    valid_values = np.concatenate([array[:count] for array, count in zip(values, steps, strict=True)])
    mean = np.nanmean(valid_values, axis=0, dtype="float64")
    std = np.nanstd(valid_values, axis=0, dtype="float64")
    y_true = read_target(train.frame, target)
    statistics = (
        {"counts": count_classes(y_true, target["classes"])}
        if target["classes"]
        else {"mean": float(y_true.mean()), "scale": float(y_true.std()) or 1.0}
    )
    return {
        "task": target["task"],
        "target": {**target, **statistics},
        "cleaning": [*said, *_training_messages(values, steps, lengths)],
        "reading": dict(reading or {}),
        "inputs": {INPUT_NAME: {"dtype": "float32", "shape": [length if lengths == "equal" else None, len(mean)]}},
        "series": {
            "length": length,
            "lengths": lengths,
            "channels": train.channels,
            "columns": train.step_columns,
            "scale": scale,
            "mean": [0.0 if np.isnan(value) else float(value) for value in mean],
            "spread": [float(value) if value > 0 else 1.0 for value in std],
        },
    }


def _training_messages(values: list[np.ndarray], steps: np.ndarray, lengths: str) -> list[str]:
    """Describe padding, missing values and constant series.

    Raises:
        UserError: If all series are constant.
    """
    arrays = [array if lengths == "equal" else array[:count] for array, count in zip(values, steps, strict=True)]
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
    if lengths == "pad":
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
