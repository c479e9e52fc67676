"""Each check of `check_layer` can fail, and says what to do: a layer that is right, and what becomes of it when it is
broken in one place.
"""

import keras
import numpy as np
import pytest
from keras import ops

from tfkit.testing import check_layer
from tfkit.testing.saving import defaults_of

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(6, 3)).astype("float32")
STEPS = RANDOM.normal(size=(6, 5, 3)).astype("float32")
TIME = {"dynamic_axes": (0, 1), "padded_axis": 1}
register = keras.saving.register_keras_serializable(package="test_testing_layer")


@register
class Sound(keras.layers.Layer):
    """A dense layer with dropout, as it should be."""

    def __init__(self, units=8, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(f"`units` must be at least 1. Received: {units!r}")
        self.units, self.dropout, self.supports_masking = units, dropout, True
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")

    def call(self, x, training=False):
        return self.drop(ops.matmul(x, self.kernel), training=training)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)


@register
class Mean(Sound):
    """The mean of the real steps."""

    def call(self, x, mask=None, training=False):
        real = ops.ones_like(x[..., :1]) if mask is None else ops.cast(mask, x.dtype)[..., None]
        mean = ops.sum(x * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1)
        return super().call(mean, training=training)

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.units)


@register
class Meeting(keras.layers.Layer):
    """Two sequences that are given by name; the answer has two parts."""

    def __init__(self, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.scale, self.supports_masking = scale, True

    def call(self, x, context, context_mask=None):
        real = ops.ones_like(context[..., :1])
        if context_mask is not None:
            real = ops.cast(context_mask, x.dtype)[..., None]
        total = ops.sum(context * real, axis=1, keepdims=True)
        return x + self.scale * total, total[:, 0]

    def compute_mask(self, x, previous_mask=None):
        return [previous_mask[0] if isinstance(previous_mask, list) else previous_mask, None]


@register
class Twin(Sound):
    """Two inputs in a list."""

    def build(self, input_shape):
        super().build(input_shape[0])

    def call(self, inputs, training=False):
        return super().call(inputs[0] + inputs[1], training=training)

    def compute_output_shape(self, input_shape):
        return (*input_shape[0][:-1], self.units)


def check(kind, inputs=ROWS, **options):
    arguments = options.pop("arguments", {"units": 4, "dropout": 0.5})
    check_layer(kind, arguments, inputs, **options)


@pytest.mark.parametrize(
    ("kind", "inputs", "options"),
    [
        (Sound, ROWS, {}),
        (Sound, STEPS, TIME),
        (Sound, STEPS, {**TIME, "refused": [({"units": 0}, r"`units` must be at least 1\. Received: 0")]}),
        (Mean, STEPS, TIME),
        (Twin, [ROWS, ROWS + 1], {"dynamic_axes": [(0,), (0,)]}),
        (Meeting, {"x": STEPS, "context": STEPS[:, :4]}, {"arguments": {"scale": 2.0}, **TIME}),
        (
            Meeting,
            {"x": STEPS, "context": STEPS[:, :4]},
            {
                "arguments": {"scale": 2.0},
                "padded_axis": {"context": 1},
                "dynamic_axes": {"x": (0,), "context": (0, 1)},
            },
        ),
    ],
)
def test_what_is_right_passes(kind, inputs, options):
    check(kind, inputs, **options)


@pytest.mark.parametrize(
    ("kind", "arguments", "options"),
    [
        (keras.layers.Dense, {"units": 4}, {}),
        (keras.layers.BatchNormalization, {}, TIME),
        (keras.layers.LSTM, {"units": 4, "return_sequences": True, "dropout": 0.5}, {**TIME, "empty_batch": False}),
    ],
)
def test_layers_of_keras_pass(kind, arguments, options):
    check_layer(kind, arguments, STEPS, at_default=defaults_of(kind), **options)


def test_a_layer_of_keras_that_gives_nan_for_a_row_of_padding_does_not():
    kind, message = keras.layers.GlobalAveragePooling1D, "A row that is all padding gives an answer or a gradient that"
    with pytest.raises(AssertionError, match=message):
        check_layer(kind, {}, STEPS, at_default=defaults_of(kind), **TIME)


# arguments


def test_an_argument_at_its_default_is_named():
    with pytest.raises(AssertionError, match=r"^Sound: `dropout` is at its default \(0\.0\)\. Give another value"):
        check(Sound, arguments={"units": 4})
    check(Sound, arguments={"units": 4}, at_default=("dropout",))


@register
class RefusesWithKeyError(Sound):
    def __init__(self, units=8, dropout=0.0, **kwargs):
        if dropout > 1:
            raise KeyError("dropout")
        super().__init__(units, dropout, **kwargs)


@pytest.mark.parametrize(
    ("kind", "refused", "message"),
    [
        (Sound, ({"units": 5}, "anything"), r"{'units': 5} is accepted\. Refuse it in the constructor"),
        (
            Sound,
            ({"units": 0}, "at least 2"),
            "must be refused with a message that matches 'at least 2'. It says: `units`",
        ),
        (RefusesWithKeyError, ({"dropout": 2}, "dropout"), "must raise ValueError or TypeError. It raised KeyError"),
    ],
)
def test_what_should_be_refused_must_be(kind, refused, message):
    with pytest.raises(AssertionError, match=message):
        check(kind, refused=[refused])


# what is random


@register
class DropsAlways(Sound):
    def call(self, x, training=False):
        return super().call(x, training=True)


@register
class DropsNever(Sound):
    def call(self, x, training=False):
        return super().call(x, training=False)


@register
class DropsTheSame(Sound):
    def call(self, x, training=False):
        y = ops.matmul(x, self.kernel)
        return keras.random.dropout(y, self.dropout, seed=1) if training else y


@register
class HasItsOwnRandom(Sound):
    def call(self, x, training=False):
        y = ops.matmul(x, self.kernel)
        return y * np.random.default_rng().random() if training else y


@register
class BeginsTheSame(Sound):
    def build(self, input_shape):
        start = keras.initializers.RandomNormal(seed=1)
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer=start, name="kernel")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (DropsAlways, "It is random outside training. Take `training=False` in `call` and pass it on"),
        (DropsNever, "It has `dropout`, yet says the same at each call in training. Pass `training` on"),
        (DropsTheSame, "It has `dropout`, yet says the same at each call in training"),
        (HasItsOwnRandom, "The same seed gives other answers. Draw with keras.random and a SeedGenerator"),
        (BeginsTheSame, "The weights begin the same whatever the seed. Do not give initializers a seed"),
    ],
)
def test_randomness(kind, message):
    with pytest.raises(AssertionError, match=message):
        check(kind)


