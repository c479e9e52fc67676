"""Tests of the check that replicas train the same weights as one device."""

import json
from pathlib import Path

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


def write_steps(path, *, factor=1.0, noise=0.0, loss=0.5, accuracy=0.8, random_state="", error=""):
    """Write a file as `train_steps` does, with a case of three weights: trained, with zero gradients, not trainable.

    Args:
        path: The file.
        factor: Of the updates from the second epoch on.
        noise: Of the weight with zero gradients.
        loss, accuracy: Of the last epoch.
        random_state, error: As in the summary of a case.
    """
    summary = {
        "names": ["dense/kernel", "dead/kernel", "norm/mean"],
        "trainable": [True, True, False],
        "error": error,
        "random_state": random_state,
        "history": {"loss": [0.7, loss], "accuracy": [0.5, accuracy]},
    }
    arrays = {}
    for epoch in range(multi_replica.EPOCHS + 1):
        update = 0.1 * epoch * (factor if epoch > 1 else 1)
        weights = [np.full(3, 1 + update), np.full(3, 0.5 + noise * (epoch > 0)), np.full(3, 100 * (epoch > 0))]
        arrays |= {f"0 {epoch} {i}": weight for i, weight in enumerate(weights)}
    np.savez(path, **arrays, **{"case 0": np.frombuffer(json.dumps(summary).encode(), "uint8")})
    return path


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({}, ""),
        ({"factor": 1.0005}, ""),
        ({"factor": 1.01}, "dense/kernel after 8 steps, by 0.002"),
        ({"factor": 2.0}, "dense/kernel after 8 steps, by 0.2"),
        ({"factor": np.nan}, "dense/kernel after 8 steps, by nan"),
        ({"noise": 1e-6}, ""),
        ({"noise": 1e-4}, "dead/kernel after 4 steps, by 0.0001"),
        ({"loss": 0.501}, "loss: 0.5 on one device, 0.501 on several"),
        ({"accuracy": 0.82}, ""),
        ({"accuracy": 0.7}, "accuracy: 0.8 on one device, 0.7 on several"),
        ({"error": "too large"}, "not trained: too large"),
    ],
)
def test_first_difference_is_described(options, difference, tmp_path):
    expected, actual = write_steps(tmp_path / "expected.npz"), write_steps(tmp_path / "actual.npz", **options)
    assert multi_replica.compare_step_files(expected, actual) == [difference]


def test_recipe_with_random_numbers_is_not_comparable(tmp_path):
    expected = write_steps(tmp_path / "expected.npz", random_state="noise/seed")
    actual = write_steps(tmp_path / "actual.npz", factor=2.0)
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


FAULTS = [
    "loss scaled by the replicas",
    "statistics not synchronized",
    "row left out",
    "weights ignored",
    "rounding",
]


@pytest.fixture(scope="module")
def fault_differences(tmp_path_factory):
    """What the check reports for each planted fault, and with the optimizers of the recipe."""
    folder = tmp_path_factory.mktemp("faults")
    recipe = str(Path(__file__).with_name("replica_recipe.py"))

    def train(name, *faults):
        cases = [[recipe, {"fault": fault}] for fault in faults]
        multi_replica.train_steps(device="cpu", cases=cases, out=str(folder / name))
        return folder / name

    expected = train("expected.npz", *["none"] * len(FAULTS))
    differences = multi_replica.compare_step_files(expected, train("actual.npz", *FAULTS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multi_replica, "_use_proportional_optimizers", lambda model: None)
        adam = train("adam.npz", "none"), train("adam-rounding.npz", "rounding")
    return dict(zip(FAULTS, differences, strict=True)) | {"Adam": multi_replica.compare_step_files(*adam)[0]}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS[:-1])
def test_planted_fault_is_detected_after_the_first_epoch(fault, fault_differences):
    assert " after 4 steps, by " in fault_differences[fault]


@pytest.mark.slow
def test_rounding_of_a_zero_gradient_is_no_fault_although_adam_makes_steps_of_it(fault_differences):
    assert fault_differences["rounding"] == ""
    assert " after 4 steps, by " in fault_differences["Adam"]
