"""Checkpoints: a killed training resumes to the same bits, and damaged files are detected."""

import errno
import json
import os
import signal
import threading

import keras
import numpy as np
import pytest

from tfkit import callbacks
from tfkit.errors import Interrupted, UserError
from tfkit.optimizers import make_optimizer
from tfkit.training import checkpoint as training_checkpoint
from tfkit.training import fit
from tfkit.training.checkpoint import Checkpoint, stopping

ROWS, BATCH, EPOCHS = 53, 8, 4  # 7 steps an epoch
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(ROWS, 4)).astype("float32")
Y = (X[:, 0] * X[:, 1]).astype("float32")


class Killed(Exception):
    """Stands for the end of the process."""


class Kill(keras.callbacks.Callback):
    """Raise `Killed` at the end of a call or an epoch, counted from 1, before the checkpoint is saved."""

    def __init__(self, event):
        super().__init__()
        self.events_left = event

    def on_train_batch_end(self, batch, logs=None):
        self.events_left -= 1
        if self.events_left == 0:
            raise Killed

    on_epoch_end = on_train_batch_end


class Training:
    """A process that trains from the newest checkpoint of a folder to the end, or until it is killed."""

    def __init__(self, folder, *, kill=None, monitor="val_loss", mode=None, patience=3, only_epochs=False, starts=None):
        keras.utils.set_random_seed(99 if folder.exists() else 1)  # the seed of a resumed process does not matter
        folder.mkdir(exist_ok=True)
        self.position, self.model = fit.EpochPosition(), self.make_model()
        self.best = callbacks.EarlyStopping(monitor, mode=mode, patience=patience, min_delta=0.06)
        self.journal = callbacks.JSONLogger(folder / "history.jsonl")
        stateful = [callbacks.RollbackOnNaN(), self.best, self.journal]
        self.checkpoint = Checkpoint(folder / "checkpoints", self.position, stateful)
        if only_epochs:
            self.checkpoint.on_train_batch_end = lambda batch, logs=None: None
        self.resumed = self.checkpoint.restore(self.model)
        if starts is not None:
            starts.append((self.position.epoch, self.position.rows_done))
        fit.fit(
            self.model,
            X,
            Y,
            batch_size=BATCH,
            epochs=EPOCHS,
            seed=2,
            validation_data=(X[:20], Y[:20]),
            callbacks=[*stateful, *([Kill(kill)] if kill else []), self.checkpoint],
            position=self.position,
            initial_epoch=self.position.epoch,
        )

    @staticmethod
    def make_model():
        layers = [keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.3), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((4,)), *layers])
        adamw = make_optimizer("adamw", learning_rate=0.02, decay="cosine", steps=7 * EPOCHS, weight_decay=0.01)
        model.compile(adamw, "mse")
        model.optimizer.build(model.trainable_variables)  # halves the tracing time
        return model

    def state(self):
        """Return everything that a kill must not change: arrays, and plain values."""
        arrays = [v.numpy() for v in [*self.model.variables, *self.model.optimizer.variables]] + self.best.weights
        lines = [{name: value for name, value in line.items() if name != "seconds"} for line in self.journal.lines]
        return arrays, [lines, self.best.best, self.best.best_epoch, self.best.wait]


def assert_same(training, expected):
    (arrays, values), (expected_arrays, expected_values) = training.state(), expected.state()
    assert values == expected_values
    for array, expected_array in zip(arrays, expected_arrays, strict=True):
        np.testing.assert_array_equal(array, expected_array)


