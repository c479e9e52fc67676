"""Preprocessing layers of series."""

from typing import TYPE_CHECKING, Any

from tfkit.data.series.metadata import SeriesMetadata, SeriesSchema

if TYPE_CHECKING:
    import keras

INPUT_NAME = "series"  # the only input of the exported model

PADDING_VALUE = -1e9  # value after the end of a series if lengths differ; masked by `keras.layers.Masking`


def make_preprocessor(metadata: SeriesMetadata) -> "keras.Model":
    """Build the preprocessing model: interpolate missing values, standardize, pad.

    Returns:
        A `keras.Model` from `{"series": (rows, steps, channels)}`, NaN where missing and after the end, to the same
        name, with PADDING_VALUE after the end if lengths differ. If `metadata` has kernels, to `"features"` of
        `tfkit.layers.MiniRocket` instead, each standardized by its mean and standard deviation in training.
    """
    import keras
    from keras import ops

    from tfkit import layers

    schema, minirocket = metadata.series, metadata.minirocket
    rule = metadata.inputs[INPUT_NAME]
    raw = keras.Input(rule["shape"], name=INPUT_NAME, dtype=rule["dtype"])
    is_float64 = rule["dtype"] == "float64"
    values = layers.Center(schema.mean, name="offset")(raw) if is_float64 else raw
    x, mask = layers.InterpolateMissing(name="fill")(values), None
    if schema.variable_length:
        has_value = ops.any(ops.isfinite(values), axis=-1)
        mask = ops.flip(ops.cumsum(ops.flip(ops.cast(has_value, "int32"), axis=1), axis=1), axis=1) > 0
        mask = ops.pad(mask, [[0, 0], [0, schema.length]])[:, : schema.length]
        x = ops.pad(x, [[0, 0], [0, schema.length], [0, 0]])[:, : schema.length]
    x = _standardize(x, mask, schema, is_centered=is_float64)
    if mask is not None:
        x = ops.where(mask[..., None], x, PADDING_VALUE)
    if minirocket is None:
        return keras.Model({INPUT_NAME: raw}, {INPUT_NAME: x}, name="prepare")
    views, features = [(x, mask)], []
    if len(minirocket.views) > 1:
        views.append((x[:, 1:] - x[:, :-1], None if mask is None else mask[:, 1:]))
    for index, ((view, view_mask), kernels) in enumerate(zip(views, minirocket.views, strict=True)):
        if view_mask is not None:
            view = keras.layers.Masking(PADDING_VALUE)(ops.where(view_mask[..., None], view, PADDING_VALUE))
        features.append(layers.MiniRocket(**kernels.model_dump(), name=f"kernels_{index}")(view))
    x = keras.layers.Concatenate()(features) if len(features) > 1 else features[0]
    if minirocket.mean:
        offset = [-mean / std for mean, std in zip(minirocket.mean, minirocket.std, strict=True)]
        x = keras.layers.Rescaling([1 / std for std in minirocket.std], offset, name="standardise")(x)
    return keras.Model({INPUT_NAME: raw}, {"features": x}, name="prepare")


def _standardize(x: Any, mask: Any, schema: SeriesSchema, *, is_centered: bool) -> Any:
    """Standardize values as configured by `normalization`; with a mask only its steps count."""
    import keras
    from keras import ops

    if schema.normalization == "dataset":
        if not is_centered:
            x = keras.layers.Rescaling(1.0, offset=[-value for value in schema.mean], name="centre")(x)
        return keras.layers.Rescaling([1 / value for value in schema.std], name="scale")(x)
    if schema.normalization == "instance":
        counts = ops.ones_like(x) if mask is None else ops.cast(mask[..., None], "float32")
        total = ops.maximum(ops.sum(counts, axis=1, keepdims=True), 1.0)
        x = x - ops.sum(x * counts, axis=1, keepdims=True) / total
        deviation = ops.sqrt(ops.sum(ops.square(x) * counts, axis=1, keepdims=True) / total)
        return x / ops.where(deviation > 1e-6, deviation, 1.0)
    return x
