"""What is learnt of whole series, told layers that make of them what a model takes, and splits of what they made."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tfkit.data.series_files import Series
from tfkit.data.series_kernels import learn_kernels
from tfkit.data.splits import Rows
from tfkit.data.targets import count_classes, read_target
from tfkit.errors import UserError

INPUT = "series"  # the one input of the model file
PADDING = -1e9  # what stands after the end of a series, where lengths differ; Keras' Masking hides it
ROOM = 2**28  # features of all series: a gigabyte


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
    """What is learnt from the training series, as plain JSON: how long they are, and how large their values are.

    Args:
        train: The training series.
        target: What `learn_target` found of the target.
        others: Those of validation and test, of which it is asked only whether they are as long.
        lengths: "equal", "pad", or "auto": pad where lengths differ.
        scale: "train" by mean and deviation of each channel in training, "each" by those of each series, "none".
        reading: Settings of `find_series`, kept for later files.
        said: What was done before, in words, to be kept with the rest.
    """
    values = train.each()
    steps = np.array([true_steps(one) for one in values])
    if lengths == "auto":
        more = [length for other in others for one in other.each() for length in (len(one), true_steps(one))]
        lengths = "equal" if len({*map(len, values), *steps.tolist(), *more}) == 1 else "pad"
    length = max(map(len, values)) if lengths == "equal" else int(steps.max())
    kept = np.concatenate([one[:count] for one, count in zip(values, steps, strict=True)])
    mean, spread = np.nanmean(kept, axis=0, dtype="float64"), np.nanstd(kept, axis=0, dtype="float64")
    truth = read_target(train.frame, target)
    answers = (
        {"counts": count_classes(truth, target["classes"])}
        if target["classes"]
        else {"mean": float(truth.mean()), "scale": float(truth.std()) or 1.0}
    )
    return {
        "task": target["task"],
        "target": {**target, **answers},
        "cleaning": [*said, *_told(values, steps, lengths)],
        "reading": dict(reading or {}),
        "inputs": {INPUT: {"dtype": "float32", "shape": [length if lengths == "equal" else None, len(mean)]}},
        "series": {
            "length": length,
            "lengths": lengths,
            "channels": train.channels,
            "columns": train.columns,
            "scale": scale,
            "mean": [0.0 if np.isnan(value) else float(value) for value in mean],
            "spread": [float(value) if value > 0 else 1.0 for value in spread],
        },
    }


def prepare_series(info: Mapping[str, Any]) -> Any:
    """Told layers from raw series to what the model takes: no gaps, one scale, one length.

    Returns:
        A `keras.Model` from `{"series": (rows, steps, channels)}`, NaN where missing and after the end, to the same
        name, with PADDING after the end where lengths differ. With kernels told, to `"features"` of
        `tfkit.layers.MiniRocket` instead, each on the scale of its mean and deviation in training.
    """
    import keras
    from keras import ops

    from tfkit import layers

    told, kernels = info["series"], info.get("kernels")
    raw = keras.Input(info["inputs"][INPUT]["shape"], name=INPUT, dtype="float32")
    x, real = layers.FillGaps(name="fill")(raw), None
    if told["lengths"] == "pad":
        there = ops.any(ops.isfinite(raw), axis=-1)
        real = ops.flip(ops.cumsum(ops.flip(ops.cast(there, "int32"), axis=1), axis=1), axis=1) > 0
        real = ops.pad(real, [[0, 0], [0, told["length"]]])[:, : told["length"]]
        x = ops.pad(x, [[0, 0], [0, told["length"]], [0, 0]])[:, : told["length"]]
    x = _scaled(x, real, told)
    if real is not None:
        x = ops.where(real[..., None], x, PADDING)
    if not kernels:
        return keras.Model({INPUT: raw}, {INPUT: x}, name="prepare")
    views, found = [(x, real)], []
    if len(kernels["views"]) > 1:
        views.append((x[:, 1:] - x[:, :-1], None if real is None else real[:, 1:]))
    for number, ((view, there), asked) in enumerate(zip(views, kernels["views"], strict=True)):
        if there is not None:
            view = keras.layers.Masking(PADDING)(ops.where(there[..., None], view, PADDING))
        found.append(layers.MiniRocket(**asked, name=f"kernels_{number}")(view))
    x = keras.layers.Concatenate()(found) if len(found) > 1 else found[0]
    if "mean" in kernels:
        offset = [-mean / spread for mean, spread in zip(kernels["mean"], kernels["spread"], strict=True)]
        x = keras.layers.Rescaling([1 / spread for spread in kernels["spread"]], offset, name="standardise")(x)
    return keras.Model({INPUT: raw}, {"features": x}, name="prepare")


def _scaled(x: Any, real: Any, told: Mapping[str, Any]) -> Any:
    """Values on the scale asked for."""
    import keras
    from keras import ops

    if told["scale"] == "train":
        x = keras.layers.Rescaling(1.0, offset=[-value for value in told["mean"]], name="centre")(x)
        return keras.layers.Rescaling([1 / value for value in told["spread"]], name="scale")(x)
    if told["scale"] == "each":
        counts = ops.ones_like(x) if real is None else ops.cast(real[..., None], "float32")
        total = ops.maximum(ops.sum(counts, axis=1, keepdims=True), 1.0)
        x = x - ops.sum(x * counts, axis=1, keepdims=True) / total
        deviation = ops.sqrt(ops.sum(ops.square(x) * counts, axis=1, keepdims=True) / total)
        return x / ops.where(deviation > 1e-6, deviation, 1.0)
    return x


def with_kernels(
    train: Series, info: dict[str, Any], *, features: int, differences: bool = True, seed: int = 0
) -> dict[str, Any]:
    """The same info, and what `tfkit.layers.MiniRocket` is told of the training series, with the scale of its features.

    Args:
        train: The training series.
        info: What `learn_series` gave.
        features: About how many; fewer where those of all series would not fit into a gigabyte.
        differences: Whether half of the features are of the differences from step to step, as in MultiRocket (Tan et
            al. 2022, https://arxiv.org/abs/2102.00457).
        seed: Of what is drawn.
    """
    from tfkit.datasets.batch_predict import predict

    raw = {INPUT: raw_series(train.each(), info)}
    x = predict(prepare_series(info), raw)[INPUT]
    steps = np.maximum((x != np.float32(PADDING)).all(axis=-1).sum(axis=1), 1)
    views = [(x, steps), (np.diff(x, axis=1), np.maximum(steps - 1, 1))][: 1 + differences]
    each = max(84, min(features, ROOM // len(x)) // len(views))
    kernels: dict[str, Any] = {
        "views": [learn_kernels(view, lengths, features=each, seed=seed) for view, lengths in views]
    }
    found = predict(prepare_series({**info, "kernels": kernels}), raw)["features"]
    spread = found.std(axis=0, dtype="float64")
    moments = {"mean": found.mean(axis=0, dtype="float64"), "spread": np.where(spread > 1e-6, spread, 1.0)}
    kernels |= {name: [float(f"{one:.7g}") for one in part] for name, part in moments.items()}
    return {**info, "kernels": kernels}


def series_rows(parts: Iterable[Series], info: Mapping[str, Any], prepare: Any) -> list[Rows]:
    """Splits of series, prepared once and kept in memory."""
    from tfkit.datasets.batch_predict import predict

    parts = list(parts)
    longest = max(len(one) for part in parts for one in part.each())
    raw = np.concatenate([raw_series(part.each(), info, longest) for part in parts])
    x, splits, start = predict(prepare, {INPUT: raw}), [], 0
    for part in parts:
        rows = slice(start, start + len(part))
        truth = read_target(part.frame, info["target"])
        if info["task"] == "regression":
            truth = ((truth - info["target"]["mean"]) / info["target"]["scale"]).astype("float32")
        some = Rows({name: values[rows] for name, values in x.items()}, truth, raw={INPUT: raw[rows]})
        splits.append(some.named(part.frame.index.to_numpy() + 1))
        start = rows.stop
    return splits


def raw_series(values: list[np.ndarray], info: Mapping[str, Any], longest: int = 0) -> np.ndarray:
    """Series side by side, `(rows, steps, channels)`, NaN after the end of each.

    Raises:
        UserError: If they must be equally long, and are not.
    """
    told = info["series"]
    if told["lengths"] == "equal":
        other = [number for number, one in enumerate(values) if len(one) != told["length"]]
        if other:
            raise UserError(
                f"Every series must have {told['length']:,} steps, as all had in training; train with "
                f"lengths=pad to take any. Received: {len(values[other[0]]):,} steps in series "
                f"{other[0] + 1:,}, the first of {len(other):,}"
            )
        return np.stack(values)
    longest = max(longest, max(map(len, values)))
    padded: np.ndarray = np.full((len(values), longest, len(told["channels"])), np.nan, "float32")
    for row, one in enumerate(values):
        padded[row, : len(one)] = one
    return padded


def true_steps(values: np.ndarray) -> int:
    """Steps of a series up to the last at which something is known."""
    known = np.flatnonzero(np.isfinite(values).any(axis=1))
    return int(known[-1]) + 1 if len(known) else 0


def _told(values: list[np.ndarray], steps: np.ndarray, lengths: str) -> list[str]:
    """What is said of the training series."""
    kept = [one if lengths == "equal" else one[:count] for one, count in zip(values, steps, strict=True)]
    cells, holes = sum(one.size for one in kept), sum(int(np.isnan(one).sum()) for one in kept)
    highs, lows = (
        np.stack([end(one, axis=0, initial=start) for one in kept])
        for end, start in ((np.nanmax, -np.inf), (np.nanmin, np.inf))
    )
    still = (highs <= lows).all(axis=1)
    if still.all():
        raise UserError(
            f"Series must change in the course of time; numbers that do not are learnt with `tfkit train "
            f"tabular`. Received: {len(values):,} training series, all constant"
        )
    said = []
    if lengths == "pad":
        said.append(
            f"training series have {int(steps.min()):,} to {int(steps.max()):,} steps; shorter ones are padded "
            "and masked, longer ones cut"
        )
    if holes:
        said.append(
            f"{holes:,} of {cells:,} training values are missing; they are filled along a straight line "
            "between their neighbours"
        )
    if still.any():
        said.append(f"{int(still.sum()):,} of {len(values):,} training series are constant")
    return said
