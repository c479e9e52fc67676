"""Fit the schema of series, build their preprocessing model, and create prepared datasets."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfkit.data.series_files import Series
from tfkit.data.series_kernels import fit_kernels
from tfkit.data.splits import Rows
from tfkit.data.targets import count_classes, read_target
from tfkit.errors import UserError

INPUT_NAME = "series"  # the only input of the exported model
PADDING = -1e9  # value after the end of a series if lengths differ; masked by `keras.layers.Masking`
MAX_FEATURE_VALUES = 2**28  # features of all series together: one gigabyte as float32


def learn_series(
    train: Series,
    target: Mapping[str, Any],
    *,
    others: Iterable[Series] = (),
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


def prepare_series(info: Mapping[str, Any]) -> Any:
    """Build the preprocessing model: interpolate missing values, standardize, pad.

    Returns:
        A `keras.Model` from `{"series": (rows, steps, channels)}`, NaN where missing and after the end, to the same
        name, with PADDING after the end if lengths differ. If `info` has kernels, to `"features"` of
        `tfkit.layers.MiniRocket` instead, each standardized by its mean and standard deviation in training.
    """
    import keras
    from keras import ops

    from tfkit import layers

    schema, kernels = info["series"], info.get("kernels")
    raw = keras.Input(info["inputs"][INPUT_NAME]["shape"], name=INPUT_NAME, dtype="float32")
    x, mask = layers.FillGaps(name="fill")(raw), None
    if schema["lengths"] == "pad":
        has_value = ops.any(ops.isfinite(raw), axis=-1)
        mask = ops.flip(ops.cumsum(ops.flip(ops.cast(has_value, "int32"), axis=1), axis=1), axis=1) > 0
        mask = ops.pad(mask, [[0, 0], [0, schema["length"]]])[:, : schema["length"]]
        x = ops.pad(x, [[0, 0], [0, schema["length"]], [0, 0]])[:, : schema["length"]]
    x = _standardize(x, mask, schema)
    if mask is not None:
        x = ops.where(mask[..., None], x, PADDING)
    if not kernels:
        return keras.Model({INPUT_NAME: raw}, {INPUT_NAME: x}, name="prepare")
    views, features = [(x, mask)], []
    if len(kernels["views"]) > 1:
        views.append((x[:, 1:] - x[:, :-1], None if mask is None else mask[:, 1:]))
    for index, ((view, view_mask), config) in enumerate(zip(views, kernels["views"], strict=True)):
        if view_mask is not None:
            view = keras.layers.Masking(PADDING)(ops.where(view_mask[..., None], view, PADDING))
        features.append(layers.MiniRocket(**config, name=f"kernels_{index}")(view))
    x = keras.layers.Concatenate()(features) if len(features) > 1 else features[0]
    if "mean" in kernels:
        offset = [-mean / std for mean, std in zip(kernels["mean"], kernels["spread"], strict=True)]
        x = keras.layers.Rescaling([1 / std for std in kernels["spread"]], offset, name="standardise")(x)
    return keras.Model({INPUT_NAME: raw}, {"features": x}, name="prepare")


def _standardize(x: Any, mask: Any, schema: Mapping[str, Any]) -> Any:
    """Standardize values as configured by `scale`; with a mask only its steps count."""
    import keras
    from keras import ops

    if schema["scale"] == "train":
        x = keras.layers.Rescaling(1.0, offset=[-value for value in schema["mean"]], name="centre")(x)
        return keras.layers.Rescaling([1 / value for value in schema["spread"]], name="scale")(x)
    if schema["scale"] == "each":
        counts = ops.ones_like(x) if mask is None else ops.cast(mask[..., None], "float32")
        total = ops.maximum(ops.sum(counts, axis=1, keepdims=True), 1.0)
        x = x - ops.sum(x * counts, axis=1, keepdims=True) / total
        deviation = ops.sqrt(ops.sum(ops.square(x) * counts, axis=1, keepdims=True) / total)
        return x / ops.where(deviation > 1e-6, deviation, 1.0)
    return x


def with_kernels(
    train: Series, info: dict[str, Any], *, features: int, differences: bool = True, seed: int = 0
) -> dict[str, Any]:
    """Fit MiniRocket kernels to the training series; return `info` with them and the scale of their features.

    Args:
        train: The training series.
        info: Result of `learn_series`.
        features: Approximate number of features; fewer if those of all series exceed one gigabyte.
        differences: Whether half of the features are computed from the first differences of the series, as in
            MultiRocket (Tan et al. 2022, https://arxiv.org/abs/2102.00457).
        seed: Seed of the random choices.
    """
    from tfkit.datasets.batch_predict import predict

    raw = {INPUT_NAME: pad_series(train.each(), info)}
    x = predict(prepare_series(info), raw)[INPUT_NAME]
    steps = np.maximum((x != np.float32(PADDING)).all(axis=-1).sum(axis=1), 1)
    views = [(x, steps), (np.diff(x, axis=1), np.maximum(steps - 1, 1))][: 1 + differences]
    features_per_view = max(84, min(features, MAX_FEATURE_VALUES // len(x)) // len(views))
    kernels: dict[str, Any] = {
        "views": [fit_kernels(view, lengths, features=features_per_view, seed=seed) for view, lengths in views]
    }
    outputs = predict(prepare_series({**info, "kernels": kernels}), raw)["features"]
    std = outputs.std(axis=0, dtype="float64")
    moments = {"mean": outputs.mean(axis=0, dtype="float64"), "spread": np.where(std > 1e-6, std, 1.0)}
    kernels |= {name: [float(f"{value:.7g}") for value in moment] for name, moment in moments.items()}
    return {**info, "kernels": kernels}


def series_rows(splits: Iterable[Series], info: Mapping[str, Any], prepare: Any) -> list[Rows]:
    """Create a dataset of each split, preprocessed once and stored in memory."""
    from tfkit.datasets.batch_predict import predict

    splits = list(splits)
    longest = max(len(array) for split in splits for array in split.each())
    raw = np.concatenate([pad_series(split.each(), info, longest) for split in splits])
    x, datasets, start = predict(prepare, {INPUT_NAME: raw}), [], 0
    for split in splits:
        rows = slice(start, start + len(split))
        y_true = read_target(split.frame, info["target"])
        if info["task"] == "regression":
            y_true = ((y_true - info["target"]["mean"]) / info["target"]["scale"]).astype("float32")
        dataset = Rows({name: values[rows] for name, values in x.items()}, y_true, raw={INPUT_NAME: raw[rows]})
        datasets.append(dataset.named(split.frame.index.to_numpy() + 1))
        start = rows.stop
    return datasets


def pad_series(values: Sequence[np.ndarray], info: Mapping[str, Any], longest: int = 0) -> np.ndarray:
    """Stack series to `(rows, steps, channels)`, NaN after the end of each.

    Raises:
        UserError: If they must have equal lengths, and do not.
    """
    schema = info["series"]
    if schema["lengths"] == "equal":
        unequal = [index for index, array in enumerate(values) if len(array) != schema["length"]]
        if unequal:
            raise UserError(
                f"Every series must have {schema['length']:,} steps, as all had in training; train with "
                f"lengths=pad to allow any length. Received: {len(values[unequal[0]]):,} steps in series "
                f"{unequal[0] + 1:,}, the first of {len(unequal):,}"
            )
        return np.stack(values)
    longest = max(longest, max(map(len, values)))
    padded: np.ndarray = np.full((len(values), longest, len(schema["channels"])), np.nan, "float32")
    for row, array in enumerate(values):
        padded[row, : len(array)] = array
    return padded


def valid_length(values: np.ndarray) -> int:
    """Return the number of steps up to the last with a finite value."""
    finite_steps = np.flatnonzero(np.isfinite(values).any(axis=1))
    return int(finite_steps[-1]) + 1 if len(finite_steps) else 0


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
