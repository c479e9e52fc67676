"""Numbers of a large level keep their digits in each export format, or the format is refused with the reason."""

import keras
import numpy as np
import pandas as pd
import pytest

from tfkit.data import tabular
from tfkit.datasets.batch_predict import predict
from tfkit.errors import UserError
from tfkit.export import exporter
from tfkit.export.converters import write
from tfkit.export.verify import verify_export
from tfkit.tasks import get_task

SECONDS = 1_700_000_000 + np.arange(64.0)


@pytest.fixture(scope="module")
def model_and_rows():
    """A model that predicts the time plus a billion, from raw rows, without any training."""
    frame = pd.DataFrame({"seconds": SECONDS, "plain": np.arange(64) % 7 / 2, "y": SECONDS + 1e9})
    metadata = tabular.fit_schema(
        frame, tabular.infer_target(frame["y"]), numeric_columns=["seconds", "plain"], scaling="standard"
    )
    preprocessor = tabular.make_preprocessor(metadata)
    outputs = preprocessor.output["numbers"][:, :1]
    model = keras.Model(preprocessor.input, get_task("regression").make_postprocessor(metadata)(outputs))
    return model, tabular.read(frame[["seconds", "plain"]], metadata)


def test_loaded_model_keeps_the_digits(model_and_rows, tmp_path):
    model, rows = model_and_rows
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    for candidate in (model, loaded):
        predictions = predict(candidate, rows)
        assert predictions.dtype == "float64"
        np.testing.assert_allclose(predictions[:, 0], SECONDS + 1e9, rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["savedmodel", "onnx"])
def test_export_keeps_the_digits(model_and_rows, format, tmp_path):
    model, rows = model_and_rows
    path = tmp_path / ("model.onnx" if format == "onnx" else "savedmodel")
    write(format, model, path)
    assert verify_export(format, path, rows, predict(model, rows), "float32")["largest_difference"] < 1e-3


def test_raw_rows_are_not_exported_to_litert(model_and_rows):
    _, rows = model_and_rows
    assert exporter._raw_rows_obstacle("litert", rows) == "litert does not support float64, which seconds needs"
    assert exporter._raw_rows_obstacle("onnx", rows) is None
    assert exporter._raw_rows_obstacle("litert", {"plain": rows["plain"]}) is None
    strings = {"c": np.array([["a"]], object)}
    assert exporter._raw_rows_obstacle("onnx", strings) == "onnx does not support string preprocessing"
    assert exporter._raw_rows_obstacle("savedmodel", strings) is None


def test_float64_predictions_are_refused_for_litert(model_and_rows, tmp_path):
    model, rows = model_and_rows

    class Predictor:
        sample_inputs = rows
        run_dir = type("RunDir", (), {"config": {"precision": "float32"}})

        def predict_arrays(self, raw):
            return predict(model, raw)[:, 0]

    with pytest.raises(UserError, match=r"LiteRT has no float64, .* Received: predictions from 2700000000"):
        exporter._export_first_valid(Predictor(), "litert", tmp_path / "model.tflite")
