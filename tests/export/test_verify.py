"""Verification of exports in a separate process reports each error in one line."""

import keras
import numpy as np
import pytest

from tfkit.errors import UserError
from tfkit.export import verify
from tfkit.export.converters import write
from tfkit.export.verify import verify_export

ROWS = {"x": np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)}


def export_layer(tmp_path, layer, format="onnx"):
    """Export a model with one layer; return the path and the predictions of the model."""
    x = keras.Input((3,), name="x")
    model = keras.Model({"x": x}, layer(x))
    path = tmp_path / ("model.onnx" if format == "onnx" else "model.tflite")
    write(format, model, path)
    return path, np.asarray(model(ROWS))


def test_measurements_of_a_valid_export(tmp_path):
    path, expected = export_layer(tmp_path, keras.layers.Dense(2))
    measurements = verify_export("onnx", path, ROWS, expected, "float32")
    assert measurements["rows"] == 4
    assert measurements["deterministic"] is True
    assert measurements["bytes"] == path.stat().st_size
    assert 0 <= measurements["largest_difference"] < 1e-6


@pytest.mark.parametrize(("precision", "difference"), [("float32", 0.001), ("mixed_bfloat16", 0.1)])
def test_different_predictions_raise_beyond_the_tolerance(tmp_path, precision, difference):
    path, expected = export_layer(tmp_path, keras.layers.Rescaling(1.0))
    verify_export("onnx", path, ROWS, expected + difference / 100, precision)
    with pytest.raises(
        UserError, match=f"same predictions as the model. Received: model.onnx, which differs by {difference}"
    ):
        verify_export("onnx", path, ROWS, expected + difference, precision)
    with pytest.raises(UserError, match=r"with output shape \(4, 3\), the model has \(4, 1\)"):
        verify_export("onnx", path, ROWS, expected[:, :1], precision)


@pytest.mark.parametrize("level", [1e4, 1e6, -1e9, 2e9])
def test_tolerance_is_relative_to_the_spread_of_the_predictions(level):
    expected = level + np.linspace(-1, 1, 40)
    assert verify._are_close(expected + 1e-5, expected, "float32")
    assert not verify._are_close(expected + 0.01, expected, "float32")
    assert not verify._are_close(expected.astype("float32"), expected, "float32") or abs(level) < 1e5
    float32 = expected.astype("float32")
    assert verify._are_close(np.nextafter(float32, np.float32(0)), float32, "float32"), "rounding of the dtype"


def test_layer_that_is_random_at_inference_raises(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class Noise(keras.layers.Layer):
        def call(self, x):
            import tensorflow as tf

            return x + tf.random.uniform(tf.shape(x))

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, x.dtype)

    path, expected = export_layer(tmp_path, Noise())
    with pytest.raises(UserError, match=r"the same predictions for the same rows.*whose predictions differ by 0\."):
        verify_export("onnx", path, ROWS, expected, "float32")


def test_error_of_the_runtime_is_reported(tmp_path):
    path, expected = export_layer(
        tmp_path, keras.layers.Activation(keras.activations.gelu)
    )  # exact GELU: ONNX has no Erfc
    with pytest.raises(UserError, match=r"for which the onnx runtime reports: .*Erfc") as error:
        verify_export("onnx", path, ROWS, expected, "float32")
    assert "\n" not in str(error.value)


def test_error_of_the_converter_is_reported(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class PythonFunction(keras.layers.Layer):
        def call(self, x):
            import tensorflow as tf

            return tf.ensure_shape(tf.numpy_function(lambda x: x, [x], tf.float32), x.shape)

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, x.dtype)

    with pytest.raises(UserError, match=r"can be exported to litert only if every layer can be.*converter reports"):
        export_layer(tmp_path, PythonFunction(), "litert")
