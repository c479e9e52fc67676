import keras
import numpy as np
import pytest
import tensorflow as tf

from tfkit.data.splits import Rows, inputs

X = np.arange(12, dtype="float32").reshape(6, 2)
WORDS = np.array(["a", "b", "ä", "", "e", "f"], object)
NAMED = {"words": WORDS, "codes": np.arange(6, dtype="uint8")[:, None]}


@pytest.mark.parametrize("kind", [list, np.array, tf.constant])
def test_rows_are_taken_by_number_in_the_order_asked_twice_if_asked_twice(kind):
    x, y, weight = Rows(X, np.arange(6), np.arange(6) / 2).take(kind([4, 0, 4]))
    np.testing.assert_array_equal(x, X[[4, 0, 4]])
    np.testing.assert_array_equal(y, [4, 0, 4])
    np.testing.assert_array_equal(weight, [2.0, 0.0, 2.0])


def test_dictionaries_stay_dictionaries_and_types_stay_types():
    x, y, weight = Rows(NAMED, {"one": X, "two": np.arange(6)}).take([2, 3])
    assert [value.decode() for value in x["words"].numpy()] == ["ä", ""]
    assert (x["codes"].dtype, y["one"].dtype, y["two"].dtype) == (tf.uint8, tf.float32, tf.int64)
    np.testing.assert_array_equal(x["codes"], [[2], [3]])
    np.testing.assert_array_equal(y["two"], [2, 3])
    assert weight is None


def test_what_is_not_there_is_none():
    x, y, weight = Rows(X).take([1])
    np.testing.assert_array_equal(x, X[[1]])
    assert y is None
    assert weight is None


def test_rows_are_taken_inside_a_compiled_function_too():
    rows = Rows(NAMED, X)
    compiled = tf.function(rows.take, input_signature=[tf.TensorSpec((None,), tf.int32)])
    for numbers in ([5, 1], [0], []):
        x, y, _ = compiled(tf.constant(numbers, tf.int32))
        np.testing.assert_array_equal(y, X[np.array(numbers, int)])
        assert x["codes"].shape == (len(numbers), 1)
    np.testing.assert_array_equal(rows.take([5])[1], X[[5]])  # no tensor of the function was kept


def test_the_length_is_that_of_every_array():
    assert len(Rows(X)) == 6
    assert len(Rows(NAMED, X, np.ones(6), raw={"a": WORDS})) == 6


def test_raw_rows_are_as_the_user_wrote_them():
    rows = Rows(X, raw={"word": WORDS, "list": list("abcdef")})
    raw = rows.raw(np.array([3, 2]))
    assert {name: values.tolist() for name, values in raw.items()} == {"word": ["", "ä"], "list": ["d", "c"]}


def test_raw_rows_that_were_not_given_are_not_made_up():
    with pytest.raises(ValueError, match="made without `raw`"):
        Rows(X).raw([0])


@pytest.mark.parametrize(
    "arguments", [(X, np.ones(5)), (X, None, np.ones(7)), ({"a": X, "b": X[:3]},), (X, {"a": X, "b": X[:3]})]
)
def test_lengths_that_differ_are_refused(arguments):
    with pytest.raises(ValueError, match=r"same number of rows. Received: \[\d, \d\]"):
        Rows(*arguments)
    with pytest.raises(ValueError, match=r"same number of rows. Received: \[2, 6\]"):
        Rows(X, raw={"a": [1, 2]})


@pytest.mark.parametrize("x", [X[:0], {}, None], ids=["no rows", "no columns", "nothing"])
def test_a_split_of_no_rows_is_refused(x):
    with pytest.raises(ValueError, match=r"A split must have at least one row\. Received: none"):
        Rows(x)


def test_inputs_have_the_name_shape_and_type_of_a_row():
    found = inputs(Rows(NAMED | {"cube": np.zeros((6, 2, 3))}))
    told = {name: (i.name, i.shape, i.dtype) for name, i in found.items()}
    assert told == {
        "words": ("words", (None,), "string"),
        "codes": ("codes", (None, 1), "uint8"),
        "cube": ("cube", (None, 2, 3), "float64"),
    }
    assert inputs(Rows(X)).shape == (None, 2)


def test_a_model_of_these_inputs_takes_the_rows():
    rows = Rows({"a": X, "b": X + 1})
    found = inputs(rows)
    model = keras.Model(found, keras.layers.Add()(list(found.values())))
    np.testing.assert_array_equal(model(rows.take([0, 5])[0]), (2 * X + 1)[[0, 5]])


def test_rows_of_two_splits_in_one():
    one = Rows({"a": np.arange(3), "b": np.ones((3, 2))}, np.zeros(3), raw={"c": np.array(["x", "y", "z"])})
    more, weight = {"a": np.arange(2), "b": np.zeros((2, 2))}, np.array([3.0, 4.0])
    two = Rows(more, np.ones(2), weight, raw={"c": np.array(["u", "v"])})
    both = one.joined(two)
    x, y, weight = both.arrays
    assert (len(both), x["a"].tolist(), y.tolist()) == (5, [0, 1, 2, 0, 1], [0, 0, 0, 1, 1])
    assert weight.tolist() == [1, 1, 1, 3, 4]
    assert two.joined(one).arrays[2].tolist() == [3, 4, 1, 1, 1]
    assert x["b"].sum() == 6
    assert both.raw([1, 4])["c"].tolist() == ["y", "v"]
    assert one.joined(one).arrays[2] is None