# shapes


@register
class TellsAnotherShape(Sound):
    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units + 1)


@register
class TellsTheBatch(Sound):
    def compute_output_shape(self, input_shape):
        return (6, self.units)


@register
class KnowsTheBatch(Sound):
    def call(self, x, training=False):
        return super().call(ops.reshape(x, (6, x.shape[-1])), training=training)


@register
class FailsWithoutRows(Sound):
    def call(self, x, training=False):
        return super().call(ops.reshape(x, (-1, x.shape[1] * x.shape[2])), training=training)

    def build(self, input_shape):
        super().build((input_shape[0], input_shape[1] * input_shape[2]))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.units)


@register
class KnowsTheLength(Sound):
    def call(self, x, training=False):
        return super().call(x[:, :5] + np.zeros((1, 5, 1), "float32"), training=training)


@register
class BuildsInCall(Sound):
    def build(self, input_shape):
        self.dense = keras.layers.Dense(self.units, dtype=self.dtype_policy)

    def call(self, x, training=False):
        return self.drop(self.dense(x), training=training)


@pytest.mark.parametrize(
    ("kind", "inputs", "options", "message"),
    [
        (TellsAnotherShape, ROWS, {}, r"`compute_output_shape` says \(None, 5\), the answer to 6 rows has .* \(6, 4\)"),
        (
            TellsTheBatch,
            ROWS,
            {},
            r"`compute_output_shape` says \(6, 4\), the answer to one row has the shape \(1, 4\)",
        ),
        (KnowsTheBatch, ROWS, {}, "It must take one row. Get sizes from keras.ops.shape"),
        (KnowsTheLength, STEPS, TIME, "It must take shorter axes. Get sizes from keras.ops.shape"),
        (FailsWithoutRows, STEPS, TIME, "Called on symbolic inputs, it must tell the shape of its answer. It raised"),
        (BuildsInCall, ROWS, {}, "`build` makes 0 of its 2 weights, the others are made in `call`"),
    ],
)
def test_shapes(kind, inputs, options, message):
    with pytest.raises(AssertionError, match=message):
        check(kind, inputs, **options)


