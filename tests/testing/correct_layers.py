"""Correct layers for the tests of `check_layer`; each test breaks one of them in one place."""

import keras
import numpy as np
from keras import ops

from tfkit.testing import check_layer

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(6, 3)).astype("float32")
STEPS = RANDOM.normal(size=(6, 5, 3)).astype("float32")
TIME = {"dynamic_axes": (0, 1), "padded_axis": 1}
register = keras.saving.register_keras_serializable(package="test_testing_layer")


@register
class DenseDropout(keras.layers.Layer):
    """A correct layer: dense with dropout."""

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
class MaskedMean(DenseDropout):
    """Average over the real steps."""

    def call(self, x, mask=None, training=False):
        is_real = ops.ones_like(x[..., :1]) if mask is None else ops.cast(mask, x.dtype)[..., None]
        mean = ops.sum(x * is_real, axis=1) / ops.maximum(ops.sum(is_real, axis=1), 1)
        return super().call(mean, training=training)

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.units)


@register
class TwoNamedInputs(keras.layers.Layer):
    """Two input sequences passed by name, and two outputs."""

    def __init__(self, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.scale, self.supports_masking = scale, True

    def call(self, x, context, context_mask=None):
        is_real = ops.ones_like(context[..., :1])
        if context_mask is not None:
            is_real = ops.cast(context_mask, x.dtype)[..., None]
        total = ops.sum(context * is_real, axis=1, keepdims=True)
        return x + self.scale * total, total[:, 0]

    def compute_mask(self, x, previous_mask=None):
        return [previous_mask[0] if isinstance(previous_mask, list) else previous_mask, None]


@register
class TwoListedInputs(DenseDropout):
    """Two inputs in a list."""

    def build(self, input_shape):
        super().build(input_shape[0])

    def call(self, inputs, training=False):
        return super().call(inputs[0] + inputs[1], training=training)

    def compute_output_shape(self, input_shape):
        return (*input_shape[0][:-1], self.units)


def check(layer_class, inputs=ROWS, **options):
    arguments = options.pop("arguments", {"units": 4, "dropout": 0.5})
    check_layer(layer_class, arguments, inputs, **options)
