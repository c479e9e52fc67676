from types import SimpleNamespace

import keras
import numpy as np
import pytest

import tfkit
from tfkit.report.evidence import Trained
from tfkit.report.evidence.pictures import grad_cam, pictures, png
from tfkit.report.evidence.tables import importance, slices
from tfkit.report.evidence.texts import texts
from tfkit.report.evidence.trained import row_loss
from tfkit.report.evidence.units import dead_units

RANDOM = np.random.default_rng(0)
BINARY = {"task": "binary", "target": {"classes": ["no", "yes"], "positive": "yes"}}


def asked(joined, raw, truth, info, **settings):
    """Something trained on these rows, whose model from raw rows to answers is told."""
    split = tfkit.Rows(np.zeros(len(truth)), np.asarray(truth), raw=raw)
    data = tfkit.Data(split, split, split, info, prepare=None)
    trained = Trained(None, SimpleNamespace(seed=0, **settings), data, joined, joined, {})
    trained.said = {"test": (np.asarray(truth), trained.answer(raw))}
    return trained


def two_columns():
    """Says yes where a is above 0, whatever b is."""
    a, b = (keras.Input((1,), name=name) for name in "ab")
    yes = keras.ops.sigmoid(4 * a + 0 * b)
    return keras.Model({"a": a, "b": b}, keras.ops.concatenate([1 - yes, yes], axis=-1))


def rows(count):
    raw = {name: RANDOM.normal(size=(count, 1)).astype("float32") for name in "ab"}
    info = BINARY | {"inputs": {name: {"column": name, "part": "", "dtype": "float32"} for name in raw}}
    return raw, (raw["a"][:, 0] > 0).astype(int), info


def test_only_the_column_that_counts_is_worth_something():
    raw, truth, info = rows(400)
    found = {one["column"]: one for one in importance(asked(two_columns(), raw, truth, info))["columns"]}
    assert found["b"]["added"] == pytest.approx(0, abs=1e-6)
    assert found["a"]["interval"][0] > 0.5


def test_the_loss_that_shuffling_adds_is_the_expected_one():
    raw, truth, info = rows(1500)
    told = importance(asked(two_columns(), raw, truth, info))
    yes = 1 / (1 + np.exp(-4 * raw["a"][:, 0].astype("float64")))
    each = [np.where(code == 1, -np.log(yes).mean(), -np.log(1 - yes).mean()) for code in truth]  # of any other row
    before = row_loss(truth, np.stack([1 - yes, yes], 1), info).mean()
    assert told["loss"] == pytest.approx(before, rel=1e-4)
    low, high = next(one["interval"] for one in told["columns"] if one["column"] == "a")
    assert low - 0.1 < np.mean(each) - before < high + 0.1


def sliced(wrong, words, **settings):
    """Rows that are all no, some of which are taken for yes."""
    raw = {"word": np.array(words, object).reshape(-1, 1), "wrong": np.asarray(wrong, "float32").reshape(-1, 1)}
    inputs = {
        name: keras.Input((1,), name=name, dtype=kind) for name, kind in (("word", "string"), ("wrong", "float32"))
    }
    model = keras.Model(inputs, keras.ops.concatenate([1 - inputs["wrong"], inputs["wrong"]], axis=-1))
    info = BINARY | {"inputs": {"word": {"column": "the word", "part": "", "dtype": "string"}}}
    return slices(asked(model, raw, np.zeros(len(words), int), info, **settings))


def test_a_slice_that_is_worse_is_found_with_its_share():
    words = ["bad"] * 100 + ["good"] * 300
    told = sliced([1] * 40 + [0] * 60 + [1] * 15 + [0] * 285, words)
    worst = told["worst"][0]
    assert (worst["column"], worst["value"], worst["rows"], worst["score"]) == ("the word", "bad", 100, 0.4)
    assert worst["rest"] == pytest.approx(15 / 300)
    assert len(told["worst"]) == 1


def test_among_many_slices_chance_alone_is_not_worse():
    words = [f"w{i % 20}" for i in range(2000)]
    assert sliced(RANDOM.random(2000) < 0.2, words)["worst"] == []


def test_a_slice_that_was_asked_for_is_shown_though_it_is_small():
    told = sliced([1, 0] + [0] * 98, ["rare", "rare"] + ["other"] * 98, slices=["the word", "none"])
    assert {one["value"]: one["score"] for one in told["asked"]} == {"rare": 0.5, "other": 0.0}
    assert told["unknown"] == ["none"]


def looks_left():
    """A net that says yes by how bright the upper left quarter is."""
    inputs = keras.Input((8, 8, 1))
    maps = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones", name="map")(inputs)
    weights = np.zeros((64, 2), "float32")
    weights[[row * 8 + column for row in range(4) for column in range(4)], 1] = 1.0
    head = keras.layers.Dense(2, use_bias=False, name="head")
    model = keras.Model(inputs, head(keras.layers.Flatten()(maps)))
    head.kernel.assign(weights)
    return model


