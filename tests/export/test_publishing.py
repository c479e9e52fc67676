"""An export answers as the model does, where nothing of ours is."""

import json
import subprocess
import sys

import numpy as np
import pytest

import tfkit
from tfkit.cli import main
from tfkit.errors import UserError
from tfkit.export import publishing, writing


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_savedmodel_needs_tensorflow_alone(run):
    path = run.export("savedmodel")
    assert path == run.folder / "savedmodel"
    program = (
        FIRST
        + """
import tensorflow as tf
model = tf.saved_model.load(given["path"])
named = model.signatures["serving_default"](**rows(tf))
answer = model.serve(rows(tf))
assert (next(iter(named.values())).numpy() == answer.numpy()).all()
assert not [name for name in sys.modules if name.startswith("tfkit")]
print(json.dumps(answer.numpy()[:, 0].tolist()))
"""
    )
    np.testing.assert_allclose(elsewhere(program, path=str(path), rows=ROWS), own(run), rtol=1e-5)


@pytest.mark.slow
def test_a_keras_file_elsewhere(run, tmp_path):
    path = run.export("keras", tmp_path / "new" / "mine.keras")
    rows = {name: np.array(column, object if name == "age_2" else "float32") for name, column in ROWS.items()}
    from tfkit.datasets.batch_predict import predict

    np.testing.assert_array_equal(predict(tfkit.load_model(path), rows)[:, 0], own(run))
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["mine.keras"]


@pytest.mark.parametrize(("format", "name"), [("onnx", "model.onnx"), ("litert", "model.tflite")])
def test_where_strings_cannot_be_the_trained_part_is_written_and_measured(run, format, name, capsys):
    assert main(["export", str(run.folder), "--format", format]) == 0
    out, err = capsys.readouterr()
    assert out == f"{run.folder / name}\n"
    assert f"{name} holds the trained part alone ({format} does not hold what takes strings apart)" in err
    assert "inputs.json beside it says how its tensors are made from a raw row" in err
    assert "Checked in another process: 30 rows answered twice, alike, and as the model answers" in err
    kept = run.exports[format]
    assert kept["holds"] == "the trained part"
    assert kept["path"] == name
    assert kept["rows"] == 30
    assert kept["largest_difference"] < 1e-4
    assert kept["bytes"] == (run.folder / name).stat().st_size
    assert set(kept["milliseconds"]) == {"1", "256"}
    assert 0 < kept["milliseconds"]["1"] <= kept["milliseconds"]["256"]
    told = json.loads((run.folder / "inputs.json").read_text())
    assert set(told["tensors"]) == {"numbers", "missing", "categories"}


def test_a_run_of_numbers_alone_is_written_whole(run, monkeypatch):
    """From raw rows with NaN to answers, in a file that knows nothing of Keras."""
    import onnxruntime

    class Numbers:
        """The run with its words told to be missing."""

        def __init__(self):
            import keras

            word = keras.Input((1,), name="age_2", dtype="float32")
            gap = keras.ops.where(word > 0, word, 0.0)
            inputs = {"a_b": keras.Input((1,), name="a_b"), "age_2": word}
            self.model = keras.Model(inputs, keras.ops.where(keras.ops.isfinite(inputs["a_b"]), inputs["a_b"], 7) + gap)
            nan = np.array([[1.5], [np.nan], [-np.inf]], "float32")
            self.sample_inputs = {"a_b": nan, "age_2": np.ones_like(nan)}

        def __getattr__(self, name):
            return getattr(run.predictor, name)

        def predict_arrays(self, raw):
            return np.asarray(self.model(raw))[:, 0]

    path = publishing.export(Numbers(), "onnx")
    assert run.exports["onnx"]["holds"] == "raw rows"
    session = onnxruntime.InferenceSession(str(path))
    asked = {"a_b": np.array([[np.nan], [2]], "float32"), "age_2": np.zeros((2, 1), "float32")}
    assert session.run(None, asked)[0].tolist() == [[7], [2]]


def test_what_cannot_be_written_is_refused(run, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"`format` must be one of keras, savedmodel, onnx, litert. Received: onxx"):
        run.export("onxx")
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match="`out` must not be there yet"):
        run.export("savedmodel", tmp_path / "there")
    with pytest.raises(UserError, match=r"must end with .keras"):
        run.export("keras", tmp_path / "mine.h5")
    with pytest.raises(UserError, match=r"must end with .tflite"):
        run.export("litert", tmp_path / "mine")
    for format, name in (("keras", "mine.keras"), ("savedmodel", "mine")):
        with pytest.raises(UserError, match="must be writable"):
            run.export(format, f"/proc/nowhere/{name}")
    (tmp_path / "inputs.json").write_text("{}")
    with pytest.raises(UserError, match=r"in a folder without an inputs.json"):
        run.export("onnx", tmp_path / "mine.onnx")
    monkeypatch.setitem(writing.NEEDS, "onnx", ("no_such_package",))
    with pytest.raises(UserError, match=r"pip install 'tfkit\[onnx\]'. Received: no no_such_package"):
        run.export("onnx")


@pytest.mark.parametrize("format", [pytest.param("savedmodel", marks=pytest.mark.slow), "onnx"])
def test_an_export_that_answers_otherwise_is_not_published(run, tmp_path, monkeypatch, format):
    import keras

    def wrong(format, model, path, **how):
        shifted = keras.layers.Rescaling(1.0, offset=7.0)(model.output)
        real(format, keras.Model(model.inputs, shifted), path, **how)

    real = writing.write
    monkeypatch.setattr(writing, "write", wrong)
    out = tmp_path / ("wrong.onnx" if format == "onnx" else "wrong")
    with pytest.raises(UserError, match=r"An export must answer as the model does. Received: .*, which differs by 7"):
        run.export(format, out)
    assert not list(tmp_path.iterdir())


def test_an_export_without_the_cut_says_what_to_do(run, tmp_path):
    about = json.loads((run.folder / "about.json").read_text())
    (run.folder / "about.json").write_text(json.dumps({**about, "network": None}))
    try:
        with pytest.raises(UserError, match=r"train it again, or export it to keras or savedmodel\. Received: no"):
            run.export("onnx", tmp_path / "x.onnx")
    finally:
        (run.folder / "about.json").write_text(json.dumps(about))
