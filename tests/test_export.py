"""An export answers as the model does, where nothing of ours is."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.errors import UserError


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    random = np.random.default_rng(2)
    frame = pd.DataFrame({"a/b": random.normal(size=200), "Age": random.integers(18, 90, 200)})
    frame["age"] = random.choice(["young", "old", None], 200)
    frame["y"] = frame["a/b"] * 2 + (frame["age"] == "old")
    frame.loc[::9, "a/b"] = np.nan
    frame = frame.dropna(subset="y")
    folder = tmp_path_factory.mktemp("run")
    frame.to_csv(folder / "t.csv", index=False)
    fast = {"epochs": 1, "units": 8, "members": 2, "bins": 8, "batch_size": 64, "quiet": True}
    return tfkit.train("tabular", table=folder / "t.csv", target="y", out=folder / "runs", **fast)


def elsewhere(program, **given):
    """What a program prints in a process of its own."""
    done = subprocess.run([sys.executable, "-c", program, json.dumps(given)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


ROWS = {"a_b": [[0.5], [None]], "Age": [[33.0], [50.0]], "age_2": [["old"], [""]]}
FIRST = """
import json, sys
sys.modules |= dict.fromkeys(("pandas", "sklearn", "pyarrow"))  # as if they were not installed
given = json.loads(sys.argv[1])
def rows(tf):
    nan = float("nan")
    return {name: tf.constant([[nan if v is None else v for v in row] for row in column])
            for name, column in given["rows"].items()}
"""


def own(run):
    kinds = {"a_b": "float32", "Age": "float32", "age_2": object}
    return run.answer({name: np.array(column, kinds[name]) for name, column in ROWS.items()})


def test_model_keras_takes_raw_rows_with_neither_page_nor_pandas(run):
    program = (
        FIRST
        + """
import tensorflow as tf, tfkit
model = tfkit.load_model(given["path"])
answer = model(rows(tf))
assert not [name for name in sys.modules if "recipes" in name]
print(json.dumps(answer.numpy()[:, 0].tolist()))
"""
    )
    answer = elsewhere(program, path=str(run.folder / "model.keras"), rows=ROWS)
    np.testing.assert_allclose(answer, own(run), rtol=1e-6)


def test_the_savedmodel_needs_tensorflow_alone(run):
    path = run.export("savedmodel")
    assert path == run.folder / "savedmodel"
    program = (
        FIRST
        + """
import tensorflow as tf
model = tf.saved_model.load(given["path"])
answer = model.serve(rows(tf))
assert not [name for name in sys.modules if name.startswith("tfkit")]
print(json.dumps(answer.numpy()[:, 0].tolist()))
"""
    )
    np.testing.assert_allclose(elsewhere(program, path=str(path), rows=ROWS), own(run), rtol=1e-5)
    assert run.export("savedmodel") == path  # again: the old one is replaced


def test_a_keras_file_elsewhere(run, tmp_path):
    assert run.export() == run.folder / "model.keras"
    path = run.export("keras", tmp_path / "new" / "mine.keras")
    rows = {name: np.array(column, object if name == "age_2" else "float32") for name, column in ROWS.items()}
    from tfkit.loop import predict

    np.testing.assert_array_equal(predict(tfkit.load_model(path), rows)[:, 0], own(run))
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["mine.keras"]


def test_what_cannot_be_written_is_refused(run, tmp_path):
    with pytest.raises(UserError, match=r"`format` must be one of keras, savedmodel. Received: onnx"):
        run.export("onnx")
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match="`out` must not be there yet"):
        run.export("savedmodel", tmp_path / "there")
    with pytest.raises(UserError, match=r"must end with .keras"):
        run.export("keras", tmp_path / "mine.h5")
    for format, name in (("keras", "mine.keras"), ("savedmodel", "mine")):
        with pytest.raises(UserError, match="must be writable"):
            run.export(format, f"/proc/nowhere/{name}")


def test_an_export_that_answers_otherwise_is_not_published(run, tmp_path, monkeypatch):
    from tfkit import export

    wrong = lambda run, path: path.mkdir() or (lambda raw: run.answer(raw) + 7)  # noqa: E731
    monkeypatch.setattr(export, "_write_savedmodel", wrong)
    with pytest.raises(UserError, match="must answer as the model does"):
        export.export(run, "savedmodel", tmp_path / "wrong")
    assert not list(tmp_path.iterdir())
