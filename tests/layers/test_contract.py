"""Contract tests of all layers with `check_layer`; each entry of the table is one layer."""

from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from keras.src.testing import TestCase

from tfkit import layers
from tfkit.data.text import fit_ngram_vocabulary
from tfkit.testing import check_layer
from tfkit.testing.serialization import constructor_defaults

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(7, 3)).astype("float32")
SEQUENCES = RANDOM.normal(size=(7, 4, 3)).astype("float32")
SERIES = RANDOM.normal(size=(7, 9, 3)).astype("float32")
IMAGES = RANDOM.normal(size=(5, 7, 6, 3)).astype("float32")
STEPS, MEMORY = RANDOM.normal(size=(4, 6, 8)).astype("float32"), RANDOM.normal(size=(4, 5, 6)).astype("float32")
ROWS_WITH_NAN = np.where(ROWS > 1, np.nan, ROWS).astype("float32")
CODES = np.stack([RANDOM.integers(0, size, 7) for size in (3, 9, 12)], 1).astype("int32")
IDS = RANDOM.integers(0, 9, (7, 6)).astype("int32")
NGRAMS = fit_ngram_vocabulary(IDS, sizes=[1, 3], min_count=1)
EDGES, SHARES = [[-1.0, 0.0, 1.0], [-2.0, 2.0], [0.0, 0.5]], [[0.0, 0.3, 1.0], [0.0, 1.0], [0.0, 1.0]]


class Case(NamedTuple):
    """A layer class, its arguments (none at its default), example inputs, and options of `check_layer`."""

    layer_class: Any
    arguments: dict
    inputs: Any
    options: dict = {}


