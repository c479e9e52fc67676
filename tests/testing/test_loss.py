"""Tests of `check_loss`: a correct loss passes, and each check fails with a clear message."""

import keras
import numpy as np
import pytest
from keras import ops

from tfkit.testing import check_loss

RANDOM = np.random.default_rng(0)
Y_TRUE = RANDOM.normal(size=(6, 2)).astype("float32")
Y_PRED = RANDOM.normal(size=(6, 2)).astype("float32")
register = keras.saving.register_keras_serializable(package="test_testing_loss")


@register
class Power(keras.losses.Loss):
    """A correct loss: the mean of `abs(y_true - y_pred) ** power`."""

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
class PowerPerStep(Power):
    """Several values per row."""


@register
class OmitsArgumentFromConfig(Power):
    def get_config(self):
        return keras.losses.Loss.get_config(self)


@register
class HasWrongNameInConfig(Power):
    def get_config(self):
        return {**super().get_config(), "name": "power"}


@register
class RestoresDifferentLoss(Power):
    @classmethod
    def from_config(cls, config):
        loss = cls(**config)
        loss.call = lambda y_true, y_pred: 0.0 * y_pred[:, 0]
        return loss


@register
class ReturnsMean(Power):
    def call(self, y_true, y_pred):
        return ops.mean(super().call(y_true, y_pred))


@register
class IgnoresSampleWeights(Power):
    def __call__(self, y_true, y_pred, sample_weight=None):
        return super().__call__(y_true, y_pred)


@register
class BranchesOnTensorValues(Power):
    def call(self, y_true, y_pred):
        return super().call(y_true, y_pred) * (2.0 if float(ops.sum(y_pred)) > 0 else 1.0)


NUM_CALLS = [0]


@register
class CountsInPython(Power):
    def call(self, y_true, y_pred):
        NUM_CALLS[0] += 1
        return super().call(y_true, y_pred) * (1 + NUM_CALLS[0] % 7)


@register
class HasNonFiniteGradientAtZero(Power):
    def call(self, y_true, y_pred):
        return super().call(y_true, y_pred) + ops.sqrt(0.0 * y_pred[:, 0])


@register
class ExplodesFarOff(Power):
    def call(self, y_true, y_pred):
        return super().call(y_true, y_pred) + ops.log(ops.mean(ops.exp(y_pred), axis=-1))


def test_correct_loss_passes():
    check_loss(Power, {"power": 3}, Y_TRUE, Y_PRED, invalid_arguments=[({"power": 0}, "`power` must be at least 1")])
    check_loss(PowerPerStep, {"power": 3}, np.stack([Y_TRUE] * 3, 1), np.stack([Y_PRED] * 3, 1))


def test_keras_loss_with_incomplete_config_fails():
    with pytest.raises(AssertionError, match=r"^Huber: `get_config` omits `delta`"):
        check_loss(keras.losses.Huber, {"delta": 0.5}, Y_TRUE, Y_PRED)


@pytest.mark.parametrize(
    ("loss_class", "options", "message"),
    [
        (Power, {"arguments": {}}, r"^Power: `power` is at its default \(2\)\. Pass a different value"),
        (Power, {"invalid_arguments": [({"power": 3}, "")]}, "{'power': 3} is accepted"),
        (OmitsArgumentFromConfig, {}, "`get_config` omits `power`"),
        (HasWrongNameInConfig, {}, "`get_config` returns 'power' for `name`, which was 'another'"),
        (RestoresDifferentLoss, {}, "A loss created from its configuration has different values"),
        (ReturnsMean, {}, r"`call` must return one or several values per row, .* It returns the shape \(\)"),
        (IgnoresSampleWeights, {}, "Sample weights are not applied correctly"),
        (BranchesOnTensorValues, {}, "It must run compiled. Use keras.ops instead of NumPy"),
        (CountsInPython, {}, "Sample weights are not applied correctly|The compiled and the eager value differ"),
        (
            HasNonFiniteGradientAtZero,
            {},
            "The gradient with respect to the predictions is not finite. Look for a logarithm",
        ),
        (ExplodesFarOff, {}, "The gradient with respect to the predictions multiplied by 100 is not finite"),
    ],
)
def test_wrong_loss_fails_with_message(loss_class, options, message):
    with pytest.raises(AssertionError, match=message):
        check_loss(loss_class, **{"arguments": {"power": 3}, "y_true": Y_TRUE, "y_pred": Y_PRED, **options})


def test_loss_that_depends_on_the_process_fails(monkeypatch):
    monkeypatch.setitem(globals(), "SCALE", 2.0)
    with pytest.raises(AssertionError, match="In a fresh process its output is different"):
        check_loss(DependsOnTheProcess, {"power": 3}, Y_TRUE, Y_PRED)


SCALE = 1.0


@register
class DependsOnTheProcess(Power):
    def call(self, y_true, y_pred):
        return SCALE * super().call(y_true, y_pred)
