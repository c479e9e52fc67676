"""`check_recipe` against recipes that are not what they must be; that good ones pass is seen at every page."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.testing import check_recipe

RANDOM = np.random.default_rng(0)
FAST = {"epochs": 2, "units": 4, "body": "mlp", "bins": 2, "batch_size": 32, "refit": False, "target": "y"}


@pytest.fixture
def table(tmp_path):
    frame = pd.DataFrame({"a": RANDOM.normal(size=100).round(3)})
    frame["y"] = np.where(frame["a"] > 0, "yes", "no")
    frame.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


@pytest.mark.parametrize(
    ("change", "pattern", "message"),
    [
        ({"epochs": 3}, "", r"{'epochs': 3} is accepted. Refuse it"),
        ({"target": "z"}, "no such words", r"with a message that matches 'no such words'. It says: .*'z'"),
    ],
)
def test_what_is_not_refused_as_told_is_named(table, change, pattern, message):
    with pytest.raises(AssertionError, match=message):
        check_recipe("tabular", {**FAST, "table": table, "epochs": 1}, refused=[(change, pattern)])


def test_too_few_steps_are_named(table):
    with pytest.raises(AssertionError, match=r"must make at least 4 steps, to be stopped between\. Made: 1"):
        check_recipe("tabular", {**FAST, "table": table, "epochs": 1, "batch_size": "all"})


@pytest.mark.slow
def test_chance_that_is_not_drawn_from_what_is_saved_is_seen(table):
    tabular, chance = tfkit.load("tabular"), np.random.default_rng(0)

    def noisy(config):
        import tensorflow as tf

        data = tabular.data(config)
        return dataclasses.replace(
            data,
            augment=lambda x, y, weight, random: (
                {
                    name: value + tf.reshape(tf.numpy_function(lambda: np.float32(chance.normal()), [], "float32"), [])
                    if value.dtype == tf.float32
                    else value
                    for name, value in x.items()
                },
                y,
                weight,
            ),
        )

    with pytest.raises(AssertionError, match="Recipe tabular: Stopped and resumed it has another `loss` than never"):
        check_recipe(tabular.replace(data=noisy), {**FAST, "table": table})


@pytest.mark.slow
def test_a_layer_that_looks_at_other_rows_is_seen(table):
    import keras

    @keras.saving.register_keras_serializable(package="tests")
    class MinusMean(keras.layers.Layer):
        def call(self, x):
            return x - keras.ops.mean(x, axis=0)

    def model(config, data):
        inputs = tfkit.inputs(data.train)
        x = keras.layers.Concatenate()([keras.ops.cast(one, "float32") for one in inputs.values()] * 2)
        model = keras.Model(inputs, keras.layers.Dense(2)(MinusMean()(x)))
        model.compile(
            tfkit.optimizer(**config.optimization, steps=data.steps(config)),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        return model

    with pytest.raises(AssertionError, match="must say of a row alone what it says of it among others"):
        check_recipe(tfkit.load("tabular").replace(model=model), {**FAST, "table": table})
