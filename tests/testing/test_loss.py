"""Each check of `check_loss` can fail, and says what to do."""

import keras
import numpy as np
import pytest
from keras import ops

from tfkit.testing import check_loss

RANDOM = np.random.default_rng(0)
TARGET = RANDOM.normal(size=(6, 2)).astype("float32")
ANSWERS = RANDOM.normal(size=(6, 2)).astype("float32")
register = keras.saving.register_keras_serializable(package="test_testing_loss")


@register
class Power(keras.losses.Loss):
    """The mean of `abs(y - p) ** power`, as a loss should be written."""

    def __init__(self, power=2, name="power", **kwargs):
        super().__init__(name=name, **kwargs)
        if power < 1:
            raise ValueError(f"`power` must be at least 1. Received: {power!r}")
        self.power = power

    def call(self, y_true, y_pred):
        return ops.mean(ops.abs(y_true - y_pred) ** self.power, axis=-1)

    def get_config(self):
        return {**super().get_config(), "power": self.power}


@register
class PerPlace(Power):
    """Several numbers a row."""


@register
class Forgets(Power):
    def get_config(self):
        return keras.losses.Loss.get_config(self)


@register
class LosesItsName(Power):
    def get_config(self):
        return {**super().get_config(), "name": "power"}


@register
class MakesAnother(Power):
    @classmethod
    def from_config(cls, config):
        loss = cls(**config)
        loss.call = lambda y_true, y_pred: 0.0 * y_pred[:, 0]
        return loss


@register
class TakesTheMeanItself(Power):
    def call(self, y_true, y_pred):
        return ops.mean(super().call(y_true, y_pred))


@register
class ForgetsWeights(Power):
    def __call__(self, y_true, y_pred, sample_weight=None):
        return super().__call__(y_true, y_pred)


@register
class LooksAtValues(Power):
    def call(self, y_true, y_pred):
        return super().call(y_true, y_pred) * (2.0 if float(ops.sum(y_pred)) > 0 else 1.0)


CALLS = [0]


@register
class CountsInPython(Power):
    def call(self, y_true, y_pred):
        CALLS[0] += 1
        return super().call(y_true, y_pred) * (1 + CALLS[0] % 7)


@register
class HasNoSlopeAtZero(Power):
    def call(self, y_true, y_pred):
        return super().call(y_true, y_pred) + ops.sqrt(0.0 * y_pred[:, 0])


@register
class ExplodesFarOff(Power):
    def call(self, y_true, y_pred):
        return super().call(y_true, y_pred) + ops.log(ops.mean(ops.exp(y_pred), axis=-1))


def test_what_is_right_passes():
    check_loss(Power, {"power": 3}, TARGET, ANSWERS, refused=[({"power": 0}, "`power` must be at least 1")])
    check_loss(PerPlace, {"power": 3}, np.stack([TARGET] * 3, 1), np.stack([ANSWERS] * 3, 1))


def test_a_loss_of_keras_that_forgets_its_argument_does_not():
    with pytest.raises(AssertionError, match=r"^Huber: `get_config` forgets `delta`"):
        check_loss(keras.losses.Huber, {"delta": 0.5}, TARGET, ANSWERS)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (Power, {"arguments": {}}, r"^Power: `power` is at its default \(2\)\. Give another value"),
        (Power, {"refused": [({"power": 3}, "")]}, "{'power': 3} is accepted"),
        (Forgets, {}, "`get_config` forgets `power`"),
        (LosesItsName, {}, "`get_config` says 'power' for `name`, which was 'another'"),
        (MakesAnother, {}, "Made from its configuration it says something else"),
        (TakesTheMeanItself, {}, r"`call` must return one number a row, .* It returns the shape \(\)"),
        (ForgetsWeights, {}, "Weights of rows do not count as they should"),
        (LooksAtValues, {}, "It must run compiled. Use keras.ops in place of NumPy"),
        (CountsInPython, {}, "Weights of rows do not count as they should|Compiled, it says something else"),
        (HasNoSlopeAtZero, {}, "The gradient of the answers is not finite. Look for a logarithm"),
        (ExplodesFarOff, {}, "The gradient of a hundred times the answers is not finite"),
    ],
)
def test_what_is_wrong_is_said(kind, options, message):
    with pytest.raises(AssertionError, match=message):
        check_loss(kind, **{"arguments": {"power": 3}, "y_true": TARGET, "y_pred": ANSWERS, **options})


def test_a_loss_that_says_something_else_in_another_process(monkeypatch):
    monkeypatch.setitem(globals(), "SCALE", 2.0)
    with pytest.raises(AssertionError, match="In a fresh process it says something else"):
        check_loss(DependsOnTheProcess, {"power": 3}, TARGET, ANSWERS)


SCALE = 1.0


@register
class DependsOnTheProcess(Power):
    def call(self, y_true, y_pred):
        return SCALE * super().call(y_true, y_pred)
