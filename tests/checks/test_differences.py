import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from tfkit.checks.differences import first_difference


@pytest.fixture
def runs(tmp_path):
    """Two folders with what a finished run leaves, the same but for the clock."""
    for name, seconds in (("one", 1.5), ("other", 2.5)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "history.csv").write_text(f"epoch,loss,seconds\n1,0.5,{seconds}\n2,0.25,{seconds}\n")
        (folder / "metrics.json").write_text(json.dumps({"val": {"accuracy": 0.75}, "test": {}, "seconds": seconds}))
        weights(folder, [1.0, 2.0, 3.0])
    return tmp_path / "one", tmp_path / "other"


def weights(folder, values, name="dense"):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file[f"layers/{name}/vars/0"] = np.array(values, "float32")
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr("model.weights.h5", buffer.getvalue())


def test_the_clock_makes_no_difference(runs):
    assert first_difference(*runs) == ""


def test_curves_come_first_then_weights_then_scores(runs):
    one, other = runs
    (other / "metrics.json").write_text(json.dumps({"val": {"accuracy": 0.5}}))
    assert first_difference(one, other) == "accuracy of the validation rows: 0.75 against 0.5"
    weights(other, [1.0, 2.0, 3.5])
    assert first_difference(one, other) == "the weight layers/dense/vars/0: 1 of 3 numbers differ, by 0.5 at most"
    (other / "history.csv").write_text("epoch,loss,seconds\n1,0.5,1\n2,0.26,1\n")
    assert first_difference(one, other) == "loss of epoch 2: 0.25 against 0.26"
    (other / "history.csv").write_text("epoch,loss,seconds\n1,0.5,1\n")
    assert first_difference(one, other) == "2 epochs against 1"


def test_the_sign_of_zero_and_a_shape_are_differences_too(runs):
    one, other = runs
    for folder, values in ((one, [0.0]), (other, [-0.0])):
        weights(folder, values)
    assert first_difference(one, other).startswith("the weight")
    weights(other, [0.0, 1.0])
    assert first_difference(one, other) == "the weight layers/dense/vars/0: shape (1,) against (2,)"
    weights(other, [0.0], name="other")
    assert first_difference(one, other) == "1 weights against 1, by other names"
