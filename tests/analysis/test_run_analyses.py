from types import SimpleNamespace

import keras
import numpy as np
import pytest

import tfkit
from tfkit.analysis import FittedModel
from tfkit.analysis.dead_units import dead_units
from tfkit.analysis.feature_importance import importance, slices
from tfkit.analysis.label_issues import _cells
from tfkit.analysis.occlusion import texts
from tfkit.analysis.saliency import _saliency_maps, grad_cam, images, png
from tfkit.metadata import Metadata, Target

RANDOM = np.random.default_rng(0)
TARGET = Target(task="classification", classes=["no", "yes"], positive_class="yes")


def make_fitted(model, raw, y_true, metadata, **settings):
    """A `FittedModel` with these test rows and this model from raw rows to predictions."""
    split = tfkit.ArrayDataset(np.zeros(len(y_true)), np.asarray(y_true), raw=raw)
    data = tfkit.Data(split, split, split, metadata, preprocessor=None)
    fitted = FittedModel(None, SimpleNamespace(seed=0, **settings), data, model, model, {})
    fitted.predictions = {"test": (np.asarray(y_true), fitted.predict(raw))}
    return fitted


def two_columns():
    """A model that predicts "yes" if a is above 0 and ignores b."""
    a, b = (keras.Input((1,), name=name) for name in "ab")
    yes = keras.ops.sigmoid(4 * a + 0 * b)
    return keras.Model({"a": a, "b": b}, keras.ops.concatenate([1 - yes, yes], axis=-1))


def rows(count):
    raw = {name: RANDOM.normal(size=(count, 1)).astype("float32") for name in "ab"}
    inputs = {name: {"column": name, "part": "", "dtype": "float32"} for name in raw}
    return raw, (raw["a"][:, 0] > 0).astype(int), Metadata(target=TARGET, inputs=inputs)


def test_only_the_used_column_is_important():
    raw, y_true, metadata = rows(400)
    features = {
        feature["column"]: feature
        for feature in importance(make_fitted(two_columns(), raw, y_true, metadata))["columns"]
    }
    assert features["b"]["increase"] == pytest.approx(0, abs=1e-6)
    assert features["a"]["interval"][0] > 0.5


def test_importance_is_the_expected_increase_of_the_loss():
    raw, y_true, metadata = rows(1500)
    fitted = make_fitted(two_columns(), raw, y_true, metadata)
    result = importance(fitted)
    yes = 1 / (1 + np.exp(-4 * raw["a"][:, 0].astype("float64")))
    shuffled = [
        np.where(code == 1, -np.log(yes).mean(), -np.log(1 - yes).mean()) for code in y_true
    ]  # expected loss with the value of a random row
    before = fitted.row_losses(y_true, np.stack([1 - yes, yes], 1)).mean()
    assert result["loss"] == pytest.approx(before, rel=1e-4)
    low, high = next(entry["interval"] for entry in result["columns"] if entry["column"] == "a")
    assert low - 0.1 < np.mean(shuffled) - before < high + 0.1


def make_slices(wrong, texts, **settings):
    """Slices of rows with the label "no", of which those with wrong = 1 are predicted "yes"."""
    raw = {"word": np.array(texts, object).reshape(-1, 1), "wrong": np.asarray(wrong, "float32").reshape(-1, 1)}
    inputs = {
        name: keras.Input((1,), name=name, dtype=kind) for name, kind in (("word", "string"), ("wrong", "float32"))
    }
    model = keras.Model(inputs, keras.ops.concatenate([1 - inputs["wrong"], inputs["wrong"]], axis=-1))
    metadata = Metadata(target=TARGET, inputs={"word": {"column": "the word", "part": "", "dtype": "string"}})
    return slices(make_fitted(model, raw, np.zeros(len(texts), int), metadata, **settings))


def test_worse_slice_is_detected_with_its_error_rate():
    texts = ["bad"] * 100 + ["good"] * 300
    result = make_slices([1] * 40 + [0] * 60 + [1] * 15 + [0] * 285, texts)
    worst = result["worst"][0]
    assert (worst["column"], worst["value"], worst["rows"], worst["score"]) == ("the word", "bad", 100, 0.4)
    assert worst["other_rows"] == pytest.approx(15 / 300)
    assert len(result["worst"]) == 1


def test_many_random_slices_are_not_significant():
    texts = [f"w{i % 20}" for i in range(2000)]
    assert make_slices(RANDOM.random(2000) < 0.2, texts)["worst"] == []


def test_small_selected_slice_is_reported():
    result = make_slices([1, 0] + [0] * 98, ["rare", "rare"] + ["other"] * 98, slice_columns=["the word", "none"])
    assert {entry["value"]: entry["score"] for entry in result["selected"]} == {"rare": 0.5, "other": 0.0}
    assert result["unknown_columns"] == ["none"]


def upper_left_model():
    """A model whose logit of "yes" is the brightness of the upper left quarter."""
    inputs = keras.Input((8, 8, 1))
    maps = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones", name="map")(inputs)
    weights = np.zeros((64, 2), "float32")
    weights[[row * 8 + column for row in range(4) for column in range(4)], 1] = 1.0
    head = keras.layers.Dense(2, use_bias=False, name="head")
    model = keras.Model(inputs, head(keras.layers.Flatten()(maps)))
    head.kernel.assign(weights)
    return model


def test_grad_cam_highlights_the_used_pixel():
    model = upper_left_model()
    x = np.zeros((1, 8, 8, 1), "float32")
    x[0, 1, 2] = 1.0
    heat = grad_cam(model, x, np.array([[0.2, 0.8]]))
    assert np.unravel_index(heat[0].argmax(), (8, 8)) == (1, 2)
    assert heat.max() == 1.0
    assert heat.sum() == 1.0