def test_grad_cam_is_bright_where_the_channel_that_counts_is():
    model = looks_left()
    x = np.zeros((1, 8, 8, 1), "float32")
    x[0, 1, 2] = 1.0
    heat = grad_cam(model, x, np.array([[0.2, 0.8]]))
    assert np.unravel_index(heat[0].argmax(), (8, 8)) == (1, 2)
    assert heat.max() == 1.0
    assert heat.sum() == 1.0


def test_grad_cam_sees_a_map_inside_of_a_layer_and_changes_nothing():
    inner = looks_left()
    model = keras.Sequential([keras.Input((8, 8, 1)), inner])
    x = np.zeros((1, 8, 8, 1), "float32")
    x[0, 3, 3] = 1.0
    before = np.asarray(model(x))
    heat = grad_cam(model, x, np.array([[0.2, 0.8]]))
    assert np.unravel_index(heat[0].argmax(), (8, 8)) == (3, 3)
    assert np.array_equal(before, model(x))
    assert "call" not in inner.get_layer("map").__dict__


def test_occlusion_finds_the_quarter_that_counts_where_there_is_no_map():
    pixels = keras.Input((8, 8, 1), name="pixels", dtype="uint8")
    left = keras.ops.mean(keras.ops.cast(pixels, "float32")[:, :4, :4], axis=(1, 2)) / 255
    joined = keras.Model({"pixels": pixels}, keras.ops.concatenate([1 - left, left], axis=-1))
    bright = np.full((3, 8, 8, 1), 0, "uint8")
    bright[:, :4, :4] = 255
    trained = asked(joined, {"pixels": bright}, [0, 0, 1], BINARY | {"inputs": {"pixels": {}}})
    split = tfkit.Rows(np.zeros((3, 5), "float32"), np.array([0, 0, 1]), raw={"pixels": bright})
    trained.data = tfkit.Data(split, split, split, trained.info, None)
    trained.model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
    from tfkit.report.evidence.pictures import _looked

    how, maps = _looked(trained, np.array([0]), bright[:1], np.array([[0.0, 1.0]]))
    assert how == "occlusion"
    assert (maps[0][:4, :4] == 1).all()
    assert maps[0].sum() == 16


def test_the_worst_picture_comes_first():
    model = looks_left()
    pixels = keras.Input((8, 8, 1), name="pixels", dtype="uint8")
    joined = keras.Model({"pixels": pixels}, keras.ops.softmax(model(keras.ops.cast(pixels, "float32") / 255)))
    bright = np.zeros((4, 8, 8, 1), "uint8")
    bright[1, :4, :4] = 255  # surely yes, and is no
    trained = asked(joined, {"pixels": bright}, [0, 0, 1, 1], BINARY | {"inputs": {"pixels": {}}})
    split = tfkit.Rows(bright.astype("float32"), np.array([0, 0, 1, 1]), raw={"pixels": bright}).named(list("pqrs"))
    trained.data = tfkit.Data(split, split, split, trained.info, None)
    trained.model = model
    told = pictures(trained)
    assert (told["worst"][0]["name"], told["worst"][0]["label"], told["worst"][0]["predicted"]) == ("q", "no", "yes")
    assert told["how"] == "Grad-CAM"
    assert told["unsure"][0]["name"] != "q"


def test_small_pictures_are_made_larger_and_large_ones_smaller():
    import base64
    import io

    from PIL import Image

    def size(shape):
        return Image.open(io.BytesIO(base64.b64decode(png(np.zeros(shape, "uint8"))))).size

    assert size((8, 8, 1)) == (96, 96)
    assert size((300, 600, 3)) == (192, 96)


def test_the_word_that_counts_speaks_for_the_answer():
    text = keras.Input((1,), name="text", dtype="string")

    class Bad(keras.layers.Layer):
        def call(self, x):
            import tensorflow as tf

            yes = 0.1 + 0.8 * tf.cast(tf.strings.regex_full_match(x, ".*bad.*"), "float32")
            return tf.concat([1 - yes, yes], axis=-1)

    raw = {"text": np.array([["a bad film"], ["good"]], object)}
    told = texts(asked(keras.Model({"text": text}, Bad()(text)), raw, [0, 0], BINARY | {"inputs": {"text": {}}}))
    assert told["worst"][0]["predicted"] == "yes"
    assert told["worst"][0]["pieces"] == [["a ", 0.0], ["bad ", pytest.approx(0.8)], ["film", 0.0]]


def test_dead_units_are_counted_inside_of_layers_too():
    inner = keras.Sequential([keras.layers.Dense(4, "relu", name="inside")])
    model = keras.Sequential([keras.Input((2,)), inner, keras.layers.Dense(1)])
    inner.layers[0].bias.assign([-100.0, -100.0, 0.0, 1.0])
    before = model(np.ones((3, 2), "float32"))
    assert dead_units(model, RANDOM.normal(size=(50, 2)).astype("float32")) == [
        {"layer": "inside", "units": 4, "dead": 2}
    ]
    assert np.array_equal(before, model(np.ones((3, 2), "float32")))
