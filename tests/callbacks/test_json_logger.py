import json

import keras
import numpy as np
import pytest

from tfkit.callbacks import JSONLogger, gradient_norm
from tfkit.callbacks import json_logger as journal_module
from tfkit.training import fit as training_fit

NAN = float("nan")


class Model:
    """Stand-in for a model that has only an optimizer."""

    def __init__(self, rate=0.5):
        self.optimizer = keras.optimizers.SGD(rate)


def run_epochs(journal, losses, *, first=0, model=None):
    journal.set_model(model or Model())
    journal.on_train_begin()
    for epoch, loss in enumerate(losses, first):
        journal.on_epoch_begin(epoch)
        journal.on_epoch_end(epoch, {"loss": loss, "val_loss": np.float32(0.25)})
    return journal


def read_lines(path):
    return [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]


def test_each_epoch_is_a_line_in_memory_and_in_the_file(tmp_path):
    journal = run_epochs(JSONLogger(tmp_path / "history.jsonl"), [2.0, np.float32(1.5)])
    lines = [{name: value for name, value in line.items() if name != "seconds"} for line in journal.lines]
    assert lines == [
        {"epoch": 1, "loss": 2.0, "val_loss": 0.25, "learning_rate": 0.5},
        {"epoch": 2, "loss": 1.5, "val_loss": 0.25, "learning_rate": 0.5},
    ]
    assert all(0 <= line["seconds"] < 1 for line in journal.lines)
    assert read_lines(tmp_path / "history.jsonl") == journal.lines
    assert run_epochs(JSONLogger(), [2.0]).lines[0]["loss"] == 2.0


def test_a_line_is_written_at_the_end_of_its_epoch(tmp_path):
    path = tmp_path / "history.jsonl"
    journal = run_epochs(JSONLogger(path), [2.0])
    assert len(read_lines(path)) == 1
    journal.on_epoch_end(1, {"loss": 1.0})
    assert len(read_lines(path)) == 2


def test_the_current_rate_of_a_schedule_is_written():
    model = Model(keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5))
    weight = keras.Variable(0.0)
    model.optimizer.build([weight])
    journal = run_epochs(JSONLogger(), [2.0], model=model)
    model.optimizer.apply([np.float32(1.0)], [weight])
    journal.on_epoch_end(1, {"loss": 1.0})
    assert [line["learning_rate"] for line in journal.lines] == [1.0, 0.5]


def test_nonfinite_values_are_null_in_the_file_only(tmp_path):
    journal = run_epochs(JSONLogger(tmp_path / "j"), [NAN])
    assert read_lines(tmp_path / "j")[0]["loss"] is None
    assert np.isnan(journal.lines[0]["loss"])


def test_a_metric_may_be_a_list(tmp_path):
    run_epochs(JSONLogger(tmp_path / "j"), [np.array([0.5, NAN], "float32")])
    assert read_lines(tmp_path / "j")[0]["loss"] == [0.5, None]


def test_resume_drops_lines_written_after_the_checkpoint(tmp_path):
    path = tmp_path / "history.jsonl"
    first = run_epochs(JSONLogger(path), [3.0, 2.0])
    state = json.loads(json.dumps(first.state()))
    run_epochs(first, [1.9, 1.8], first=2)  # after the checkpoint: lost when the process ends
    second = JSONLogger(path)
    second.set_state(state)
    run_epochs(second, [1.0], first=2)
    assert [(line["epoch"], line["loss"]) for line in read_lines(path)] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert read_lines(path) == second.lines


