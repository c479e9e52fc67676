"""From raw rows of a table to what the model takes: layers that are told everything, so that the file can hold them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data.treatments import BOUND

TOGETHER = 64  # columns that are joined at once
FURTHEST = 1e6  # no scaled number is further from 0: its square must be a float32


def prepare_table(info: Mapping[str, Any]) -> Any:
    """Told layers from raw rows to what the model takes: scaled numbers, flags of missing ones, codes of words.

    Returns:
        A `keras.Model` from `{input: (rows, 1)}` to `{"numbers": (rows, n), "missing": (rows, m), "categories":
        (rows, c)}`, of which only those that the table has.
    """
    import keras

    from tfkit import layers

    inputs = {name: keras.Input((1,), name=name, dtype=rule["dtype"]) for name, rule in info["inputs"].items()}
    numbers = [name for name, rule in info["inputs"].items() if rule["dtype"] == "float32"]
    words = [name for name, rule in info["inputs"].items() if rule["dtype"] == "string"]
    x = {}
    if numbers:
        joined = _join([inputs[name] for name in numbers])
        if info["missing"]:
            x["missing"] = layers.MissingIndicator(info["missing"], name="missing")(joined)
        x["numbers"] = _scale(joined, [info["inputs"][name] for name in numbers], info["scale"])
    if words:
        x["categories"] = _codes(
            [inputs[name] for name in words], [info["inputs"][name]["vocabulary"] for name in words]
        )
    return keras.Model(inputs, x, name="prepare")


def _scale(x: Any, rules: list[Mapping[str, Any]], scale: str) -> Any:
    """Numbers with missing ones filled, on the scale asked for."""
    import keras

    from tfkit import layers

    told = {key: [rule[key] for rule in rules] for key in rules[0]}
    x = layers.Impute(told["fill"], name="impute")(x)
    if scale == "quantile":
        return layers.QuantileScale(told["quantiles"], told["shares"], name="scale")(x)
    # Two steps: the difference of two large numbers is exact, and no spread is squared out of float32's range.
    x = keras.layers.Rescaling(1.0, offset=[-center for center in told["center"]], name="center")(x)
    x = keras.layers.Rescaling([1.0 / spread for spread in told["spread"]], name="scale")(x)
    x = keras.ops.clip(x, -FURTHEST, FURTHEST)
    return layers.Clip(BOUND, name="squash")(x) if scale == "robust" else x


def _codes(symbols: list[Any], vocabularies: list[list[str]]) -> Any:
    """Words to codes: 0 missing, 1 unseen, then the vocabulary. Columns of one vocabulary share a table of it."""
    import keras

    columns: dict[tuple[str, ...], list[int]] = {}
    for place, vocabulary in enumerate(vocabularies):
        # Keras takes no empty vocabulary; a space is no word, for words are stripped.
        columns.setdefault(tuple(vocabulary or [" "]), []).append(place)
    found = []
    for number, (words, places) in enumerate(columns.items()):
        table = keras.layers.StringLookup(vocabulary=list(words), mask_token="", name=f"words_{number}")
        found.append(table(_join([symbols[place] for place in places])))
    order = np.argsort(np.concatenate(list(columns.values()))).tolist()
    codes = keras.ops.take(keras.ops.cast(_join(found), "int32"), order, axis=1)
    return keras.layers.Activation("linear", dtype="int32", name="categories")(codes)


def _join(symbols: list[Any]) -> Any:
    """Columns side by side; a few at a time, for Keras compares each with all others of one call."""
    import keras

    while len(symbols) > 1:
        few = [symbols[start : start + TOGETHER] for start in range(0, len(symbols), TOGETHER)]
        symbols = [keras.layers.Concatenate()(some) if len(some) > 1 else some[0] for some in few]
    return symbols[0]
