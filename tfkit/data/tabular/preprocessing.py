"""Build the preprocessing model of a table, from raw cells to encoded inputs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns.numeric import ROBUST_BOUND
from tfkit.data.tabular.metadata import TabularMetadata

if TYPE_CHECKING:
    import keras

CONCATENATED_COLUMNS = 64  # in one Concatenate layer

MAX_SCALED_VALUE = 1e6  # largest absolute value of a scaled number: its square must be a float32


def make_preprocessor(metadata: TabularMetadata) -> "keras.Model":
    """Build the preprocessing model of a table.

    It converts raw rows to scaled numbers, missing indicators and category codes.

    All parameters are precomputed, so that the model can be saved with them.

    Returns:
        A `keras.Model` from `{input: (rows, 1)}` to `{"numbers": (rows, n), "missing": (rows, m), "categories":
        (rows, c)}`, without the outputs that the table has no columns for.
    """
    import keras

    from tfkit import layers

    inputs = {name: keras.Input((1,), name=name, dtype=rule["dtype"]) for name, rule in metadata.inputs.items()}
    numeric = [name for name, rule in metadata.inputs.items() if rule["dtype"] != "string"]
    categorical = [name for name, rule in metadata.inputs.items() if rule["dtype"] == "string"]
    x = {}
    if numeric:
        features = _concatenate([_center(inputs[name], metadata.inputs[name], i) for i, name in enumerate(numeric)])
        if metadata.missing:
            x["missing"] = layers.MissingIndicator(metadata.missing, name="missing")(features)
        x["numbers"] = _scale(features, [metadata.inputs[name] for name in numeric], metadata.scaling)
    if categorical:
        x["categories"] = _codes(
            [inputs[name] for name in categorical], [metadata.inputs[name]["vocabulary"] for name in categorical]
        )
    return keras.Model(inputs, x, name="prepare")


def _center(x: Any, rule: Mapping[str, Any], number: int) -> Any:
    """Subtract the offset of a float64 column, so that float32 keeps the digits that vary."""
    from tfkit import layers

    return layers.Center(rule["offset"], name=f"offset_{number}")(x) if rule["dtype"] == "float64" else x


def _scale(x: Any, rules: list[Mapping[str, Any]], scaling: str) -> Any:
    """Impute missing numbers and scale all numbers with the selected method."""
    import keras

    from tfkit import layers

    params = {key: [rule[key] for rule in rules] for key in rules[0]}
    x = layers.Imputer(params["fill"], name="impute")(x)
    if scaling == "quantile":
        return layers.QuantileTransform(params["quantiles"], params["shares"], name="scale")(x)
    # Two steps: the difference of two large numbers is exact, and no divisor is squared out of float32's range.
    x = keras.layers.Rescaling(1.0, offset=[-center for center in params["center"]], name="center")(x)
    x = keras.layers.Rescaling([1.0 / divisor for divisor in params["scale"]], name="scale")(x)
    x = keras.ops.clip(x, -MAX_SCALED_VALUE, MAX_SCALED_VALUE)
    return layers.SmoothClip(ROBUST_BOUND, name="squash")(x) if scaling == "robust" else x


def _codes(symbols: list[Any], vocabularies: list[list[str]]) -> Any:
    """Encode categories as integers: 0 missing, 1 unseen, then the vocabulary.

    Columns with equal vocabularies share a lookup table.
    """
    import keras

    columns: dict[tuple[str, ...], list[int]] = {}
    for column, vocabulary in enumerate(vocabularies):
        # Keras accepts no empty vocabulary; a space is no category, because categories are stripped.
        columns.setdefault(tuple(vocabulary or [" "]), []).append(column)
    outputs = []
    for number, (categories, indices) in enumerate(columns.items()):
        table = keras.layers.StringLookup(vocabulary=list(categories), mask_token="", name=f"words_{number}")
        outputs.append(table(_concatenate([symbols[column] for column in indices])))
    order = np.argsort(np.concatenate(list(columns.values()))).tolist()
    codes = keras.ops.take(keras.ops.cast(_concatenate(outputs), "int32"), order, axis=1)
    return keras.layers.Activation("linear", dtype="int32", name="categories")(codes)


def _concatenate(symbols: list[Any]) -> Any:
    """Concatenate columns in groups of limited size.

    Keras compares each input of a call with all other inputs, which is slow for many inputs.
    """
    import keras

    while len(symbols) > 1:
        starts = range(0, len(symbols), CONCATENATED_COLUMNS)
        groups = [symbols[start : start + CONCATENATED_COLUMNS] for start in starts]
        symbols = [keras.layers.Concatenate()(group) if len(group) > 1 else group[0] for group in groups]
    return symbols[0]