TIME = {"dynamic_axes": (0, 1), "padded_axis": 1}
SPATIAL = {"dynamic_axes": (0, 1, 2)}
CONV = {"empty_batch": False}  # for an empty batch, the convolution of TensorFlow returns a wrong number of channels
REGULARIZATION = {"dropout": 0.5, "l1": 0.01, "l2": 0.02}
ATTENTION = {"num_heads": 2, **REGULARIZATION}
TRANSFORMER = {
    "num_heads": 2,
    "depth": 2,
    "units": 6,
    "activation": "tanh",
    "normalization": "rms",
    "attention_dropout": 0.3,
    "stochastic_depth": 0.3,
    "positions": "rotary",
    **REGULARIZATION,
}
MLP = {"units": [6, 6], "activation": "tanh", "residual": True, **REGULARIZATION}
CASES = [
    Case(layers.AttentionPooling, {"num_heads": 2}, STEPS, TIME),
    Case(layers.CategoricalEmbedding, {"sizes": [3, 9, 12], "dim": 4, "one_hot": 5}, CODES),
    Case(layers.CategoricalEmbedding, {"sizes": [3, 9, 12], "dim": 4, "one_hot": 0}, CODES),
    Case(layers.CategoricalEmbedding, {"sizes": [3, 9, 12], "dim": 4, "one_hot": 20}, CODES),
    Case(layers.DLinear, {"units": 4, "kernel_size": 3, "l1": 0.01, "l2": 0.02}, ROWS),
    Case(layers.SmoothClip, {"bound": 0.5}, ROWS),
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
            **REGULARIZATION,
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
            **REGULARIZATION,
        },
        IMAGES,
        {**SPATIAL, **CONV, "at_default": ("rank", "dilation_rate")},
    ),
    Case(
        layers.ConvNet,
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
            **REGULARIZATION,
        },
        SERIES,
        {**TIME, **CONV, "at_default": ("block",)},
    ),
    Case(
        layers.ConvNet,
        {"filters": [4, 6], "block": "conv", "activation": "tanh", "pooling": None},
        IMAGES,
        {
            **SPATIAL,
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
    Case(layers.CrossAttention, ATTENTION, {"x": STEPS, "memory": MEMORY}, TIME),
    Case(layers.CyclicEncoding, {"periods": [24.0, 7.0, 365.25]}, SEQUENCES, {"dynamic_axes": (0, 1)}),
    Case(layers.FastDropout, {"dropout": 0.5, "shared_axes": [1]}, STEPS, TIME),
    Case(
        layers.BatchEnsembleDense,
        {"units": 5, "members": 4, "signs": True, "l1": 0.01, "l2": 0.02},
        ROWS,
        {"at_default": ("shared",)},
    ),
    Case(
        layers.BatchEnsembleDense,
        {"units": 5, "members": 4, "shared": False, "l1": 0.01, "l2": 0.02},
        SEQUENCES,
        {"at_default": ("signs",)},
    ),
    Case(
        layers.BatchEnsembleDense,
        {"units": 5, "members": 4},
        SEQUENCES,
        {"at_default": ("shared", "signs", "l1", "l2")},
    ),
    Case(layers.TabM, {"units": [5, 6], "members": 4, "activation": "tanh", **REGULARIZATION}, ROWS),
    Case(layers.InterpolateMissing, {}, np.where(SERIES > 1, np.nan, SERIES), TIME),
    Case(
        layers.GlobalPooling, {"kind": "max"}, SERIES, {**TIME, "empty_batch": False}
    ),  # PyTorch has no maximum of an empty batch
    Case(layers.GlobalPooling, {}, SERIES, {**TIME, "at_default": ("kind",)}),
    Case(layers.Center, {"center": 2.0}, ROWS),
    Case(layers.Imputer, {"values": [1.0, 2.0, 3.0]}, ROWS_WITH_NAN),
    Case(
        layers.InceptionBlock,
        {
            "filters": 4,
            "kernel_sizes": [2, 5],
            "bottleneck": 2,
            "normalization": "group",
            "activation": "tanh",
            **REGULARIZATION,
        },
        SERIES,
        {**TIME, **CONV},
    ),
    Case(
        layers.InceptionTime,
        {
            "filters": 2,
            "kernel_sizes": [2, 5],
            "depth": 3,
            "shortcut_every": 2,
            "bottleneck": 2,
            "normalization": None,
            "activation": "tanh",
            "pooling": None,
            **REGULARIZATION,
        },
        SERIES,
        {**TIME, **CONV},
    ),
    Case(
        layers.InceptionTime,
        {"filters": 2, "kernel_sizes": [2, 5], "depth": 2, "activation": "tanh"},
        SERIES,
        {
            **TIME,
            **CONV,
            "at_default": ("shortcut_every", "bottleneck", "normalization", "pooling", "dropout", "l1", "l2"),
        },
    ),
    Case(
        layers.RNNStack,
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
    ),  # JAX cannot reshape an empty array with -1
    Case(
        layers.RNNStack,
        {"units": [5]},
        SERIES,
        {
            **TIME,
            "empty_batch": False,  # TensorFlow cannot add a bias to an empty batch
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
    Case(layers.MLP, {**MLP, "normalization": None}, ROWS),
    Case(layers.MLP, MLP, SEQUENCES, {**TIME, "at_default": ("normalization",)}),
    Case(layers.EnsembleAverage, {"activation": "softmax"}, SEQUENCES, {"dynamic_axes": (0, 1)}),
    Case(layers.EnsembleAverage, {}, SEQUENCES, {"dynamic_axes": (0, 1), "at_default": ("activation",)}),
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
    Case(layers.MissingIndicator, {"indices": [2, 0]}, ROWS_WITH_NAN),
    Case(layers.MovingAverage, {"kernel_size": 4}, SERIES[..., 0], {"dynamic_axes": (0, 1), **CONV}),
    Case(
        layers.NgramEmbedding,
        {"ngrams": NGRAMS, "dim": 4, "sizes": [1, 3], "dropout": 0.5, "initializer": "glorot_normal"},
        IDS,
        {"dynamic_axes": (0, 1)},
    ),
    Case(layers.PiecewiseLinearEmbedding, {"edges": EDGES, "dim": 4}, ROWS),
    Case(
        layers.PatchEmbedding,
        {"patch_size": 3, "dim": 5, "stride": 2, "l1": 0.01, "l2": 0.02},
        SERIES,
        {**TIME, **CONV},
    ),
    Case(
        layers.PatchEmbedding, {"patch_size": 3, "dim": 5, "l1": 0.01}, SERIES, {**TIME, "at_default": ("stride", "l2")}
    ),
    Case(layers.PatchEmbedding, {"patch_size": 3, "dim": 5}, IMAGES, {**SPATIAL, "at_default": ("stride", "l1", "l2")}),
    Case(layers.PeriodicEmbedding, {"dim": 4, "num_frequencies": 3, "scale": 0.5}, ROWS),
    Case(layers.PositionalEmbedding, {"max_length": 12}, STEPS, {**TIME, "at_default": ("kind",)}),
    Case(layers.PositionalEmbedding, {"kind": "sinusoidal"}, STEPS, {**TIME, "at_default": ("max_length",)}),
    Case(
        layers.ConformalQuantiles,
        {"margins": [1.5], "unit": "level", "minimum": 0.0},
        {"quantiles": SEQUENCES, "past": np.abs(SERIES[..., 0])},
        {"dynamic_axes": {"quantiles": (0, 1), "past": (0, 1)}},
    ),
    Case(layers.QuantileTransform, {"quantiles": EDGES, "shares": SHARES}, ROWS),
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
            **REGULARIZATION,
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
    Case(layers.SelfAttention, {"causal": True, "positions": "rotary", **ATTENTION}, STEPS, TIME),
    Case(
        layers.SelfAttention,
        {"num_heads": 2},
        STEPS,
        {**TIME, "at_default": ("causal", "positions", "dropout", "l1", "l2")},
    ),
    Case(layers.SqueezeExcitation, {"ratio": 2}, SERIES, TIME),
    Case(layers.TransformerDecoder, TRANSFORMER, {"targets": STEPS, "memory": MEMORY}, TIME),
    Case(layers.TransformerEncoder, {**TRANSFORMER, "causal": True}, STEPS, TIME),
    Case(
        layers.TransformerEncoder,
        {"num_heads": 2},
        STEPS,
        {**TIME, "at_default": tuple(name for name in (*TRANSFORMER, "causal") if name != "num_heads")},
    ),
    Case(
        layers.WindowScaling,
        {"inverse": True},
        {"x": SERIES, "statistics": ROWS[:, :2]},
        {"dynamic_axes": {"x": (0, 1), "statistics": (0,)}},
    ),
    Case(layers.WindowStatistics, {"level": "mean"}, SERIES[..., 0], {"dynamic_axes": (0, 1)}),
]


def mark_repeated_slow(cases):
    """Yield the cases; all but the first case of each layer are marked slow, and stacks that take long to compile."""
    tested = {layers.RNNStack, layers.TransformerDecoder, layers.InceptionTime, layers.ConvNet}
    for case in cases:
        yield pytest.param(
            case, marks=pytest.mark.slow if case.layer_class in tested else (), id=case.layer_class.__name__
        )
        tested.add(case.layer_class)


@pytest.mark.parametrize("case", list(mark_repeated_slow(CASES)))
def test_contract(case):
    check_layer(case.layer_class, case.arguments, case.inputs, **case.options)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.layer_class.__name__)
def test_keras_layer_contract(case):
    """Run the layer test of Keras. It is in a private module, so `check_layer` does not use it."""
    options = {"input_data": case.inputs}
    if isinstance(case.inputs, dict):  # it can train a layer with one input only
        shapes = {f"{name}_shape": array.shape for name, array in case.inputs.items()}
        options = {"input_shape": shapes, "run_training_check": False}
    TestCase("run_layer_test").run_layer_test(case.layer_class, case.arguments, **options)


def test_a_tensor_instead_of_settings_is_explained():
    for layer_class in {case.layer_class for case in CASES}:
        for tensor in (keras.Input((10, 8)), keras.ops.zeros((2, 10, 8))):
            expected = rf"`{layer_class.__name__}\(\.\.\.\)\(x\)`. Received: a tensor of shape .*10, 8"
            with pytest.raises(TypeError, match=expected):
                layer_class(tensor)


def test_every_public_layer_is_in_the_contract():
    names = {name for name in layers.__all__ if isinstance(getattr(layers, name), type)}  # the others are functions
    assert {case.layer_class.__name__ for case in CASES} == names


@pytest.mark.parametrize(
    "layer_class", sorted({case.layer_class for case in CASES}, key=lambda layer_class: layer_class.__name__)
)
def test_every_argument_is_tested_with_another_value_than_its_default(layer_class):
    defaults = [set(case.options.get("at_default", ())) for case in CASES if case.layer_class is layer_class]
    assert not set.intersection(*defaults)
    assert set.union(*defaults) <= set(constructor_defaults(layer_class))
