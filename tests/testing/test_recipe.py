"""Tests of `check_recipe` with wrong recipes; correct ones are checked in the tests of each recipe."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.testing import check_recipe

RANDOM = np.random.default_rng(0)
FAST = {"epochs": 2, "units": 4, "architecture": "mlp", "num_bins": 2, "batch_size": 32, "refit": False, "target": "y"}


@pytest.fixture
def table(tmp_path):
    frame = pd.DataFrame({"a": RANDOM.normal(size=100).round(3)})
    frame["y"] = np.where(frame["a"] > 0, "yes", "no")
    frame.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "pattern", "message"),
    [
        ({"epochs": 3}, "", r"{'epochs': 3} is accepted. Reject it"),
        ({"target": "z"}, "no such text", r"with a message that matches 'no such text'. Received: .*'z'"),
    ],
)
def test_setting_that_is_not_rejected_fails(table, setting, pattern, message):
    with pytest.raises(AssertionError, match=message):
        check_recipe("tabular", {**FAST, "data": table, "epochs": 1}, invalid_settings=[(setting, pattern)])


def test_too_few_steps_fail(table):
    with pytest.raises(
        AssertionError, match=r"must give at least 4 steps, so that training can be interrupted\. Received: 1"
    ):
        check_recipe("tabular", {**FAST, "data": table, "epochs": 1, "batch_size": "all"})


@pytest.mark.slow
def test_random_state_that_is_not_saved_fails(table):
    tabular, random = tfkit.load_recipe("tabular"), np.random.default_rng(0)

    def noisy(config):
        import tensorflow as tf

        data = tabular.data(config)
        return dataclasses.replace(
            data,
            augment=lambda x, y, weight, seed: (
                {
                    name: value + tf.reshape(tf.numpy_function(lambda: np.float32(random.normal()), [], "float32"), [])
                    if value.dtype == tf.float32
                    else value
                    for name, value in x.items()
                },
                y,
                weight,
            ),
        )

    with pytest.raises(AssertionError, match="Recipe tabular: Interrupted and resumed, it has a different `loss` than"):
        check_recipe(tabular.replace(data=noisy), {**FAST, "data": table})


@pytest.mark.slow
def test_layer_that_depends_on_other_rows_fails(table):
    import keras

    @keras.saving.register_keras_serializable(package="tests")
    class MinusMean(keras.layers.Layer):
        def call(self, x):
            return x - keras.ops.mean(x, axis=0)

    def model(config, data):
        inputs = tfkit.keras_inputs(data.train)
        x = keras.layers.Concatenate()([keras.ops.cast(value, "float32") for value in inputs.values()] * 2)
        model = keras.Model(inputs, keras.layers.Dense(2)(MinusMean()(x)))
        model.compile(
            tfkit.make_optimizer(**config.optimizer_settings, steps=data.steps(config)),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        return model

    with pytest.raises(AssertionError, match="must predict the same for a single row as for this row in a batch"):
        check_recipe(tfkit.load_recipe("tabular").replace(model=model), {**FAST, "data": table})
