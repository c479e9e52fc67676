import keras
import numpy as np
import pytest
import tensorflow as tf

from tfkit.datasets.array import ArrayDataset, keras_inputs

X = np.arange(12, dtype="float32").reshape(6, 2)
TEXTS = np.array(["a", "b", "ä", "", "e", "f"], object)
INPUTS = {"text": TEXTS, "codes": np.arange(6, dtype="uint8")[:, None]}


@pytest.mark.parametrize("kind", [list, np.array, tf.constant])
def test_rows_are_taken_in_the_order_of_the_indices_with_repetitions(kind):
    x, y, weight = ArrayDataset(X, np.arange(6), np.arange(6) / 2).take(kind([4, 0, 4]))
    np.testing.assert_array_equal(x, X[[4, 0, 4]])
    np.testing.assert_array_equal(y, [4, 0, 4])
    np.testing.assert_array_equal(weight, [2.0, 0.0, 2.0])


def test_take_keeps_dictionaries_and_dtypes():
    x, y, weight = ArrayDataset(INPUTS, {"float": X, "int": np.arange(6)}).take([2, 3])
    assert [value.decode() for value in x["text"].numpy()] == ["ä", ""]
    assert (x["codes"].dtype, y["float"].dtype, y["int"].dtype) == (tf.uint8, tf.float32, tf.int64)
    np.testing.assert_array_equal(x["codes"], [[2], [3]])
    np.testing.assert_array_equal(y["int"], [2, 3])
    assert weight is None


def test_absent_targets_and_weights_are_none():
    x, y, weight = ArrayDataset(X).take([1])
    np.testing.assert_array_equal(x, X[[1]])
    assert y is None
    assert weight is None


def test_take_works_in_a_compiled_function():
    rows = ArrayDataset(INPUTS, X)
    compiled = tf.function(rows.take, input_signature=[tf.TensorSpec((None,), tf.int32)])
    for indices in ([5, 1], [0], []):
        x, y, _ = compiled(tf.constant(indices, tf.int32))
        np.testing.assert_array_equal(y, X[np.array(indices, int)])
        assert x["codes"].shape == (len(indices), 1)
    np.testing.assert_array_equal(rows.take([5])[1], X[[5]])  # no tensor of the function is stored


def test_length_is_the_number_of_rows():
    assert len(ArrayDataset(X)) == 6
    assert len(ArrayDataset(INPUTS, X, np.ones(6), raw={"a": TEXTS})) == 6


def test_raw_returns_the_inputs_before_preprocessing():
    rows = ArrayDataset(X, raw={"text": TEXTS, "list": list("abcdef")})
    raw = rows.raw_inputs(np.array([3, 2]))
    assert {name: values.tolist() for name, values in raw.items()} == {"text": ["", "ä"], "list": ["d", "c"]}


def test_raw_is_rejected_without_raw_inputs():
    with pytest.raises(ValueError, match=r"available only if `raw` is passed to the dataset\. Received: None"):
        ArrayDataset(X).raw_inputs([0])


@pytest.mark.parametrize(
    "arguments", [(X, np.ones(5)), (X, None, np.ones(7)), ({"a": X, "b": X[:3]},), (X, {"a": X, "b": X[:3]})]
)
def test_different_lengths_are_rejected(arguments):
    with pytest.raises(ValueError, match=r"same number of rows. Received: \[\d, \d\]"):
        ArrayDataset(*arguments)
    with pytest.raises(ValueError, match=r"same number of rows. Received: \[2, 6\]"):
        ArrayDataset(X, raw={"a": [1, 2]})


@pytest.mark.parametrize("x", [X[:0], {}, None], ids=["no rows", "no columns", "none"])
def test_dataset_without_rows_is_rejected(x):
    with pytest.raises(ValueError, match=r"A split must have at least one row\. Received: none"):
        ArrayDataset(x)


def test_inputs_have_the_names_shapes_and_dtypes_of_a_dataset():
    symbols = keras_inputs(ArrayDataset(INPUTS | {"cube": np.zeros((6, 2, 3))}))
    specs = {name: (symbol.name, symbol.shape, symbol.dtype) for name, symbol in symbols.items()}
    assert specs == {
        "text": ("text", (None,), "string"),
        "codes": ("codes", (None, 1), "uint8"),
        "cube": ("cube", (None, 2, 3), "float64"),
    }
    assert keras_inputs(ArrayDataset(X)).shape == (None, 2)


def test_model_with_these_inputs_accepts_the_rows():
    rows = ArrayDataset({"a": X, "b": X + 1})
    symbols = keras_inputs(rows)
    model = keras.Model(symbols, keras.layers.Add()(list(symbols.values())))
    np.testing.assert_array_equal(model(rows.take([0, 5])[0]), (2 * X + 1)[[0, 5]])


def test_concatenate_datasets():
    first = ArrayDataset({"a": np.arange(3), "b": np.ones((3, 2))}, np.zeros(3), raw={"c": np.array(["x", "y", "z"])})
    x, weight = {"a": np.arange(2), "b": np.zeros((2, 2))}, np.array([3.0, 4.0])
    second = ArrayDataset(x, np.ones(2), weight, raw={"c": np.array(["u", "v"])})
    concatenated = first.concatenate(second)
    x, y, weight = concatenated.arrays
    assert (len(concatenated), x["a"].tolist(), y.tolist()) == (5, [0, 1, 2, 0, 1], [0, 0, 0, 1, 1])
    assert weight.tolist() == [1, 1, 1, 3, 4]
    assert second.concatenate(first).arrays[2].tolist() == [3, 4, 1, 1, 1]
    assert x["b"].sum() == 6
    assert concatenated.raw_inputs([1, 4])["c"].tolist() == ["y", "v"]
    assert first.concatenate(first).arrays[2] is None
