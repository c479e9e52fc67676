"""What every layer of ours must hold, whatever it computes: a row of the table is a layer, held to `check_layer`."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from keras.src.testing import TestCase

from tfkit import layers
from tfkit.data import frequent_ngrams
from tfkit.testing import check_layer
from tfkit.testing.saving import defaults_of

RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.normal(size=(7, 3)).astype("float32")
SEQUENCES = RANDOM.normal(size=(7, 4, 3)).astype("float32")
SERIES = RANDOM.normal(size=(7, 9, 3)).astype("float32")
PICTURES = RANDOM.normal(size=(5, 7, 6, 3)).astype("float32")
STEPS, OTHERS = RANDOM.normal(size=(4, 6, 8)).astype("float32"), RANDOM.normal(size=(4, 5, 6)).astype("float32")
HOLES = np.where(NUMBERS > 1, np.nan, NUMBERS).astype("float32")
CODES = np.stack([RANDOM.integers(0, size, 7) for size in (3, 9, 12)], 1).astype("int32")
IDS = RANDOM.integers(0, 9, (7, 6)).astype("int32")
NGRAMS = frequent_ngrams(IDS, sizes=[1, 3], least=1)
EDGES, SHARES = [[-1.0, 0.0, 1.0], [-2.0, 2.0], [0.0, 0.5]], [[0.0, 0.3, 1.0], [0.0, 1.0], [0.0, 1.0]]


class Case(NamedTuple):
    """A layer, its arguments (none at its default), an example of its input, and what `check_layer` is told of it."""

    kind: Any
    arguments: dict
    inputs: Any
    options: dict = {}


TIME = {"dynamic_axes": (0, 1), "padded_axis": 1}
SPACE = {"dynamic_axes": (0, 1, 2)}
CONV = {"empty_batch": False}  # of no row, TensorFlow's own convolution gives a wrong number of channels
SHRINK = {"dropout": 0.5, "l1": 0.01, "l2": 0.02}
LOOK = {"num_heads": 2, **SHRINK}
STACK = {
    "num_heads": 2,
    "depth": 2,
    "units": 6,
    "activation": "tanh",
    "normalization": "rms",
    "attention_dropout": 0.3,
    "stochastic_depth": 0.3,
    "positions": "rotary",
    **SHRINK,
}
MLP = {"units": [6, 6], "activation": "tanh", "residual": True, **SHRINK}
CASES = [
    Case(layers.AttentionPooling, {"num_heads": 2}, STEPS, TIME),
    Case(layers.CategoryEmbedding, {"sizes": [3, 9, 12], "dim": 4, "one_hot": 5}, CODES),
    Case(layers.CategoryEmbedding, {"sizes": [3, 9, 12], "dim": 4, "one_hot": 0}, CODES),
    Case(layers.CategoryEmbedding, {"sizes": [3, 9, 12], "dim": 4, "one_hot": 20}, CODES),
    Case(layers.Clip, {"bound": 0.5}, NUMBERS),
    Case(
        layers.ConvBlock,
        {
            "filters": 6,
            "kernel_size": 2,
            "rank": 1,
            "strides": 2,
            "padding": "causal",
            "normalization": "group",
            "activation": "tanh",
            **SHRINK,
        },
        SERIES,
        {**TIME, **CONV, "at_default": ("dilation_rate",)},
    ),
    Case(
        layers.ConvBlock,
        {"filters": 6, "rank": 1, "dilation_rate": 2, "padding": "valid", "activation": "tanh"},
        SERIES,
        {"padded_axis": 1, **CONV, "at_default": ("kernel_size", "strides", "normalization", "dropout", "l1", "l2")},
    ),
    Case(
        layers.ConvBlock,
        {
            "filters": 6,
            "kernel_size": 2,
            "strides": 2,
            "normalization": None,
            "activation": "tanh",
            "padding": "valid",
            **SHRINK,
        },
        PICTURES,
        {**SPACE, **CONV, "at_default": ("rank", "dilation_rate")},
    ),
    Case(
        layers.ConvStack,
        {
            "filters": [6],
            "kernel_size": 4,
            "rank": 1,
            "depth": 2,
            "strides": 3,
            "stem_strides": 2,
            "padding": "causal",
            "normalization": "layer",
            "activation": "tanh",
            "squeeze_excitation": 2,
            "stochastic_depth": 0.5,
            "pooling": "max",
            **SHRINK,
        },
        SERIES,
        {**TIME, **CONV, "at_default": ("block",)},
    ),
    Case(
        layers.ConvStack,
        {"filters": [4, 6], "block": "conv", "activation": "tanh", "pooling": None},
        PICTURES,
        {
            **SPACE,
            **CONV,
            "at_default": (
                "kernel_size",
                "rank",
                "depth",
                "strides",
                "stem_strides",
                "padding",
                "normalization",
                "dropout",
                "squeeze_excitation",
                "stochastic_depth",
                "l1",
                "l2",
            ),
        },
    ),
    Case(layers.CrossAttention, LOOK, {"x": STEPS, "memory": OTHERS}, TIME),
    Case(layers.CyclicEncoding, {"periods": [24.0, 7.0, 365.25]}, SEQUENCES, {"dynamic_axes": (0, 1)}),
    Case(layers.Dropout, {"dropout": 0.5, "shared_axes": [1]}, STEPS, TIME),
    Case(
        layers.EnsembleDense,
        {"units": 5, "members": 4, "signs": True, "l1": 0.01, "l2": 0.02},
        NUMBERS,
        {"at_default": ("shared",)},
    ),
    Case(
        layers.EnsembleDense,
        {"units": 5, "members": 4, "shared": False, "l1": 0.01, "l2": 0.02},
        SEQUENCES,
        {"at_default": ("signs",)},
    ),
    Case(layers.EnsembleDense, {"units": 5, "members": 4}, SEQUENCES, {"at_default": ("shared", "signs", "l1", "l2")}),
    Case(layers.EnsembleMLP, {"units": [5, 6], "members": 4, "activation": "tanh", **SHRINK}, NUMBERS),
    Case(layers.FillGaps, {}, np.where(SERIES > 1, np.nan, SERIES), TIME),
    Case(layers.GlobalPooling, {"kind": "max"}, SERIES, {**TIME, "empty_batch": False}),  # PyTorch has no maximum of it
    Case(layers.GlobalPooling, {}, SERIES, {**TIME, "at_default": ("kind",)}),
    Case(layers.Impute, {"values": [1.0, 2.0, 3.0]}, HOLES),
    Case(
        layers.InceptionBlock,
        {
            "filters": 4,
            "kernel_sizes": [2, 5],
            "bottleneck": 2,
            "normalization": "group",
            "activation": "tanh",
            **SHRINK,
        },
        SERIES,
        {**TIME, **CONV},
    ),
    Case(
        layers.InceptionStack,
        {
            "filters": 2,
            "kernel_sizes": [2, 5],
            "depth": 3,
            "shortcut_every": 2,
            "bottleneck": 2,
            "normalization": None,
            "activation": "tanh",
            "pooling": None,
            **SHRINK,
        },
        SERIES,
        {**TIME, **CONV},
    ),
    Case(
        layers.InceptionStack,
        {"filters": 2, "kernel_sizes": [2, 5], "depth": 2, "activation": "tanh"},
        SERIES,
        {
            **TIME,
            **CONV,
            "at_default": ("shortcut_every", "bottleneck", "normalization", "pooling", "dropout", "l1", "l2"),
        },
    ),
    Case(
        layers.LSTMStack,
        {
            "units": [5, 4],
            "cell": "gru",
            "bidirectional": True,
            "dropout": 0.5,
            "recurrent_dropout": 0.4,
            "return_sequences": True,
            "implementation": "loop",
        },
        SERIES,
        {**TIME, "empty_batch": False},
    ),  # JAX cannot reshape nothing with a -1
    Case(
        layers.LSTMStack,
        {"units": [5]},
        SERIES,
        {
            **TIME,
            "empty_batch": False,  # nor does TensorFlow add a bias to nothing
            "at_default": (
                "cell",
                "bidirectional",
                "dropout",
                "recurrent_dropout",
                "return_sequences",
                "implementation",
            ),
        },
    ),
    Case(layers.MLP, {**MLP, "normalization": "layer"}, SEQUENCES, TIME),
    Case(layers.MLP, {**MLP, "normalization": None}, NUMBERS),
    Case(layers.MLP, MLP, SEQUENCES, {**TIME, "at_default": ("normalization",)}),
    Case(layers.MemberMean, {"logits": True}, SEQUENCES, {"dynamic_axes": (0, 1)}),
    Case(layers.MemberMean, {}, SEQUENCES, {"dynamic_axes": (0, 1), "at_default": ("logits",)}),
    Case(
        layers.MiniRocket,
        {
            "dilations": [1, 2],
            "biases": [[[0.5] * 84], [[-0.5] * 84, [0.0] * 84]],
            "channels": [[[0]] * 84, [[1, 2]] * 84],
        },
        SERIES,
        {**TIME, "dynamic_axes": (0, 1)},
    ),
    Case(layers.MissingIndicator, {"indices": [2, 0]}, HOLES),
    Case(layers.MovingAverage, {"kernel_size": 4}, SERIES[..., 0], {"dynamic_axes": (0, 1), **CONV}),
    Case(
        layers.NgramEmbedding,
        {"ngrams": NGRAMS, "dim": 4, "sizes": [1, 3], "dropout": 0.5, "initializer": "glorot_normal"},
        IDS,
        {"dynamic_axes": (0, 1)},
    ),
    Case(layers.NumberEmbedding, {"edges": EDGES, "dim": 4}, NUMBERS),
    Case(
        layers.PatchEmbedding,
        {"patch_size": 3, "dim": 5, "stride": 2, "l1": 0.01, "l2": 0.02},
        SERIES,
        {**TIME, **CONV},
    ),
    Case(
        layers.PatchEmbedding, {"patch_size": 3, "dim": 5, "l1": 0.01}, SERIES, {**TIME, "at_default": ("stride", "l2")}
    ),
    Case(layers.PatchEmbedding, {"patch_size": 3, "dim": 5}, PICTURES, {**SPACE, "at_default": ("stride", "l1", "l2")}),
    Case(layers.PeriodicEmbedding, {"dim": 4, "num_frequencies": 3, "scale": 0.5}, NUMBERS),
    Case(layers.PositionalEmbedding, {"max_length": 12}, STEPS, {**TIME, "at_default": ("kind",)}),
    Case(layers.PositionalEmbedding, {"kind": "sinusoidal"}, STEPS, {**TIME, "at_default": ("max_length",)}),
    Case(layers.QuantileBands, {"factors": [1.5]}, SEQUENCES, {"dynamic_axes": (0, 1)}),
    Case(layers.QuantileScale, {"quantiles": EDGES, "shares": SHARES}, NUMBERS),
    Case(
        layers.ResidualBlock,
        {
            "filters": 6,
            "kernel_size": 2,
            "rank": 1,
            "strides": 2,
            "padding": "causal",
            "normalization": "layer",
            "activation": "tanh",
            "squeeze_excitation": 2,
            "stochastic_depth": 0.3,
            **SHRINK,
        },
        SERIES,
        {**TIME, **CONV, "at_default": ("dilation_rate",)},
    ),
    Case(
        layers.ResidualBlock,
        {"filters": 3, "rank": 1, "dilation_rate": 2, "activation": "tanh"},
        SERIES,
        {
            **TIME,
            **CONV,
            "at_default": (
                "kernel_size",
                "strides",
                "padding",
                "normalization",
                "dropout",
                "squeeze_excitation",
                "stochastic_depth",
                "l1",
                "l2",
            ),
        },
    ),
    Case(layers.SeasonalNaive, {"season": 2, "horizon": 5}, SERIES[..., 0]),
    Case(layers.SelfAttention, {"causal": True, "positions": "rotary", **LOOK}, STEPS, TIME),
    Case(
        layers.SelfAttention,
        {"num_heads": 2},
        STEPS,
        {**TIME, "at_default": ("causal", "positions", "dropout", "l1", "l2")},
    ),
    Case(layers.SqueezeExcitation, {"ratio": 2}, SERIES, TIME),
    Case(layers.TransformerDecoder, STACK, {"targets": STEPS, "memory": OTHERS}, TIME),
    Case(layers.TransformerEncoder, {**STACK, "causal": True}, STEPS, TIME),
    Case(
        layers.TransformerEncoder,
        {"num_heads": 2},
        STEPS,
        {**TIME, "at_default": tuple(name for name in (*STACK, "causal") if name != "num_heads")},
    ),
    Case(
        layers.WindowScaling,
        {"inverse": True},
        {"x": SERIES, "statistics": NUMBERS[:, :2]},
        {"dynamic_axes": {"x": (0, 1), "statistics": (0,)}},
    ),
    Case(layers.WindowStatistics, {"level": "mean"}, SERIES[..., 0], {"dynamic_axes": (0, 1)}),
]


def once(cases):
    """The first row of each layer as it is, and its others, which take as long again, as slow."""
    seen = set()
    for case in cases:
        yield pytest.param(case, marks=pytest.mark.slow if case.kind in seen else (), id=case.kind.__name__)
        seen.add(case.kind)


@pytest.mark.parametrize("case", list(once(CASES)))
def test_contract(case):
    check_layer(case.kind, case.arguments, case.inputs, **case.options)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind.__name__)
def test_contract_of_keras(case):
    """The test that Keras holds its own layers to. It lies in a private module, so `check_layer` does without."""
    given = {"input_data": case.inputs}
    if isinstance(case.inputs, dict):  # it can fit a layer of one input only
        shapes = {f"{name}_shape": array.shape for name, array in case.inputs.items()}
        given = {"input_shape": shapes, "run_training_check": False}
    TestCase("run_layer_test").run_layer_test(case.kind, case.arguments, **given)


def test_every_public_layer_is_held_to_the_contract():
    assert {case.kind.__name__ for case in CASES} == set(layers.__all__)


@pytest.mark.parametrize("kind", sorted({case.kind for case in CASES}, key=lambda kind: kind.__name__))
def test_no_argument_is_left_at_its_default_by_every_row(kind):
    left = [set(case.options.get("at_default", ())) for case in CASES if case.kind is kind]
    assert not set.intersection(*left)
    assert set.union(*left) <= set(defaults_of(kind))
