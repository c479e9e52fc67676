"""Tests of the first difference between two runs."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from tfkit.verification.run_diff import first_difference


@pytest.fixture
def runs(tmp_path):
    """Create the folders of two finished runs that differ only in their times."""
    for name, seconds in (("expected", 1.5), ("actual", 2.5)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "history.csv").write_text(f"epoch,loss,seconds\n1,0.5,{seconds}\n2,0.25,{seconds}\n")
        (folder / "metrics.json").write_text(json.dumps({"val": {"accuracy": 0.75}, "test": {}, "seconds": seconds}))
        write_weights(folder, [1.0, 2.0, 3.0])
    return tmp_path / "expected", tmp_path / "actual"


def write_weights(folder, values, name="dense"):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file[f"layers/{name}/vars/0"] = np.array(values, "float32")
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr("model.weights.h5", buffer.getvalue())


def test_times_are_ignored(runs):
    assert first_difference(*runs) == ""


def test_history_is_compared_first_then_weights_then_scores(runs):
    expected, actual = runs
    (actual / "metrics.json").write_text(json.dumps({"val": {"accuracy": 0.5}}))
    assert first_difference(expected, actual) == "accuracy of the validation rows: 0.75 against 0.5"
    write_weights(actual, [1.0, 2.0, 3.5])
    assert first_difference(expected, actual) == "the weight layers/dense/vars/0: 1 of 3 values differ, by 0.5 at most"
    (actual / "history.csv").write_text("epoch,loss,seconds\n1,0.5,1\n2,0.26,1\n")
    assert first_difference(expected, actual) == "loss of epoch 2: 0.25 against 0.26"
    (actual / "history.csv").write_text("epoch,loss,seconds\n1,0.5,1\n")
    assert first_difference(expected, actual) == "2 epochs against 1"


def test_sign_of_zero_and_shape_are_compared(runs):
    expected, actual = runs
    for folder, values in ((expected, [0.0]), (actual, [-0.0])):
        write_weights(folder, values)
    assert first_difference(expected, actual).startswith("the weight")
    write_weights(actual, [0.0, 1.0])
    assert first_difference(expected, actual) == "the weight layers/dense/vars/0: shape (1,) against (2,)"
    write_weights(actual, [0.0], name="renamed")
    assert first_difference(expected, actual) == "1 weights against 1, with different names"