def test_rows_per_second_exclude_validation(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(journal_module.time, "perf_counter", lambda: clock[0])

    def run_timed_epoch(journal, epoch):
        for hook, seconds in (
            (journal.on_epoch_begin, 0),
            (journal.on_train_batch_end, 2),
            (journal.on_train_batch_end, 3),
            (journal.on_epoch_end, 5),
        ):
            clock[0] += seconds
            hook(epoch)

    journal = run_epochs(JSONLogger(rows=1000), [])
    run_timed_epoch(journal, 0)
    assert (journal.lines[0]["rows_per_second"], journal.lines[0]["seconds"]) == (200, 10)
    resumed = JSONLogger(rows=1000)
    resumed.set_state(journal.state())
    run_epochs(resumed, [])
    run_timed_epoch(resumed, 1)  # part of it may have run before the resume
    run_timed_epoch(resumed, 2)
    assert [line["rows_per_second"] for line in resumed.lines] == [200, None, 200]
    assert run_epochs(JSONLogger(rows=1000), [1.0]).lines[0]["rows_per_second"] is None  # an epoch without a step


def test_rows_below_one_raise():
    with pytest.raises(ValueError, match=r"`rows` must be at least 1, or None\. Received: 0"):
        JSONLogger(rows=0)


# gradient norm

RANDOM = np.random.default_rng(0)
X, Y, WEIGHT = RANDOM.normal(size=(20, 3)), RANDOM.normal(size=(20, 1)), RANDOM.uniform(0, 2, 20)


def linear_model(policy="float32", wrap=lambda optimizer: optimizer):
    """A linear model with fixed weights."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, dtype=policy)])
    model.layers[0].set_weights([np.array([[1.0], [2.0], [-1.0]]), np.array([0.5])])
    model.compile(wrap(keras.optimizers.SGD(0.1, global_clipnorm=1e-3)), "mse")
    return model


def expected_norm(weight=1.0):
    error = (X @ [[1.0], [2.0], [-1.0]] + 0.5 - Y) * np.reshape(weight, (-1, 1))
    return np.linalg.norm([*(2 * error * X).mean(0), (2 * error).mean()])


def test_gradient_norm_is_global_and_before_clipping():
    assert gradient_norm(linear_model(), (X, Y)) == pytest.approx(expected_norm(), rel=1e-5)
    assert gradient_norm(linear_model(), (X, Y, None)) == pytest.approx(expected_norm(), rel=1e-5)
    assert gradient_norm(linear_model(), (X, Y, WEIGHT)) == pytest.approx(expected_norm(WEIGHT), rel=1e-5)


def test_gradient_norm_in_half_precision_excludes_the_loss_scale():
    model = linear_model("mixed_float16", keras.optimizers.LossScaleOptimizer)
    assert gradient_norm(model, (X, Y)) == pytest.approx(expected_norm(), rel=1e-2)


def test_gradient_norm_of_a_sparse_embedding_gradient():
    model = keras.Sequential([keras.Input((1,), dtype="int32"), keras.layers.Embedding(9, 1), keras.layers.Flatten()])
    model.layers[0].set_weights([np.zeros((9, 1))])
    model.compile("sgd", "mse")
    assert gradient_norm(model, (np.array([[3], [3], [5]]), np.ones(3))) == pytest.approx(np.hypot(4 / 3, 2 / 3))


def test_nonfinite_gradient_has_a_nonfinite_norm():
    assert np.isnan(gradient_norm(linear_model(), (X * NAN, Y)))


def test_measuring_the_gradient_norm_does_not_change_training():
    results = []
    for sample in (None, (X, Y)):
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
        model = keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(1)])
        model.compile("adam", "mse", metrics=["mae"])
        journal = JSONLogger(sample=sample)
        history = training_fit.fit(model, X, Y, epochs=2, batch_size=8, callbacks=[journal]).history
        results.append([*(v.numpy() for v in [*model.variables, *model.optimizer.variables]), *history.values()])
    for without_sample, with_sample in zip(*results, strict=True):
        np.testing.assert_array_equal(with_sample, without_sample)
    assert [line["gradient_norm"] > 0 for line in journal.lines] == [True, True]


def test_gradient_norm_uses_the_weights_at_the_end_of_the_epoch():
    journal = JSONLogger(sample=(X, Y))
    model = linear_model()
    model.fit(X, Y, epochs=1, callbacks=[journal], verbose=0)
    assert journal.lines[0]["gradient_norm"] == pytest.approx(gradient_norm(model, (X, Y)), rel=1e-6)