def test_grad_cam_uses_maps_of_nested_layers_and_leaves_the_model_unchanged():
    inner = upper_left_model()
    model = keras.Sequential([keras.Input((8, 8, 1)), inner])
    x = np.zeros((1, 8, 8, 1), "float32")
    x[0, 3, 3] = 1.0
    before = np.asarray(model(x))
    heat = grad_cam(model, x, np.array([[0.2, 0.8]]))
    assert np.unravel_index(heat[0].argmax(), (8, 8)) == (3, 3)
    assert np.array_equal(before, model(x))
    assert "call" not in inner.get_layer("map").__dict__


def test_occlusion_highlights_the_used_quarter_without_feature_maps():
    pixels = keras.Input((8, 8, 1), name="pixels", dtype="uint8")
    left = keras.ops.mean(keras.ops.cast(pixels, "float32")[:, :4, :4], axis=(1, 2)) / 255
    inference_model = keras.Model({"pixels": pixels}, keras.ops.concatenate([1 - left, left], axis=-1))
    bright = np.full((3, 8, 8, 1), 0, "uint8")
    bright[:, :4, :4] = 255
    fitted = make_fitted(inference_model, {"pixels": bright}, [0, 0, 1], Metadata(target=TARGET, inputs={"pixels": {}}))
    split = tfkit.ArrayDataset(np.zeros((3, 5), "float32"), np.array([0, 0, 1]), raw={"pixels": bright})
    fitted.data = tfkit.Data(split, split, split, fitted.metadata, None)
    fitted.model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
    method, maps = _saliency_maps(fitted, np.array([0]), bright[:1], np.array([[0.0, 1.0]]))
    assert method == "occlusion"
    assert (maps[0][:4, :4] == 1).all()
    assert maps[0].sum() == 16


def test_worst_image_comes_first():
    model = upper_left_model()
    pixels = keras.Input((8, 8, 1), name="pixels", dtype="uint8")
    inference_model = keras.Model({"pixels": pixels}, keras.ops.softmax(model(keras.ops.cast(pixels, "float32") / 255)))
    bright = np.zeros((4, 8, 8, 1), "uint8")
    bright[1, :4, :4] = 255  # confidently "yes", label "no"
    fitted = make_fitted(
        inference_model, {"pixels": bright}, [0, 0, 1, 1], Metadata(target=TARGET, inputs={"pixels": {}})
    )
    split = tfkit.ArrayDataset(bright.astype("float32"), np.array([0, 0, 1, 1]), raw={"pixels": bright}).with_row_ids(
        list("pqrs")
    )
    fitted.data = tfkit.Data(split, split, split, fitted.metadata, None)
    fitted.model = model
    result = images(fitted)
    assert (result["worst"][0]["name"], result["worst"][0]["label"], result["worst"][0]["predicted"]) == (
        "q",
        "no",
        "yes",
    )
    assert result["num_wrong"] == len(result["worst"])
    assert all(example["label"] != example["predicted"] for example in result["worst"])
    assert result["method"] == "Grad-CAM"
    assert result["least_confident"][0]["name"] != "q"


def test_images_are_resized_to_a_common_range():
    import base64
    import io

    from PIL import Image

    def size(shape):
        return Image.open(io.BytesIO(base64.b64decode(png(np.zeros(shape, "uint8"))))).size

    assert size((8, 8, 1)) == (96, 96)
    assert size((300, 600, 3)) == (192, 96)


def test_used_word_supports_the_prediction():
    text = keras.Input((1,), name="text", dtype="string")

    class Bad(keras.layers.Layer):
        def call(self, x):
            import tensorflow as tf

            yes = 0.1 + 0.8 * tf.cast(tf.strings.regex_full_match(x, ".*bad.*"), "float32")
            return tf.concat([1 - yes, yes], axis=-1)

    raw = {"text": np.array([["a bad film"], ["good"]], object)}
    result = texts(
        make_fitted(keras.Model({"text": text}, Bad()(text)), raw, [0, 0], Metadata(target=TARGET, inputs={"text": {}}))
    )
    assert result["num_wrong"] == len(result["worst"]) == 1  # the text that is predicted rightly is not among them
    assert result["worst"][0]["predicted"] == "yes"
    assert result["worst"][0]["segments"] == [["a ", 0.0], ["bad ", pytest.approx(0.8)], ["film", 0.0]]


def test_dead_units_are_counted_in_nested_layers():
    inner = keras.Sequential([keras.layers.Dense(4, "relu", name="inside")])
    model = keras.Sequential([keras.Input((2,)), inner, keras.layers.Dense(1)])
    inner.layers[0].bias.assign([-100.0, -100.0, 0.0, 1.0])
    before = model(np.ones((3, 2), "float32"))
    assert dead_units(model, RANDOM.normal(size=(50, 2)).astype("float32")) == [
        {"layer": "inside", "units": 4, "dead": 2}
    ]
    assert np.array_equal(before, model(np.ones((3, 2), "float32")))


@pytest.mark.parametrize(("days", "day"), [(19931.0, "2024-07-27"), (-1.0, "1969-12-31"), (np.nan, ""), (1e30, "")])
def test_dates_of_label_issues_are_dates(days, day):
    inputs = {
        "when weekday": {"column": "when", "part": "weekday"},
        "when days": {"column": "when", "part": "days"},
        "amount": {"column": "amount", "part": ""},
    }
    raw = {"when weekday": np.array([[5.0]]), "when days": np.array([[days]]), "amount": np.array([[2.5]])}
    assert _cells(SimpleNamespace(inputs=inputs), raw, 0) == {"when": day, "amount": 2.5}