# compiled


@register
class LooksAtValues(Sound):
    def call(self, x, training=False):
        return super().call(x if float(ops.sum(x)) < 100 else x / 2, training=training)


@register
class CountsInPython(Sound):
    calls = 0

    def call(self, x, training=False):
        if training:
            self.calls += 1
        return super().call(x + self.calls, training=training) if training else super().call(x)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (LooksAtValues, "It must run compiled on 6 rows, with training=False. Use keras.ops in place of NumPy"),
        (CountsInPython, "Compiled, it says something else of 6 rows than eagerly, with training=True"),
    ],
)
def test_compiled(kind, message):
    with pytest.raises(AssertionError, match=message):
        check(kind)


# saving


@register
class Forgets(Sound):
    def get_config(self):
        return {"name": self.name, "units": self.units}


@register
class SaysOtherwise(Sound):
    def get_config(self):
        return {"name": self.name, "units": self.units, "dropout": self.dropout / 2}


@register
class KeepsAnObject(Sound):
    def get_config(self):
        return {**super().get_config(), "units": self.units, "dropout": self.dropout, "drop": object()}


@register
class TakesNoConfig(Sound):
    @classmethod
    def from_config(cls, config):
        raise KeyError("units")


@register
class MakesAnother(Sound):
    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "dropout": 0.1})


@register
class HidesWeights(Sound):
    def build(self, input_shape):
        super().build(input_shape)
        self.secret = np.random.normal(size=self.units).astype("float32")

    def call(self, x, training=False):
        return super().call(x, training=training) + ops.cast(self.secret, self.compute_dtype)


SCALE = 1.0


@register
class DependsOnTheProcess(Sound):
    def call(self, x, training=False):
        return super().call(x * SCALE, training=training)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Forgets, "`get_config` forgets `dropout`. Add it, or leave `get_config` out"),
        (SaysOtherwise, "`get_config` says 0.25 for `dropout`, which was 0.5. Return what the constructor was given"),
        (KeepsAnObject, "`get_config` must return what the constructor takes, .* It raised"),
        (TakesNoConfig, "`from_config` must take what `get_config` returns. It raised"),
        (MakesAnother, "Made from its configuration it has another: .*0.1.*, not .*0.5"),
        (HidesWeights, "A model of it says something else when it was loaded. Store every argument"),
        (DependsOnTheProcess, "A model of it says something else in a fresh process"),
    ],
)
def test_saving(kind, message, monkeypatch):
    monkeypatch.setitem(globals(), "SCALE", 2.0)
    with pytest.raises(AssertionError, match=message):
        check(kind)


class NotRegistered(Sound):
    pass


def test_a_class_that_a_fresh_process_cannot_find():
    with pytest.raises(
        AssertionError,
        match=r"(?s)A fresh process that has imported .*test_layer cannot load what was "
        r"saved\. Decorate the class .* It says: .*NotRegistered",
    ):
        check(NotRegistered)


# gradients


@register
class HasAnIdleWeight(Sound):
    def build(self, input_shape):
        super().build(input_shape)
        self.idle = self.add_weight(shape=(2,), name="idle")


@register
class HasNoSlopeAtZero(Sound):
    def call(self, x, training=False):
        y = super().call(x, training=training)
        return y + ops.sqrt(y * 0.0)


def test_gradients():
    with pytest.raises(AssertionError, match=r"`.*idle` gets no gradient in training, so it never learns\. Use it in"):
        check(HasAnIdleWeight)
    check(HasAnIdleWeight, no_gradient=("idle",))
    with pytest.raises(AssertionError, match=r"The gradient of `.*kernel` is not finite\. Look for a root"):
        check(HasNoSlopeAtZero)


