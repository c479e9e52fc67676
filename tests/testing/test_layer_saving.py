"""Tests of `check_layer`: saving, gradients and half precision."""

import numpy as np
import pytest
from keras import ops

from tests.testing.correct_layers import DenseDropout, check, register

# saving


@register
class OmitsArgumentFromConfig(DenseDropout):
    def get_config(self):
        return {"name": self.name, "units": self.units}


@register
class HasWrongConfigValue(DenseDropout):
    def get_config(self):
        return {"name": self.name, "units": self.units, "dropout": self.dropout / 2}


@register
class HasObjectInConfig(DenseDropout):
    def get_config(self):
        return {**super().get_config(), "units": self.units, "dropout": self.dropout, "drop": object()}


@register
class FailsInFromConfig(DenseDropout):
    @classmethod
    def from_config(cls, config):
        raise KeyError("units")


@register
class RestoresDifferentLayer(DenseDropout):
    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "dropout": 0.1})


@register
class HasUntrackedWeights(DenseDropout):
    def build(self, input_shape):
        super().build(input_shape)
        self.secret = np.random.normal(size=self.units).astype("float32")

    def call(self, x, training=False):
        return super().call(x, training=training) + ops.cast(self.secret, self.compute_dtype)


SCALE = 1.0


@register
class DependsOnTheProcess(DenseDropout):
    def call(self, x, training=False):
        return super().call(x * SCALE, training=training)


@pytest.mark.parametrize(
    ("layer_class", "message"),
    [
        (OmitsArgumentFromConfig, "`get_config` omits `dropout`. Add it, or do not override `get_config`"),
        (
            HasWrongConfigValue,
            "`get_config` returns 0.25 for `dropout`, which was 0.5. Return the constructor arguments",
        ),
        (HasObjectInConfig, "`get_config` must return the constructor arguments, .* It raised"),
        (FailsInFromConfig, "`from_config` must accept the result of `get_config`. It raised"),
        (RestoresDifferentLayer, "The object created from its configuration has a different one: .*0.1.*, not .*0.5"),
        (HasUntrackedWeights, "The output of a model with it is different after loading. Store every argument"),
        (DependsOnTheProcess, "The output of a model with it is different in a fresh process"),
    ],
)
def test_saving(layer_class, message, monkeypatch):
    monkeypatch.setitem(globals(), "SCALE", 2.0)
    with pytest.raises(AssertionError, match=message):
        check(layer_class)


class NotRegistered(DenseDropout):
    pass


def test_class_that_a_fresh_process_cannot_load_fails():
    with pytest.raises(
        AssertionError,
        match=r"(?s)A fresh process that has imported .*test_layer_saving cannot load the saved "
        r"object\. Decorate the class .* Received: .*NotRegistered",
    ):
        check(NotRegistered)


# gradients


@register
class HasUnusedWeight(DenseDropout):
    def build(self, input_shape):
        super().build(input_shape)
        self.idle = self.add_weight(shape=(2,), name="idle")


@register
class HasNonFiniteGradient(DenseDropout):
    def call(self, x, training=False):
        y = super().call(x, training=training)
        return y + ops.sqrt(y * 0.0)


def test_gradients():
    with pytest.raises(AssertionError, match=r"`.*idle` receives no gradient in training, so it never learns\."):
        check(HasUnusedWeight)
    check(HasUnusedWeight, no_gradient=("idle",))
    with pytest.raises(AssertionError, match=r"The gradient of `.*kernel` is not finite\. Look for a square root"):
        check(HasNonFiniteGradient)


# half precision


@register
class HasHalfWeights(DenseDropout):
    def build(self, input_shape):
        shape = (input_shape[-1], self.units)
        self.kernel = self.add_weight(shape=shape, dtype=self.compute_dtype, name="kernel")


@register
class ReturnsFloat32(DenseDropout):
    def call(self, x, training=False):
        return ops.cast(super().call(x, training=training), "float32")


@register
class Overflows(DenseDropout):
    def call(self, x, training=False):
        return super().call(x, training=training) * 1e6 / 1e6


@register
class Rounds(DenseDropout):
    def call(self, x, training=False):
        return super().call(x, training=training) + 256 - 256


@register
class FailsInHalf(DenseDropout):
    def build(self, input_shape):
        super().build(input_shape)
        if self.compute_dtype != "float32":
            raise TypeError("no such kernel")


@pytest.mark.parametrize(
    ("layer_class", "message"),
    [
        (HasHalfWeights, "`.*kernel` is float16 with dtype='mixed_float16'. Do not pass `dtype` to `add_weight`"),
        (
            ReturnsFloat32,
            "The symbolic output for input with dtype='mixed_float16' is float16, but the output is",
        ),
        (Overflows, "With dtype='mixed_float16' the output is not finite. Compute very large or very small values"),
        (Rounds, "With dtype='mixed_float16' the output differs from that in float32. .* They differ by"),
        (FailsInHalf, "It must run with dtype='mixed_float16'. .* It raised TypeError: no such kernel"),
    ],
)
def test_half_precision(layer_class, message):
    with pytest.raises(AssertionError, match=message):
        check(layer_class, tolerance=1e-4)
