"""Training steps fused by XLA: the results of unfused steps up to rounding, and only where it pays."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfkit
from tfkit.datasets.memmap import MemmapDataset
from tfkit.training import fit as training_fit
from tfkit.training.xla import fused_steps

ROWS, BATCH = 77, 8  # 9 batches and 5 rows
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(ROWS, 4)).astype("float32")
Y = (X[:, 0] * X[:, 1] > X[:, 2]).astype("float32")
WEIGHT = RANDOM.uniform(0, 2, ROWS).astype("float32")


@pytest.fixture
def fuse_enabled():
    """Skip a test of fused steps where they are switched off."""
    if not fused_steps.is_enabled():
        pytest.skip("TFKIT_FUSE_STEPS=0 switches fused steps off")


@pytest.fixture
def fuse_short_trainings(monkeypatch, fuse_enabled):
    """Fuse the steps of a training of any length."""
    monkeypatch.setattr(fused_steps, "MIN_TRAINING_ROWS", 0)


@pytest.fixture
def chunk_sizes(monkeypatch, fuse_enabled):
    """The rows of each chunk that XLA has computed."""
    sizes = []
    make_chunk = fused_steps.Fused._make_chunk
    monkeypatch.setattr(
        fused_steps.Fused, "_make_chunk", lambda self, indices: sizes.append(len(indices)) or make_chunk(self, indices)
    )
    return sizes


def stateful_layers():
    """All layers that have a state: batch statistics, and the random masks of both kinds of dropout."""
    return keras.Sequential(
        [
            keras.layers.Dense(8, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            tfkit.layers.FastDropout(0.25),
        ]
    )


def dense_model(layers=stateful_layers, optimizer="adam"):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), layers(), keras.layers.Dense(1, "sigmoid")])
    model.compile(optimizer, "binary_crossentropy", weighted_metrics=["accuracy"])
    return model


def fit(model, x=X, y=Y, **options):
    """Train a model; return its learning curves and the values of all variables."""
    options = {"batch_size": BATCH, "epochs": 3, "seed": 5} | options
    history = training_fit.fit(model, x, y, **options).history
    return history, [v.numpy() for v in [*model.variables, *model.optimizer.variables]]


def assert_same(expected, result, **tolerance):
    assert expected[0].keys() == result[0].keys()
    for name, curve in expected[0].items():
        np.testing.assert_allclose(result[0][name], curve, **tolerance)
    for expected_array, array in zip(expected[1], result[1], strict=True):
        np.testing.assert_allclose(array, expected_array, **tolerance)


SAME_BITS = {"rtol": 0, "atol": 0}
UP_TO_ROUNDING = {"rtol": 2e-4, "atol": 2e-5}


@pytest.mark.parametrize(
    "optimizer", ["adam", *(pytest.param(name, marks=pytest.mark.slow) for name in ("sgd", "adamw", "rmsprop"))]
)
def test_fused_steps_train_as_unfused_ones_with_the_same_random_masks(chunk_sizes, monkeypatch, optimizer):
    plain = fit(dense_model(optimizer=optimizer), sample_weight=WEIGHT, validation_data=(X, Y))
    assert not chunk_sizes
    monkeypatch.setattr(fused_steps, "MIN_TRAINING_ROWS", 0)
    result = fit(dense_model(optimizer=optimizer), sample_weight=WEIGHT, validation_data=(X, Y))
    assert sum(chunk_sizes) == 3 * 72
    assert_same(plain, result, **UP_TO_ROUNDING)
    assert plain[0]["loss"][2] != plain[0]["loss"][0]


@pytest.mark.slow
def test_schedule_and_clipping_are_the_same(chunk_sizes, monkeypatch):
    def optimizer():
        return tfkit.make_optimizer("adamw", learning_rate=0.01, decay="cosine", steps=30, global_clipnorm=0.1)

    plain = fit(dense_model(optimizer=optimizer()))
    monkeypatch.setattr(fused_steps, "MIN_TRAINING_ROWS", 0)
    assert_same(plain, fit(dense_model(optimizer=optimizer())), **UP_TO_ROUNDING)
    assert chunk_sizes


@pytest.mark.slow
def test_dictionary_inputs_and_several_outputs_are_the_same(chunk_sizes, monkeypatch):
    def two_output_model():
        keras.utils.set_random_seed(1)
        inputs = {"a": keras.Input((1,), name="a"), "b": keras.Input((3,), name="b")}
        hidden = tfkit.layers.MLP([8], dropout=0.1)(keras.layers.Concatenate()(list(inputs.values())))
        outputs = {name: keras.layers.Dense(1, name=name)(hidden) for name in ("first", "second")}
        model = keras.Model(inputs, outputs)
        model.compile("adam", {"first": "mse", "second": "mae"})
        return model

    x, y = {"a": X[:, :1], "b": X[:, 1:]}, {"first": Y, "second": X[:, 3]}
    plain = fit(two_output_model(), x, y)
    monkeypatch.setattr(fused_steps, "MIN_TRAINING_ROWS", 0)
    assert_same(plain, fit(two_output_model(), x, y), **UP_TO_ROUNDING)
    assert chunk_sizes


@pytest.mark.slow
def test_call_size_and_chunk_size_change_no_bit(fuse_short_trainings, monkeypatch):
    expected = fit(dense_model())
    monkeypatch.setattr(
        training_fit.EpochRunner, "adapt_steps_per_call", lambda self, seconds: setattr(self, "steps_per_call", 4)
    )
    monkeypatch.setattr(fused_steps, "CHUNK_ROWS", 2 * BATCH + 1)
    assert_same(expected, fit(dense_model()), **SAME_BITS)


def test_a_training_interrupted_inside_an_epoch_resumes_to_the_same_bits(fuse_short_trainings, monkeypatch):
    expected = fit(dense_model())
    monkeypatch.setattr(
        training_fit.EpochRunner, "adapt_steps_per_call", lambda self, seconds: None
    )  # one step per call

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 4:
                raise InterruptedError

    model, position = dense_model(), training_fit.EpochPosition()
    with pytest.raises(InterruptedError):
        fit(model, position=position, callbacks=[Stop()])
    assert position.rows_done == 5 * BATCH
    history, state = fit(model, position=position)
    assert history["loss"][1:] == expected[0]["loss"][1:]
    assert_same(({}, expected[1]), ({}, state), **SAME_BITS)


@pytest.mark.slow
def test_rows_on_disk_train_to_the_same_bits_as_rows_in_memory(fuse_short_trainings, chunk_sizes):
    expected = fit(dense_model())
    chunk_sizes.clear()
    assert_same(expected, fit(dense_model(), MemmapDataset(X, np.arange(ROWS), Y), None), **SAME_BITS)
    assert chunk_sizes


def test_a_second_fit_reuses_the_traced_step(fuse_short_trainings):
    traces = []

    class CountTraces(keras.layers.Layer):
        def call(self, x):
            traces.append(None)
            return x

    model = dense_model(CountTraces)
    fit(model)
    traces.clear()
    fit(model, X[:40], Y[:40])  # other arrays, with a full last batch
    assert not traces
    model.compile("sgd", "mse")
    fit(model)
    assert traces


@pytest.mark.slow
@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.GaussianNoise(0.1),  # whose random numbers XLA would change
        lambda: keras.Sequential([keras.layers.Reshape((4, 1)), keras.layers.Conv1D(2, 2), keras.layers.Flatten()]),
        lambda: keras.Sequential([keras.layers.Reshape((4, 1)), keras.layers.LSTM(2)]),
        lambda: keras.layers.Dropout(0.5, dtype="mixed_float16"),
    ],
    ids=["noise", "convolution", "lstm", "float16"],
)
def test_layers_that_xla_does_not_speed_up_are_not_fused(fuse_short_trainings, chunk_sizes, monkeypatch, layer):
    result = fit(dense_model(layer))
    assert not chunk_sizes
    monkeypatch.setattr(fused_steps, "MIN_TRAINING_ROWS", 10**9)
    assert_same(result, fit(dense_model(layer)), **SAME_BITS)


@pytest.mark.slow
def test_a_custom_step_augmentation_and_a_short_training_are_not_fused(fuse_short_trainings, chunk_sizes, monkeypatch):
    class CustomStep(keras.Sequential):
        def train_step(self, data):
            return super().train_step(data)

    model = CustomStep([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    fit(model)
    fit(dense_model(), augment=lambda x, y, weight, random: (x, y, weight))
    monkeypatch.setattr(fused_steps, "MIN_TRAINING_ROWS", 3 * ROWS + 1)
    fit(dense_model())
    assert not chunk_sizes
    monkeypatch.setattr(fused_steps, "MIN_TRAINING_ROWS", 3 * ROWS)
    fit(dense_model())
    assert chunk_sizes


@pytest.mark.slow
def test_the_switch_disables_fusing(fuse_short_trainings, chunk_sizes, monkeypatch):
    monkeypatch.setenv("TFKIT_FUSE_STEPS", "0")
    unfused = fit(dense_model())
    assert not chunk_sizes
    monkeypatch.delenv("TFKIT_FUSE_STEPS")
    assert_same(unfused, fit(dense_model()), **UP_TO_ROUNDING)
    assert chunk_sizes


@pytest.mark.slow
@pytest.mark.parametrize(("fuse_steps", "is_fused"), [(None, False), (False, False), (True, True)])
def test_the_argument_overrides_the_environment_variable(
    fuse_short_trainings, chunk_sizes, monkeypatch, fuse_steps, is_fused
):
    monkeypatch.setenv("TFKIT_FUSE_STEPS", "0")
    model = dense_model()
    fit(model, fuse_steps=fuse_steps)
    assert bool(chunk_sizes) is is_fused
    if not is_fused:
        monkeypatch.delenv("TFKIT_FUSE_STEPS")
        fit(model, fuse_steps=False)
        assert not chunk_sizes


@pytest.mark.slow
def test_jit_compile_fuses_a_short_training(chunk_sizes):
    """With Keras' own `jit_compile` dropout would take a hundred times as long and draw other masks."""
    plain = fit(dense_model())
    model = dense_model()
    model._jit_compile = True  # `compile` rejects it if an earlier test has made TensorFlow deterministic
    assert_same(plain, fit(model), **UP_TO_ROUNDING)
    assert chunk_sizes


@pytest.mark.slow
def test_fewer_rows_than_a_batch_are_one_batch(fuse_short_trainings):
    history, _ = fit(dense_model(), X[:5], Y[:5], batch_size=32)
    assert np.isfinite(history["loss"]).all()


def test_a_chunk_has_full_batches_and_a_bounded_size():
    narrow, wide = ({"x": tf.TensorSpec((width,), tf.float32)} for width in (20, 10**6))
    assert fused_steps._steps_per_chunk(narrow, 256) == fused_steps.CHUNK_ROWS // 256
    assert fused_steps._steps_per_chunk(narrow, 10**6) == 1
    assert fused_steps._steps_per_chunk(wide, 2) == 2