@pytest.fixture(autouse=True)
def two_steps_per_call(monkeypatch):
    """Four calls per epoch, and a checkpoint after each of them."""
    original_begin = fit.EpochRunner.begin

    def begin(self, epoch):
        original_begin(self, epoch)
        self.steps_per_call = 2

    monkeypatch.setattr(fit.EpochRunner, "begin", begin)
    monkeypatch.setattr(fit.EpochRunner, "adapt_steps_per_call", lambda self, seconds: None)
    monkeypatch.setattr(training_checkpoint, "EPOCH_END_INTERVAL_SECONDS", -1.0)
    monkeypatch.setattr(training_checkpoint, "MID_EPOCH_INTERVAL_MINUTES", -1.0)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A training without kills, checkpoints and calls of two steps."""
    return Training(tmp_path_factory.mktemp("uninterrupted") / "run")


@pytest.mark.parametrize(
    ("kills", "only_epochs", "expected"),
    [
        ([3, 2, 7], False, [(0, 0), (0, 32), (0, 48), (1, 53)]),
        ([7], True, [(0, 0), (1, 0)]),
    ],
    ids=["saved after every call", "saved after every epoch"],
)
def test_a_training_killed_several_times_ends_as_an_uninterrupted_one(
    kills, only_epochs, expected, uninterrupted, tmp_path
):
    starts = []
    for kill in kills:
        with pytest.raises(Killed):
            Training(tmp_path / "run", kill=kill, only_epochs=only_epochs, starts=starts)
    last = Training(tmp_path / "run", only_epochs=only_epochs, starts=starts)
    assert starts == expected
    assert last.resumed
    assert (uninterrupted.best.best_epoch, uninterrupted.best.wait) == (
        1,
        2,
    )  # the best weights are from before the last kill
    assert_same(last, uninterrupted)
    lines = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert lines == last.journal.lines
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]


def test_a_training_after_early_stopping_is_not_continued(tmp_path):
    """Killed after the last checkpoint and before the model is written: only the best weights are restored."""
    options = {"monitor": "loss", "mode": "max", "patience": 1}  # the first epoch is the best, the second the last
    first = Training(tmp_path / "run", **options)
    second = Training(tmp_path / "run", **options)
    assert [len(training.journal.lines) for training in (first, second)] == [2, 2]
    assert second.resumed
    assert_same(second, first)


# files


class State(keras.callbacks.Callback):
    """A callback that only has a state."""

    def __init__(self, number=0):
        super().__init__()
        self.number = number

    def state(self):
        return {"number": self.number, "nan": float("nan"), "arrays": [np.float32(self.number), np.full((2, 3), 7)]}

    def set_state(self, state):
        self.number, self.nan, self.arrays = state["number"], state["nan"], state["arrays"]


def small_model(dim=2, policy="float32"):
    model = keras.Sequential([keras.Input((dim,)), keras.layers.Dense(1, dtype=policy), keras.layers.Dropout(0.5)])
    adam = keras.optimizers.Adam()
    model.compile(adam if policy == "float32" else keras.optimizers.LossScaleOptimizer(adam), "mse")
    return model


def make_checkpoint(folder, model=None, number=0, epoch=0, rows_done=0, interval_minutes=None):
    stateful = [State(number), keras.callbacks.History()]
    checkpoint = Checkpoint(folder, fit.EpochPosition(epoch, rows_done), stateful, interval_minutes=interval_minutes)
    checkpoint.set_params({"epochs": 100})
    if model is not None:
        checkpoint.set_model(model)
    return checkpoint


def save_epochs(folder, *epochs):
    """Write a checkpoint after each of these epochs; every variable has the value of its epoch."""
    model = small_model()
    model.optimizer.build(model.trainable_variables)
    for epoch in epochs:
        for variable in [*model.variables, *model.optimizer.variables]:
            variable.assign(np.full(variable.shape, epoch))
        make_checkpoint(folder, model, number=epoch, epoch=epoch).save()
    return sorted(folder.glob("*"))


def restore_epoch(folder):
    """Restore a new model; return epoch, state of the callback and values of the variables, or None."""
    model, checkpoint = small_model(), make_checkpoint(folder)
    if not checkpoint.restore(model):
        assert (checkpoint.position.epoch, checkpoint.position.rows_done) == (0, 0)
        return None
    values = {float(v) for variable in [*model.variables, *model.optimizer.variables] for v in np.ravel(variable)}
    return checkpoint.position.epoch, checkpoint.callbacks[0].number, values


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def test_only_the_last_two_checkpoints_remain(tmp_path):
    files = save_epochs(tmp_path / "new", 1, 2, 3, 9, 10)
    assert [file.name[:19] for file in files] == ["000009-000000000000", "000010-000000000000"]
    assert restore_epoch(tmp_path / "new") == (10, 10, {10.0})


@pytest.mark.parametrize("damage", [truncate, flip, empty])
def test_a_damaged_checkpoint_is_skipped_for_the_previous_one(damage, tmp_path, caplog):
    files = save_epochs(tmp_path, 1, 2)
    damage(files[1])
    assert restore_epoch(tmp_path) == (1, 1, {1.0})
    assert caplog.messages == [f"Damaged checkpoint, using the previous one: {files[1]}"]
    damage(files[0])
    assert restore_epoch(tmp_path) is None


def test_without_checkpoints_nothing_is_restored(tmp_path):
    assert restore_epoch(tmp_path / "none") is None


def test_a_checkpoint_is_written_atomically(tmp_path, monkeypatch):
    save_epochs(tmp_path, 1)

    def fail(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match=r"space for a checkpoint; free some, .*, No space left"):
        save_epochs(tmp_path, 2)
    assert not list(tmp_path.glob("*.part"))
    assert restore_epoch(tmp_path) == (1, 1, {1.0})


def test_a_checkpoint_contains_no_pickled_objects(tmp_path):
    with np.load(save_epochs(tmp_path, 1)[0], allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays)


def test_the_state_of_a_callback_is_restored(tmp_path):
    make_checkpoint(tmp_path, built_model(), number=5).save()
    checkpoint = make_checkpoint(tmp_path)
    checkpoint.restore(small_model())
    state = checkpoint.callbacks[0]
    assert state.number == 5
    assert np.isnan(state.nan)
    np.testing.assert_array_equal(state.arrays[0], 5)
    np.testing.assert_array_equal(state.arrays[1], np.full((2, 3), 7))


def built_model(**options):
    model = small_model(**options)
    model.optimizer.build(model.trainable_variables)
    return model


def test_the_loss_scale_of_half_precision_is_restored(tmp_path):
    model = built_model(policy="mixed_float16")
    for i, variable in enumerate(model.optimizer.variables):
        variable.assign(np.full(variable.shape, i + 1))
    make_checkpoint(tmp_path, model).save()
    new_model = small_model(policy="mixed_float16")
    for _ in range(2):  # the second time the optimizer is built already
        make_checkpoint(tmp_path).restore(new_model)
        variables = zip(model.optimizer.variables, new_model.optimizer.variables, strict=True)
        assert all((a.numpy() == b.numpy()).all() for a, b in variables)
    assert (
        float(new_model.optimizer.dynamic_scale) == float(model.optimizer.dynamic_scale) < 100
    )  # its initial value is 32,768


def test_another_model_raises_and_stays_unchanged(tmp_path):
    save_epochs(tmp_path, 1)
    for model in (small_model(dim=3), keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])):
        model.compile("adam", "mse")
        values = [v.numpy() for v in model.variables]
        with pytest.raises(ValueError, match=r"must be the one that was saved. Received: .*, saved: "):
            make_checkpoint(tmp_path).restore(model)
        for variable, value in zip(model.variables, values, strict=True):
            np.testing.assert_array_equal(variable, value)


# time and signals


def test_checkpoints_are_saved_at_intervals(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(training_checkpoint.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(training_checkpoint, "EPOCH_END_INTERVAL_SECONDS", 20.0)
    checkpoint, save_times = make_checkpoint(tmp_path, built_model(), interval_minutes=3), []
    checkpoint.save = lambda: save_times.append(now[0])
    checkpoint.model.stop_training = False
    for second in (0, 10, 20, 21, 180, 181):
        now[0] = float(second)
        checkpoint.on_train_batch_end(0)
    assert save_times == [181.0]
    save_times.clear()
    for second in (0, 20, 21):
        now[0] = float(second)
        checkpoint.on_epoch_end(0)
    assert save_times == [21.0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("event", ["on_train_batch_end", "on_epoch_end"])
def test_a_signal_saves_and_stops_at_the_next_callback(number, event, tmp_path, monkeypatch):
    monkeypatch.setattr(training_checkpoint, "EPOCH_END_INTERVAL_SECONDS", 1e9)
    monkeypatch.setattr(training_checkpoint, "MID_EPOCH_INTERVAL_MINUTES", 1e9)
    checkpoint = make_checkpoint(tmp_path / "run" / "checkpoints", built_model(), epoch=3, rows_done=16)
    handler = signal.getsignal(number)
    checkpoint.folder.parent.mkdir()
    checkpoint.model.stop_training = False
    with stopping(checkpoint):
        getattr(checkpoint, event)(3)
        assert not checkpoint.folder.exists()
        checkpoint.position.epoch, checkpoint.position.rows_done = 3, 16
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted, match="stopped and saved; continue with --resume") as stopped:
            getattr(checkpoint, event)(3)
    assert stopped.value.signal == number
    assert str(stopped.value).endswith(str(checkpoint.folder.parent))
    assert signal.getsignal(number) is handler
    restored = make_checkpoint(checkpoint.folder)
    assert restored.restore(small_model())
    assert (restored.position.epoch, restored.position.rows_done) == (
        (3, 16) if event == "on_train_batch_end" else (4, 0)
    )


def test_a_second_signal_stops_at_once(tmp_path):
    handler = signal.getsignal(signal.SIGINT)
    with stopping(make_checkpoint(tmp_path)):
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is handler


def test_in_a_thread_signal_handlers_stay_unchanged(tmp_path):
    finished = []

    def enter_context():
        with stopping(make_checkpoint(tmp_path)):
            finished.append(True)

    thread = threading.Thread(target=enter_context)
    thread.start()
    thread.join()
    assert finished == [True]
