"""Exports make the same predictions as the model, without tfkit where the format allows it."""

import json
import subprocess
import sys

import numpy as np
import pytest

import tfkit
from tfkit.cli.main import main
from tfkit.errors import UserError
from tfkit.export import converters, exporter


def run_program(program, **arguments):
    """Run a Python program in a subprocess and return the JSON that it prints."""
    process = subprocess.run([sys.executable, "-c", program, json.dumps(arguments)], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


ROWS = {"a_b": [[0.5], [None]], "Age": [[33.0], [50.0]], "age_2": [["old"], [""]]}
PROGRAM_START = """
import json, sys
sys.modules |= dict.fromkeys(("pandas", "sklearn", "pyarrow"))  # as if they were not installed
arguments = json.loads(sys.argv[1])
def rows(tf):
    nan = float("nan")
    return {name: tf.constant([[nan if value is None else value for value in row] for row in column])
            for name, column in arguments["rows"].items()}
"""


def expected_predictions(run):
    """Predictions of the run's model for `ROWS`."""
    dtypes = {"a_b": "float32", "Age": "float32", "age_2": object}
    return run.predict_arrays({name: np.array(column, dtypes[name]) for name, column in ROWS.items()})


@pytest.mark.slow
def test_model_file_takes_raw_rows_without_recipe_and_pandas(run):
    program = (
        PROGRAM_START
        + """
import tensorflow as tf, tfkit
model = tfkit.load_model(arguments["path"])
predictions = model(rows(tf))
assert not [name for name in sys.modules if "recipes" in name]
print(json.dumps(predictions.numpy()[:, 0].tolist()))
"""
    )
    predictions = run_program(program, path=str(run.folder / "model.keras"), rows=ROWS)
    np.testing.assert_allclose(predictions, expected_predictions(run), rtol=1e-6)


@pytest.mark.slow
def test_savedmodel_needs_only_tensorflow(run):
    path = run.export("savedmodel")
    assert path == run.folder / "savedmodel"
    program = (
        PROGRAM_START
        + """
import tensorflow as tf
model = tf.saved_model.load(arguments["path"])
outputs = model.signatures["serving_default"](**rows(tf))
predictions = model.serve(rows(tf))
assert (next(iter(outputs.values())).numpy() == predictions.numpy()).all()
assert not [name for name in sys.modules if name.startswith("tfkit")]
print(json.dumps(predictions.numpy()[:, 0].tolist()))
"""
    )
    np.testing.assert_allclose(run_program(program, path=str(path), rows=ROWS), expected_predictions(run), rtol=1e-5)


@pytest.mark.slow
def test_keras_export_to_another_directory(run, tmp_path):
    path = run.export("keras", tmp_path / "new" / "copy.keras")
    rows = {name: np.array(column, object if name == "age_2" else "float32") for name, column in ROWS.items()}
    from tfkit.datasets.batch_predict import predict

    np.testing.assert_array_equal(predict(tfkit.load_model(path), rows)[:, 0], expected_predictions(run))
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["copy.keras"]


@pytest.mark.slow
@pytest.mark.parametrize(("format", "name"), [("onnx", "model.onnx"), ("litert", "model.tflite")])
def test_only_the_trained_model_is_exported_if_strings_are_not_supported(run, format, name, capsys):
    assert main(["export", str(run.folder), "--format", format]) == 0
    out, err = capsys.readouterr()
    assert out == f"{run.folder / name}\n"
    assert f"{name} contains only the trained model ({format} does not support string preprocessing)" in err
    assert "inputs.json describes how to compute its input tensors from a raw row" in err
    assert "Verified in a separate process: 30 rows, deterministic, largest difference from the model" in err
    measurements = run.exports[format]
    assert measurements["content"] == "the trained part"
    assert measurements["path"] == name
    assert measurements["rows"] == 30
    assert measurements["largest_difference"] < 1e-4
    assert measurements["bytes"] == (run.folder / name).stat().st_size
    assert set(measurements["milliseconds"]) == {"1", "256"}
    assert 0 < measurements["milliseconds"]["1"] <= measurements["milliseconds"]["256"]
    inputs = json.loads((run.folder / "inputs.json").read_text())
    assert set(inputs["tensors"]) == {"numbers", "missing", "categories"}


def test_numeric_model_is_exported_with_preprocessing(run, monkeypatch):
    """The ONNX file takes raw rows with NaN."""
    import onnxruntime

    class NumericRun:
        """The run with a numeric column in place of the categories."""

        def __init__(self):
            import keras

            x, age = keras.Input((1,), name="a_b"), keras.Input((1,), name="age_2", dtype="float32")
            outputs = keras.ops.where(keras.ops.isfinite(x), x, 7) + keras.ops.where(age > 0, age, 0.0)
            self.model = keras.Model({"a_b": x, "age_2": age}, outputs)
            values = np.array([[1.5], [np.nan], [-np.inf]], "float32")
            self.sample_inputs = {"a_b": values, "age_2": np.ones_like(values)}

        def __getattr__(self, name):
            return getattr(run.predictor, name)

        def predict_arrays(self, raw):
            return np.asarray(self.model(raw))[:, 0]

    path = exporter.export(NumericRun(), "onnx")
    assert run.exports["onnx"]["content"] == "raw rows"
    session = onnxruntime.InferenceSession(str(path))
    rows = {"a_b": np.array([[np.nan], [2]], "float32"), "age_2": np.zeros((2, 1), "float32")}
    assert session.run(None, rows)[0].tolist() == [[7], [2]]


def test_invalid_arguments_raise(run, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"`format` must be one of keras, savedmodel, onnx, litert. Received: onxx"):
        run.export("onxx")
    (tmp_path / "existing").mkdir()
    with pytest.raises(UserError, match="`out` must not exist"):
        run.export("savedmodel", tmp_path / "existing")
    with pytest.raises(UserError, match=r"must end with .keras"):
        run.export("keras", tmp_path / "model.h5")
    with pytest.raises(UserError, match=r"must end with .tflite"):
        run.export("litert", tmp_path / "model")
    for format, name in (("keras", "model.keras"), ("savedmodel", "model")):
        with pytest.raises(UserError, match="must be writable"):
            run.export(format, f"/proc/nowhere/{name}")
    (tmp_path / "inputs.json").write_text("{}")
    with pytest.raises(UserError, match=r"in a directory without an inputs.json"):
        run.export("onnx", tmp_path / "model.onnx")
    monkeypatch.setitem(converters.REQUIRED_MODULES, "onnx", ("no_such_package",))
    with pytest.raises(UserError, match=r"pip install 'keras-recipes\[onnx\]'. Received: no no_such_package"):
        run.export("onnx")


@pytest.mark.parametrize("format", [pytest.param("savedmodel", marks=pytest.mark.slow), "onnx"])
def test_export_with_different_predictions_is_not_published(run, tmp_path, monkeypatch, format):
    import keras

    def write_shifted(format, model, path, **options):
        shifted = keras.layers.Rescaling(1.0, offset=7.0)(model.output)
        write(format, keras.Model(model.inputs, shifted), path, **options)

    write = converters.write
    monkeypatch.setattr(converters, "write", write_shifted)
    out = tmp_path / ("wrong.onnx" if format == "onnx" else "wrong")
    with pytest.raises(
        UserError, match=r"must make the same predictions as the model. Received: .*, which differs by 7"
    ):
        run.export(format, out)
    assert not list(tmp_path.iterdir())


def test_model_that_cannot_be_split_raises(run, tmp_path):
    about = json.loads((run.folder / "provenance.json").read_text())
    (run.folder / "provenance.json").write_text(json.dumps({**about, "network": None}))
    try:
        with pytest.raises(UserError, match=r"train it again, or export it to keras or savedmodel\. Received: no"):
            run.export("onnx", tmp_path / "x.onnx")
    finally:
        (run.folder / "provenance.json").write_text(json.dumps(about))
