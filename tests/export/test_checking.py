"""What a fresh process finds wrong with an export is said in one line."""

import keras
import numpy as np
import pytest

from tfkit.errors import UserError
from tfkit.export.checking import check
from tfkit.export.writing import write

ROWS = {"x": np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)}


def written(tmp_path, layer, format="onnx"):
    x = keras.Input((3,), name="x")
    model = keras.Model({"x": x}, layer(x))
    path = tmp_path / ("model.onnx" if format == "onnx" else "model.tflite")
    write(format, model, path)
    return path, np.asarray(model(ROWS))


def test_what_was_measured_is_what_the_file_answers(tmp_path):
    path, said = written(tmp_path, keras.layers.Dense(2))
    found = check("onnx", path, ROWS, said, "float32")
    assert found["rows"] == 4
    assert found["deterministic"] is True
    assert found["bytes"] == path.stat().st_size
    assert 0 <= found["largest_difference"] < 1e-6


@pytest.mark.parametrize(("precision", "far"), [("float32", 0.001), ("mixed_bfloat16", 0.1)])
def test_another_answer_is_refused_as_the_precision_allows(tmp_path, precision, far):
    path, said = written(tmp_path, keras.layers.Rescaling(1.0))
    check("onnx", path, ROWS, said + far / 100, precision)
    with pytest.raises(UserError, match=f"must answer as the model does. Received: model.onnx, which differs by {far}"):
        check("onnx", path, ROWS, said + far, precision)
    with pytest.raises(UserError, match=r"which answers \(4, 3\), the model \(4, 1\)"):
        check("onnx", path, ROWS, said[:, :1], precision)


def test_a_layer_that_is_random_outside_training_is_found(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class Shaken(keras.layers.Layer):
        def call(self, x):
            import tensorflow as tf

            return x + tf.random.uniform(tf.shape(x))

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, x.dtype)

    path, said = written(tmp_path, Shaken())
    with pytest.raises(UserError, match=r"must answer the same rows alike each time.*whose answers moved by 0\."):
        check("onnx", path, ROWS, said, "float32")


def test_what_the_runtime_cannot_load_is_said_in_its_words(tmp_path):
    path, said = written(tmp_path, keras.layers.Activation(keras.activations.gelu))  # exact: ONNX has no Erfc
    with pytest.raises(UserError, match=r"of which onnx's own runtime says: .*Erfc") as refused:
        check("onnx", path, ROWS, said, "float32")
    assert "\n" not in str(refused.value)


def test_what_the_converter_cannot_write_is_said_in_its_words(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class Own(keras.layers.Layer):
        def call(self, x):
            import tensorflow as tf

            return tf.ensure_shape(tf.numpy_function(lambda x: x, [x], tf.float32), x.shape)

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, x.dtype)

    with pytest.raises(UserError, match=r"can only be exported to litert where every layer can be.*converter says"):
        written(tmp_path, Own(), "litert")
