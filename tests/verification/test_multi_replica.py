"""Tests of the check that replicas train the same weights as one device."""

import json

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.verification import multi_replica

RECIPE_SOURCE = tfkit.load_recipe("tabular").path.read_text(encoding="utf-8")
TINY = {"units": 8, "ensemble_size": 2, "num_bins": 8, "batch_size": 32, "refit": False}
BATCH_MEAN = """

@keras.saving.register_keras_serializable("mine")
class SubtractBatchMean(keras.layers.Layer):
    def call(self, x):
        return x - keras.ops.mean(x, axis=0, keepdims=True)


def centered_model(config, data):
    inner = model(config, data)
    outer = keras.Model(inner.input, SubtractBatchMean()(inner.output), name="mine")
    outer.compile(inner.optimizer, inner.loss)
    return outer


recipe = recipe.replace(model=centered_model)
"""


def write_steps(path, *, weight=1.0, loss=0.5, random_state="", error=""):
    """Write a file as `train_steps` does, with one case and one weight."""
    summary = {
        "names": ["dense/kernel"],
        "error": error,
        "random_state": random_state,
        "history": {"loss": [0.7, loss]},
    }
    arrays = {f"0 {epoch} 0": np.full(3, 1.0 if epoch < 2 else weight) for epoch in range(multi_replica.EPOCHS + 1)}
    np.savez(path, **arrays, **{"case 0": np.frombuffer(json.dumps(summary).encode(), "uint8")})
    return path


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({}, ""),
        ({"weight": 1.00005}, ""),
        ({"weight": 1.01}, "dense/kernel after 8 steps, by 0.01"),
        ({"weight": np.nan}, "dense/kernel after 8 steps, by nan"),
        ({"loss": 0.6}, "loss: 0.5 on one device, 0.6 on several"),
        ({"error": "too large"}, "not trained: too large"),
    ],
)
def test_first_difference_is_described(options, difference, tmp_path):
    expected, actual = write_steps(tmp_path / "expected.npz"), write_steps(tmp_path / "actual.npz", **options)
    assert multi_replica.compare_step_files(expected, actual) == [difference]


def test_recipe_with_random_numbers_is_not_comparable(tmp_path):
    expected = write_steps(tmp_path / "expected.npz", random_state="noise/seed")
    actual = write_steps(tmp_path / "actual.npz", weight=2.0)
    assert multi_replica.compare_step_files(expected, actual)[0].startswith(
        "not comparable: noise/seed draws random numbers in training"
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("suffix", "failure"), [("", ""), (BATCH_MEAN, " after 4 steps, by ")], ids=["same", "differs"]
)
def test_layer_that_depends_on_the_batch_is_detected(suffix, failure, tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.normal(size=300), "word": random.choice(["a", "b"], 300)})
    frame.assign(y=frame["x"] + (frame["word"] == "a")).to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "mine.py").write_text(RECIPE_SOURCE + suffix, encoding="utf-8")
    settings = {**TINY, "data": str(tmp_path / "t.csv"), "target": "y"}
    result = multi_replica.check_two_replicas(str(tmp_path / "mine.py"), settings, tmp_path)
    assert result.claim == "two replicas train the same weights as one device"
    assert (failure in result.failure) if failure else result.passed
