"""`tfkit.fit` with every argument that Keras' `fit` takes, compared with Keras' `fit`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfkit
from tfkit.training.keras_fit import class_weights_of_rows, is_stream

ROWS = 50
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(ROWS, 3)).astype("float32")
Y = RANDOM.integers(0, 3, ROWS)
ONE_HOT = np.eye(3, dtype="float32")[Y]
WEIGHT = RANDOM.uniform(0.5, 2, ROWS).astype("float32")
CLASS_WEIGHT = {0: 3.0, 2: 0.5}  # class 1 is absent


class Batches(keras.utils.PyDataset):
    """Batches of 16 rows."""

    def __len__(self):
        return -(-ROWS // 16)

    def __getitem__(self, index):
        return X[index * 16 : index * 16 + 16], Y[index * 16 : index * 16 + 16]


def tf_data(rows=ROWS):
    return tf.data.Dataset.from_tensor_slices((X[:rows], Y[:rows])).batch(16)


def generate():
    while True:
        for start in range(0, 48, 16):
            yield X[start : start + 16], Y[start : start + 16]


def classifier(loss="sparse_categorical_crossentropy", train_step=None):
    """A compiled classifier with fixed weights."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((3,))
    model_class = type("Model", (keras.Model,), {"train_step": train_step} if train_step else {})
    model = model_class(inputs, keras.layers.Dense(3, "softmax")(inputs))
    model.compile(keras.optimizers.Adam(0.05), loss, metrics=["accuracy"], weighted_metrics=["accuracy"])
    return model


def assert_equal_to_keras(arguments, loss="sparse_categorical_crossentropy", exact=False):
    """Train by both, and compare history and weights."""
    model, reference = classifier(loss), classifier(loss)
    keras.utils.set_random_seed(2)  # Keras shuffles the batches of a PyDataset
    history = tfkit.fit(model, **arguments()).history
    keras.utils.set_random_seed(2)
    expected = reference.fit(**{"batch_size": None, "verbose": 0, **arguments()}).history
    assert history.keys() == expected.keys()
    rtol = 0 if exact else 1e-4
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=rtol, err_msg=name)
    for weight, expected_weight in zip(model.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected_weight, rtol=rtol, atol=0 if exact else 1e-6)


STREAMS = {
    "tf_data": lambda: {"x": tf_data(), "epochs": 3},
    "py_dataset": lambda: {"x": Batches(), "epochs": 2},
    "generator": lambda: {"x": generate(), "steps_per_epoch": 3, "epochs": 2},
    "repeated": lambda: {"x": tf_data().repeat(), "steps_per_epoch": 4, "epochs": 2},
    "validation": lambda: {"x": tf_data(), "validation_data": tf_data(30), "epochs": 2},
    "validation_steps": lambda: {
        "x": Batches(),
        "validation_data": generate(),
        "validation_steps": 2,
        "epochs": 2,
        "validation_freq": 2,
    },
    "validation_arrays": lambda: {"x": tf_data(), "validation_data": (X, Y, WEIGHT), "epochs": 2},
    "class_weight": lambda: {"x": tf_data(), "class_weight": CLASS_WEIGHT, "epochs": 2},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STREAMS)
def test_data_without_row_indices_trains_as_in_keras_to_the_bit(name):
    assert_equal_to_keras(STREAMS[name], exact=name != "validation_arrays")


ARRAYS = {
    "validation_split": {"validation_split": 0.3},
    "validation_split_weight": {"validation_split": 0.25, "sample_weight": WEIGHT},
    "ignored_split": {"validation_split": 0.5, "validation_data": (X[:9], Y[:9])},
    "class_weight": {"class_weight": CLASS_WEIGHT},
    "class_weight_split": {"class_weight": CLASS_WEIGHT, "validation_split": 0.2},
    "validation_freq": {"validation_data": (X, Y), "validation_freq": 2},
    "validation_batch_size": {"validation_data": (X, Y), "validation_batch_size": 7},
}


SLOW_ARRAYS = {"validation_split_weight", "class_weight_split", "validation_batch_size"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW_ARRAYS else ()) for name in ARRAYS]
)
def test_arrays_train_as_in_keras(name):
    arguments = {"x": X, "y": Y, "batch_size": 16, "epochs": 2, "shuffle": False, **ARRAYS[name]}
    assert_equal_to_keras(lambda: arguments)


