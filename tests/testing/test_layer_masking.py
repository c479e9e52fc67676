"""Tests of `check_layer`: masks and padding."""

import keras
import pytest
from keras import ops

from tests.testing.correct_layers import STEPS, TIME, DenseDropout, MaskedMean, check, register


@register
class DropsTheMask(DenseDropout):
    def __init__(self, units=8, dropout=0.0, **kwargs):
        super().__init__(units, dropout, **kwargs)
        self.supports_masking = False


@register
class InvertsMask(DenseDropout):
    def compute_mask(self, inputs, previous_mask=None):
        return None if previous_mask is None else ops.logical_not(previous_mask)


@register
class AveragesPadding(MaskedMean):
    def call(self, x, mask=None, training=False):
        return super().call(x, training=training)


@register
class LearnsFromPadding(DenseDropout):
    def build(self, input_shape):
        super().build(input_shape)
        self.norm = keras.layers.BatchNormalization(dtype=self.dtype_policy)
        self.norm.build((*input_shape[:-1], self.units))

    def call(self, x, training=False):
        return self.norm(super().call(x, training=training), training=training)


@register
class CountsPaddingInStatistics(DenseDropout):
    def build(self, input_shape):
        super().build(input_shape)
        self.mean = self.add_weight(shape=(), trainable=False, name="mean")

    def call(self, x, training=False):
        if training:
            self.mean.assign(ops.cast(ops.mean(x), "float32"))
        return super().call(x, training=training)


@register
class CountsPadding(MaskedMean):
    def call(self, x, mask=None, training=False):
        real_fraction = 1.0 if mask is None else ops.mean(ops.cast(mask, x.dtype), axis=1)[:, None]
        return super().call(x, mask=mask, training=training) * real_fraction


@register
class DividesByZero(MaskedMean):
    def call(self, x, mask=None, training=False):
        is_real = ops.ones_like(x[..., :1]) if mask is None else ops.cast(mask, x.dtype)[..., None]
        mean = ops.sum(x * is_real, axis=1) / ops.sum(is_real, axis=1)
        return DenseDropout.call(self, mean, training=training)


@pytest.mark.parametrize(
    ("layer_class", "message"),
    [
        (DropsTheMask, "The output keeps the padded axis but not the mask, so the next layer uses padding as data"),
        (
            InvertsMask,
            "The mask of the output differs from that of the input. Return it unchanged",
        ),
        (AveragesPadding, "The values of padded steps change the output at real steps, with training=False"),
        (LearnsFromPadding, "The values of padded steps change the output at real steps, with training=True"),
        (CountsPaddingInStatistics, "The values of padded steps change the statistics that are updated in training"),
        (CountsPadding, "The output for a sequence with padding differs from that for the same sequence without"),
        (DividesByZero, "A row that consists of padding gives an output or a gradient that is not finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*mask.*")
def test_masks(layer_class, message):
    with pytest.raises(AssertionError, match=message):
        check(layer_class, STEPS, **TIME)
