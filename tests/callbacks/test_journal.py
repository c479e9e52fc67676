import json

import keras
import numpy as np
import pytest

from tfkit.callbacks import Journal

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