@pytest.mark.slow
def test_one_hot_targets_with_class_weights_train_as_in_keras():
    arguments = {"x": X, "y": ONE_HOT, "batch_size": 16, "shuffle": False, "class_weight": CLASS_WEIGHT}
    assert_equal_to_keras(lambda: arguments, loss="categorical_crossentropy")


@pytest.mark.slow
@pytest.mark.parametrize("validation_data", [None, tf_data(30)])
def test_arrays_next_to_a_stream_have_the_order_of_compiled_epochs(validation_data):
    options = {"batch_size": 16, "epochs": 3, "seed": 4}
    compiled, streamed = classifier(), classifier()
    tfkit.fit(compiled, X, Y, sample_weight=WEIGHT, **options)
    steps = {"steps_per_epoch": 4} if validation_data is None else {"validation_data": validation_data}
    history = tfkit.fit(streamed, tfkit.ArrayDataset(X, Y, WEIGHT), **steps, **options)
    assert ("val_loss" in history.history) == (validation_data is not None)
    for weight, expected_weight in zip(compiled.get_weights(), streamed.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected_weight, rtol=1e-4, atol=1e-6)


def step_of_two(self, data):
    x, y = data
    return keras.Model.train_step(self, (x, y))


def step_of_three(self, data):
    x, y, _ = data
    return keras.Model.train_step(self, (x, y))


def step_of_keras(self, data):
    x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
    return keras.Model.train_step(self, (x, y, weight))


@pytest.mark.slow
@pytest.mark.parametrize("train_step", [step_of_two, step_of_three, step_of_keras])
def test_a_custom_step_may_unpack_what_keras_passes(train_step):
    model, expected = classifier(train_step=train_step), classifier()
    tfkit.fit(model, X, Y, epochs=2)
    tfkit.fit(expected, X, Y, epochs=2)
    for weight, expected_weight in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected_weight, rtol=1e-5)


@pytest.mark.parametrize("fit", [tfkit.fit, lambda model, x: model.fit(x, verbose=0)], ids=["tfkit", "keras"])
@pytest.mark.parametrize("x", [X, {"a": X}], ids=["array", "dictionary"])
def test_a_step_without_targets_gets_the_inputs_alone(x, fit):
    structures = []

    def train_step(self, data):
        structures.append(keras.tree.map_structure(lambda tensor: tuple(tensor.shape[1:]), data))
        return {"loss": keras.ops.zeros(())}

    model = type("Model", (keras.Model,), {"train_step": train_step})()
    model.compile()
    fit(model, x)
    assert all(structure == keras.tree.map_structure(lambda array: (3,), x) for structure in structures)


def test_a_step_that_raises_reports_its_own_error():
    def train_step(self, data):
        raise ValueError("a fault of the step")

    with pytest.raises(ValueError, match="a fault of the step"):
        tfkit.fit(classifier(train_step=train_step), X, Y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": X, "y": Y, "class_weight": {0: 1.0}, "sample_weight": WEIGHT}, "must not be used together"),
        ({"x": tf_data(), "validation_split": 0.5}, "`validation_split` needs arrays; give validation_data"),
        ({"x": tfkit.ArrayDataset(X, Y), "validation_split": 0.5}, "`validation_split` needs arrays"),
        ({"x": X, "y": Y, "validation_split": 0.999}, "must leave rows for training and for validation"),
        ({"x": tf_data(), "augment": lambda *data: data[:3]}, "`augment` needs rows by index"),
        ({"x": tfkit.ArrayDataset(X, Y), "class_weight": {0: 1.0}}, "`class_weight` needs arrays"),
        ({"x": X, "y": {"a": Y}, "class_weight": {0: 1.0}}, "`class_weight` needs one array of targets"),
        ({"x": X, "y": Y, "unknown": 1}, "unexpected keyword argument 'unknown'"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        tfkit.fit(classifier(), **arguments)


def test_streams_are_recognized():
    assert all(map(is_stream, (tf_data(), Batches(), generate(), iter([1]))))
    assert not any(map(is_stream, (None, X, [X], (X, Y), {"a": X}, tf.constant(X), tfkit.ArrayDataset(X, Y))))


def test_class_weights_of_rows():
    expected = [CLASS_WEIGHT.get(int(code), 1.0) for code in Y]
    for y in (Y, Y[:, None], Y.astype("float32"), ONE_HOT):
        np.testing.assert_allclose(class_weights_of_rows(y, CLASS_WEIGHT), expected)