# half precision


@register
class HasHalfWeights(Sound):
    def build(self, input_shape):
        shape = (input_shape[-1], self.units)
        self.kernel = self.add_weight(shape=shape, dtype=self.compute_dtype, name="kernel")


@register
class AnswersInFloat32(Sound):
    def call(self, x, training=False):
        return ops.cast(super().call(x, training=training), "float32")


@register
class Overflows(Sound):
    def call(self, x, training=False):
        return super().call(x, training=training) * 1e6 / 1e6


@register
class Rounds(Sound):
    def call(self, x, training=False):
        return super().call(x, training=training) + 256 - 256


@register
class FailsInHalf(Sound):
    def build(self, input_shape):
        super().build(input_shape)
        if self.compute_dtype != "float32":
            raise TypeError("no such kernel")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (HasHalfWeights, "`.*kernel` is float16 with dtype='mixed_float16'. Leave `dtype` out of `add_weight`"),
        (AnswersInFloat32, "Symbolically the answer to input with dtype='mixed_float16' is float16, but it is float32"),
        (Overflows, "With dtype='mixed_float16' the answer is not finite. Compute what is large or small in float32"),
        (Rounds, "With dtype='mixed_float16' it says something else than in float32. .* They differ by"),
        (FailsInHalf, "It must run with dtype='mixed_float16'. .* It raised TypeError: no such kernel"),
    ],
)
def test_half_precision(kind, message):
    with pytest.raises(AssertionError, match=message):
        check(kind, tolerance=1e-4)


# masks


@register
class DropsTheMask(Sound):
    def __init__(self, units=8, dropout=0.0, **kwargs):
        super().__init__(units, dropout, **kwargs)
        self.supports_masking = False


@register
class TurnsTheMask(Sound):
    def compute_mask(self, inputs, previous_mask=None):
        return None if previous_mask is None else ops.logical_not(previous_mask)


@register
class AveragesAll(Mean):
    def call(self, x, mask=None, training=False):
        return super().call(x, training=training)


@register
class LearnsFromPadding(Sound):
    def build(self, input_shape):
        super().build(input_shape)
        self.norm = keras.layers.BatchNormalization(dtype=self.dtype_policy)
        self.norm.build((*input_shape[:-1], self.units))

    def call(self, x, training=False):
        return self.norm(super().call(x, training=training), training=training)


@register
class CountsPaddingInStatistics(Sound):
    def build(self, input_shape):
        super().build(input_shape)
        self.seen = self.add_weight(shape=(), trainable=False, name="seen")

    def call(self, x, training=False):
        if training:
            self.seen.assign(ops.cast(ops.mean(x), "float32"))
        return super().call(x, training=training)


@register
class CountsPadding(Mean):
    def call(self, x, mask=None, training=False):
        share = 1.0 if mask is None else ops.mean(ops.cast(mask, x.dtype), axis=1)[:, None]
        return super().call(x, mask=mask, training=training) * share


@register
class DividesByNothing(Mean):
    def call(self, x, mask=None, training=False):
        real = ops.ones_like(x[..., :1]) if mask is None else ops.cast(mask, x.dtype)[..., None]
        mean = ops.sum(x * real, axis=1) / ops.sum(real, axis=1)
        return Sound.call(self, mean, training=training)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (DropsTheMask, "It keeps the padded axis but not the mask, so the next layer takes padding for data"),
        (TurnsTheMask, "The mask that goes on is not the one that came. Return it from `compute_mask`"),
        (AveragesAll, "What stands in padded steps changes the answer at the others, with training=False"),
        (LearnsFromPadding, "What stands in padded steps changes the answer at the others, with training=True"),
        (CountsPaddingInStatistics, "What stands in padded steps changes the statistics that are kept in training"),
        (CountsPadding, "A sequence with padding is not answered as the same sequence without"),
        (DividesByNothing, "A row that is all padding gives an answer or a gradient that is not finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*mask.*")
def test_masks(kind, message):
    with pytest.raises(AssertionError, match=message):
        check(kind, STEPS, **TIME)
