"""Test recipe with batch normalization, row weights, Adam and a weight whose gradient is zero but for rounding."""

import keras
import numpy as np

import tfkit
from tfkit.metadata import Metadata, Target


class Config(tfkit.Config):
    fault: str = "none"  # what a training on replicas could do wrong
    batch_size: tfkit.PositiveInt = 16


class Dataset(tfkit.ArrayDataset):
    """Rows with weights; a fault leaves out a row, or the weights."""

    fault = "none"

    def take(self, indices):
        x, y, weight = super().take(indices)
        if self.fault == "weights ignored":
            weight = keras.ops.ones_like(weight)
        if self.fault == "row left out":
            weight = weight * keras.ops.cast(keras.ops.arange(keras.ops.shape(weight)[0]) != 1, "float32")
        return x, y, weight


class HalfBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization by the statistics of one of two replicas."""

    def _moments(self, inputs, mask):
        rows = keras.ops.maximum(keras.ops.shape(inputs)[0] // 2, 1)
        return super()._moments(inputs[:rows], mask)


class Rounding(keras.layers.Layer):
    """A weight whose gradient is a rounding error."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def build(self, shape):
        self.kernel = self.add_weight(shape=(3,), initializer="ones", name="kernel")

    def call(self, x):
        return x + self.size * keras.ops.sum(self.kernel)


def data(config):
    random = np.random.default_rng(0)
    x = random.normal(size=(120, 3)).astype("float32")
    y = (x.sum(1, keepdims=True) + 0.3 * random.normal(size=(120, 1))).astype("float32")
    weight = random.uniform(0.2, 3, 120).astype("float32")
    splits = [Dataset(x[i], y[i], weight[i]) for i in (slice(70), slice(70, 95), slice(95, 120))]
    splits[0].fault = config.fault
    inputs = keras.Input((3,))
    metadata = Metadata(inputs={"x": {"dtype": "float32"}}, target=Target(task="custom"))
    return tfkit.Data(*splits, metadata, keras.Model(inputs, inputs))


def model(config, data):
    inputs = keras.Input((3,))
    x = keras.layers.Dense(6)(inputs)
    is_wrong = config.fault == "statistics not synchronized"
    x = (HalfBatchNormalization if is_wrong else keras.layers.BatchNormalization)(name="norm")(x)
    x = Rounding(1e-7 if config.fault == "rounding" else -1e-7)(keras.layers.Activation("tanh")(x))
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    factor = 2.0 if config.fault == "loss scaled by the replicas" else None
    model.compile(keras.optimizers.Adam(0.01), "mse", loss_weights=factor, weighted_metrics=["mae"])
    return model


recipe = tfkit.Recipe(Config, data, model)
