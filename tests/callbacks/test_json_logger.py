import json

import keras
import numpy as np
import pytest

from tfkit.callbacks import Journal, gradient_norm, json_logger
from tfkit.training import fit

NAN = float("nan")


class Model:
    """What the callback knows of a model: its optimizer."""

    def __init__(self, rate=0.5):
        self.optimizer = keras.optimizers.SGD(rate)


def drive(journal, losses, *, first=0, model=None):
    journal.set_model(model or Model())
    journal.on_train_begin()
    for epoch, loss in enumerate(losses, first):
        journal.on_epoch_begin(epoch)
        journal.on_epoch_end(epoch, {"loss": loss, "val_loss": np.float32(0.25)})
    return journal


def read(path):
    return [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]


def test_an_epoch_is_a_line_in_memory_and_in_the_file(tmp_path):
    journal = drive(Journal(tmp_path / "journal.jsonl"), [2.0, np.float32(1.5)])
    plain = [{name: value for name, value in line.items() if name != "seconds"} for line in journal.lines]
    assert plain == [
        {"epoch": 1, "loss": 2.0, "val_loss": 0.25, "learning_rate": 0.5},
        {"epoch": 2, "loss": 1.5, "val_loss": 0.25, "learning_rate": 0.5},
    ]
    assert all(0 <= line["seconds"] < 1 for line in journal.lines)
    assert read(tmp_path / "journal.jsonl") == journal.lines
    assert drive(Journal(), [2.0]).lines[0]["loss"] == 2.0


def test_a_line_is_there_as_soon_as_its_epoch_is_over(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = drive(Journal(path), [2.0])
    assert len(read(path)) == 1
    journal.on_epoch_end(1, {"loss": 1.0})
    assert len(read(path)) == 2


def test_the_rate_of_a_schedule_is_that_of_the_moment():
    model = Model(keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5))
    weight = keras.Variable(0.0)
    model.optimizer.build([weight])
    journal = drive(Journal(), [2.0], model=model)
    model.optimizer.apply([np.float32(1.0)], [weight])
    journal.on_epoch_end(1, {"loss": 1.0})
    assert [line["learning_rate"] for line in journal.lines] == [1.0, 0.5]


def test_what_is_not_finite_is_null_in_the_file_alone(tmp_path):
    journal = drive(Journal(tmp_path / "j"), [NAN])
    assert read(tmp_path / "j")[0]["loss"] is None
    assert np.isnan(journal.lines[0]["loss"])


def test_a_metric_may_be_a_list(tmp_path):
    drive(Journal(tmp_path / "j"), [np.array([0.5, NAN], "float32")])
    assert read(tmp_path / "j")[0]["loss"] == [0.5, None]


def test_after_a_resume_the_file_holds_what_was_resumed_from_and_no_more(tmp_path):
    path = tmp_path / "journal.jsonl"
    first = drive(Journal(path), [3.0, 2.0])
    state = json.loads(json.dumps(first.state()))
    drive(first, [1.9, 1.8], first=2)  # lost with the process
    second = Journal(path)
    second.set_state(state)
    drive(second, [1.0], first=2)
    assert [(line["epoch"], line["loss"]) for line in read(path)] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert read(path) == second.lines


def test_rows_a_second_are_those_of_training_alone(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(json_logger.time, "perf_counter", lambda: now[0])

    def epoch(journal, number):
        for event, seconds in (
            (journal.on_epoch_begin, 0),
            (journal.on_train_batch_end, 2),
            (journal.on_train_batch_end, 3),
            (journal.on_epoch_end, 5),
        ):
            now[0] += seconds
            event(number)

    journal = drive(Journal(rows=1000), [])
    epoch(journal, 0)
    assert (journal.lines[0]["rows_per_second"], journal.lines[0]["seconds"]) == (200, 10)
    later = Journal(rows=1000)
    later.set_state(journal.state())
    drive(later, [])
    epoch(later, 1)  # maybe half of it was done before
    epoch(later, 2)
    assert [line["rows_per_second"] for line in later.lines] == [200, None, 200]
    assert drive(Journal(rows=1000), [1.0]).lines[0]["rows_per_second"] is None  # an epoch without a step


def test_rows_must_be_some():
    with pytest.raises(ValueError, match=r"`rows` must be at least 1, or None\. Received: 0"):
        Journal(rows=0)


# the norm of the gradient

RANDOM = np.random.default_rng(0)
X, Y, WEIGHT = RANDOM.normal(size=(20, 3)), RANDOM.normal(size=(20, 1)), RANDOM.uniform(0, 2, 20)


def line(policy="float32", wrap=lambda optimizer: optimizer):
    """A line of known weights."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, dtype=policy)])
    model.layers[0].set_weights([np.array([[1.0], [2.0], [-1.0]]), np.array([0.5])])
    model.compile(wrap(keras.optimizers.SGD(0.1, global_clipnorm=1e-3)), "mse")
    return model


def closed_form(weight=1.0):
    error = (X @ [[1.0], [2.0], [-1.0]] + 0.5 - Y) * np.reshape(weight, (-1, 1))
    return np.linalg.norm([*(2 * error * X).mean(0), (2 * error).mean()])


def test_the_norm_is_that_of_the_whole_gradient_before_clipping():
    assert gradient_norm(line(), (X, Y)) == pytest.approx(closed_form(), rel=1e-5)
    assert gradient_norm(line(), (X, Y, None)) == pytest.approx(closed_form(), rel=1e-5)
    assert gradient_norm(line(), (X, Y, WEIGHT)) == pytest.approx(closed_form(WEIGHT), rel=1e-5)


def test_the_norm_of_half_precision_is_that_without_its_scale():
    model = line("mixed_float16", keras.optimizers.LossScaleOptimizer)
    assert gradient_norm(model, (X, Y)) == pytest.approx(closed_form(), rel=1e-2)


def test_the_norm_of_a_gradient_of_few_rows_of_a_table_is_known():
    model = keras.Sequential([keras.Input((1,), dtype="int32"), keras.layers.Embedding(9, 1), keras.layers.Flatten()])
    model.layers[0].set_weights([np.zeros((9, 1))])
    model.compile("sgd", "mse")
    assert gradient_norm(model, (np.array([[3], [3], [5]]), np.ones(3))) == pytest.approx(np.hypot(4 / 3, 2 / 3))


def test_a_gradient_that_is_not_finite_has_a_norm_that_is_not():
    assert np.isnan(gradient_norm(line(), (X * NAN, Y)))


def test_looking_at_the_gradient_changes_no_bit_of_what_is_learnt():
    left = []
    for sample in (None, (X, Y)):
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
        model = keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(1)])
        model.compile("adam", "mse", metrics=["mae"])
        journal = Journal(sample=sample)
        history = fit.fit(model, X, Y, epochs=2, batch_size=8, callbacks=[journal]).history
        left.append([*(v.numpy() for v in [*model.variables, *model.optimizer.variables]), *history.values()])
    for with_it, without in zip(*left, strict=True):
        np.testing.assert_array_equal(with_it, without)
    assert [line["gradient_norm"] > 0 for line in journal.lines] == [True, True]


def test_the_norm_is_that_of_the_weights_at_the_end_of_the_epoch():
    journal = Journal(sample=(X, Y))
    model = line()
    model.fit(X, Y, epochs=1, callbacks=[journal], verbose=0)
    assert journal.lines[0]["gradient_norm"] == pytest.approx(gradient_norm(model, (X, Y)), rel=1e-6)
