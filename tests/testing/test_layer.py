"""Tests of `check_layer`: correct layers, arguments, randomness, shapes and compilation."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.testing.correct_layers import (
    ROWS,
    STEPS,
    TIME,
    DenseDropout,
    MaskedMean,
    TwoListedInputs,
    TwoNamedInputs,
    check,
    register,
)
from tfkit.testing import check_layer
from tfkit.testing.serialization import constructor_defaults


@pytest.mark.parametrize(
    ("layer_class", "inputs", "options"),
    [
        (DenseDropout, ROWS, {}),
        (DenseDropout, STEPS, TIME),
        (
            DenseDropout,
            STEPS,
            {**TIME, "invalid_arguments": [({"units": 0}, r"`units` must be at least 1\. Received: 0")]},
        ),
        (MaskedMean, STEPS, TIME),
        (TwoListedInputs, [ROWS, ROWS + 1], {"dynamic_axes": [(0,), (0,)]}),
        (TwoNamedInputs, {"x": STEPS, "context": STEPS[:, :4]}, {"arguments": {"scale": 2.0}, **TIME}),
        (
            TwoNamedInputs,
            {"x": STEPS, "context": STEPS[:, :4]},
            {
                "arguments": {"scale": 2.0},
                "padded_axis": {"context": 1},
                "dynamic_axes": {"x": (0,), "context": (0, 1)},
            },
        ),
    ],
)
def test_correct_layer_passes(layer_class, inputs, options):
    check(layer_class, inputs, **options)


@pytest.mark.parametrize(
    ("layer_class", "arguments", "options"),
    [
        (keras.layers.Dense, {"units": 4}, {}),
        (keras.layers.BatchNormalization, {}, TIME),
        (keras.layers.LSTM, {"units": 4, "return_sequences": True, "dropout": 0.5}, {**TIME, "empty_batch": False}),
    ],
)
def test_keras_layer_passes(layer_class, arguments, options):
    check_layer(layer_class, arguments, STEPS, at_default=constructor_defaults(layer_class), **options)


def test_keras_layer_with_nan_for_a_row_of_padding_fails():
    layer_class = keras.layers.GlobalAveragePooling1D
    message = "A row that consists of padding gives an output or a gradient that is not finite"
    with pytest.raises(AssertionError, match=message):
        check_layer(layer_class, {}, STEPS, at_default=constructor_defaults(layer_class), **TIME)


# arguments


def test_argument_at_its_default_fails():
    with pytest.raises(
        AssertionError, match=r"^DenseDropout: `dropout` is at its default \(0\.0\)\. Pass a different value"
    ):
        check(DenseDropout, arguments={"units": 4})
    check(DenseDropout, arguments={"units": 4}, at_default=("dropout",))


@register
class RefusesWithKeyError(DenseDropout):
    def __init__(self, units=8, dropout=0.0, **kwargs):
        if dropout > 1:
            raise KeyError("dropout")
        super().__init__(units, dropout, **kwargs)


@pytest.mark.parametrize(
    ("layer_class", "invalid", "message"),
    [
        (DenseDropout, ({"units": 5}, "anything"), r"{'units': 5} is accepted\. Reject it in the constructor"),
        (
            DenseDropout,
            ({"units": 0}, "at least 2"),
            "must be rejected with a message that matches 'at least 2'. Received: `units`",
        ),
        (RefusesWithKeyError, ({"dropout": 2}, "dropout"), "must raise ValueError or TypeError. It raised KeyError"),
    ],
)
def test_invalid_arguments_that_are_not_rejected_fail(layer_class, invalid, message):
    with pytest.raises(AssertionError, match=message):
        check(layer_class, invalid_arguments=[invalid])


# randomness


@register
class DropsAlways(DenseDropout):
    def call(self, x, training=False):
        return super().call(x, training=True)


@register
class DropsNever(DenseDropout):
    def call(self, x, training=False):
        return super().call(x, training=False)


@register
class DropsTheSame(DenseDropout):
    def call(self, x, training=False):
        y = ops.matmul(x, self.kernel)
        return keras.random.dropout(y, self.dropout, seed=1) if training else y


@register
class UsesNumPyRandom(DenseDropout):
    def call(self, x, training=False):
        y = ops.matmul(x, self.kernel)
        return y * np.random.default_rng().random() if training else y


@register
class HasSeededInitializer(DenseDropout):
    def build(self, input_shape):
        initializer = keras.initializers.RandomNormal(seed=1)
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer=initializer, name="kernel")


@pytest.mark.parametrize(
    ("layer_class", "message"),
    [
        (DropsAlways, "It is random outside training. Accept `training=False` in `call` and pass it on"),
        (DropsNever, "It has `dropout`, but its output is the same at each call in training. Pass `training` on"),
        (DropsTheSame, "It has `dropout`, but its output is the same at each call in training"),
        (UsesNumPyRandom, "The same seed gives different outputs. Use keras.random and a SeedGenerator"),
        (HasSeededInitializer, "The initial weights are the same for every seed. Do not give initializers a seed"),
    ],
)
def test_randomness(layer_class, message):
    with pytest.raises(AssertionError, match=message):
        check(layer_class)


# shapes


@register
class HasWrongOutputShape(DenseDropout):
    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units + 1)


@register
class HasFixedBatchInOutputShape(DenseDropout):
    def compute_output_shape(self, input_shape):
        return (6, self.units)


@register
class NeedsFixedBatchSize(DenseDropout):
    def call(self, x, training=False):
        return super().call(ops.reshape(x, (6, x.shape[-1])), training=training)


@register
class FailsWithoutRows(DenseDropout):
    def call(self, x, training=False):
        return super().call(ops.reshape(x, (-1, x.shape[1] * x.shape[2])), training=training)

    def build(self, input_shape):
        super().build((input_shape[0], input_shape[1] * input_shape[2]))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.units)


@register
class NeedsFixedLength(DenseDropout):
    def call(self, x, training=False):
        return super().call(x[:, :5] + np.zeros((1, 5, 1), "float32"), training=training)


@register
class BuildsInCall(DenseDropout):
    def build(self, input_shape):
        self.dense = keras.layers.Dense(self.units, dtype=self.dtype_policy)

    def call(self, x, training=False):
        return self.drop(self.dense(x), training=training)


@pytest.mark.parametrize(
    ("layer_class", "inputs", "options", "message"),
    [
        (
            HasWrongOutputShape,
            ROWS,
            {},
            r"`compute_output_shape` returns \(None, 5\), the output for 6 rows has .* \(6, 4\)",
        ),
        (
            HasFixedBatchInOutputShape,
            ROWS,
            {},
            r"`compute_output_shape` returns \(6, 4\), the output for one row has the shape \(1, 4\)",
        ),
        (NeedsFixedBatchSize, ROWS, {}, "It must accept one row. Get sizes from keras.ops.shape"),
        (NeedsFixedLength, STEPS, TIME, "It must accept shorter axes. Get sizes from keras.ops.shape"),
        (FailsWithoutRows, STEPS, TIME, "Called on symbolic inputs, it must infer the shape of its output. It raised"),
        (BuildsInCall, ROWS, {}, "`build` creates 0 of its 2 weights, the others are created in `call`"),
    ],
)
def test_shapes(layer_class, inputs, options, message):
    with pytest.raises(AssertionError, match=message):
        check(layer_class, inputs, **options)


# compiled


@register
class BranchesOnTensorValues(DenseDropout):
    def call(self, x, training=False):
        return super().call(x if float(ops.sum(x)) < 100 else x / 2, training=training)


@register
class CountsInPython(DenseDropout):
    calls = 0

    def call(self, x, training=False):
        if training:
            self.calls += 1
        return super().call(x + self.calls, training=training) if training else super().call(x)


@pytest.mark.parametrize(
    ("layer_class", "message"),
    [
        (BranchesOnTensorValues, "It must run compiled on 6 rows, with training=False. Use keras.ops instead of NumPy"),
        (CountsInPython, "The compiled and the eager output for 6 rows differ, with training=True"),
    ],
)
def test_compiled(layer_class, message):
    with pytest.raises(AssertionError, match=message):
        check(layer_class)
