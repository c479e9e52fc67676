import errno
import json
import os
import signal
import threading

import keras
import numpy as np
import pytest

from tfkit import callbacks, loop, resume
from tfkit.errors import Interrupted, UserError
from tfkit.optimizers import optimizer
from tfkit.resume import Checkpoint, stopping

ROWS, BATCH, EPOCHS = 53, 8, 4  # 7 steps an epoch
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(ROWS, 4)).astype("float32")
Y = (X[:, 0] * X[:, 1]).astype("float32")


class Killed(Exception):
    """What stands for the end of the process."""


class Kill(keras.callbacks.Callback):
    """Kill the process at an event, the end of a call or of an epoch, just before the checkpoint could save it."""

    def __init__(self, event):
        super().__init__()
        self.left = event

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise Killed

    on_epoch_end = on_train_batch_end


class Training:
    """One process that trains, from where the folder stands, to its end or until it is killed."""

    def __init__(self, folder, *, kill=None, monitor="val_loss", mode=None, patience=3, only_epochs=False, begun=None):
        keras.utils.set_random_seed(99 if folder.exists() else 1)  # what a resumed process begins with does not matter
        folder.mkdir(exist_ok=True)
        self.place, self.model = loop.Place(), self.network()
        self.best = callbacks.EarlyStopping(monitor, mode=mode, patience=patience, min_delta=0.06)
        self.journal = callbacks.Journal(folder / "journal.jsonl")
        watching = [callbacks.StopOnNonFinite(), self.best, self.journal]
        self.checkpoint = Checkpoint(folder / "checkpoints", self.place, watching)
        if only_epochs:
            self.checkpoint.on_train_batch_end = lambda batch, logs=None: None
        self.resumed = self.checkpoint.restore(self.model)
        if begun is not None:
            begun.append((self.place.epoch, self.place.done))
        loop.fit(
            self.model,
            X,
            Y,
            batch_size=BATCH,
            epochs=EPOCHS,
            seed=2,
            validation_data=(X[:20], Y[:20]),
            callbacks=[*watching, *([Kill(kill)] if kill else []), self.checkpoint],
            place=self.place,
            initial_epoch=self.place.epoch,
        )

    @staticmethod
    def network():
        layers = [keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.3), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((4,)), *layers])
        adamw = optimizer("adamw", learning_rate=0.02, decay="cosine", steps=7 * EPOCHS, weight_decay=0.01)
        model.compile(adamw, "mse")
        model.optimizer.build(model.trainable_variables)  # halves the time that tracing takes
        return model

    def all(self):
        """Everything that must be as if nothing had been: arrays, and plain values."""
        arrays = [v.numpy() for v in [*self.model.variables, *self.model.optimizer.variables]] + self.best.weights
        lines = [{name: value for name, value in line.items() if name != "seconds"} for line in self.journal.lines]
        return arrays, [lines, self.best.best, self.best.best_epoch, self.best.wait]


def assert_same(one, other):
    (arrays, plain), (others, others_plain) = one.all(), other.all()
    assert plain == others_plain
    for a, b in zip(arrays, others, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(autouse=True)
def two_steps_a_call(monkeypatch):
    """Four calls an epoch, and a checkpoint at each of them."""
    start = loop._Order.begin

    def begin(self, epoch):
        start(self, epoch)
        self.a_call = 2

    monkeypatch.setattr(loop._Order, "begin", begin)
    monkeypatch.setattr(loop._Order, "pace", lambda self, seconds: None)
    monkeypatch.setattr(resume, "SECONDS_BETWEEN", -1.0)
    monkeypatch.setattr(resume, "MINUTES_INSIDE", -1.0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The training that nobody killed (nor cut into calls of two steps, nor saved)."""
    return Training(tmp_path_factory.mktemp("whole") / "run")


@pytest.mark.parametrize(
    ("kills", "only_epochs", "expected"),
    [
        ([3, 2, 7], False, [(0, 0), (0, 32), (0, 48), (1, 53)]),
        ([7], True, [(0, 0), (1, 0)]),
    ],
    ids=["saved at every call", "saved at every epoch"],
)
def test_a_training_that_is_killed_again_and_again_ends_as_one_that_is_not(
    kills, only_epochs, expected, whole, tmp_path
):
    begun = []
    for kill in kills:
        with pytest.raises(Killed):
            Training(tmp_path / "run", kill=kill, only_epochs=only_epochs, begun=begun)
    last = Training(tmp_path / "run", only_epochs=only_epochs, begun=begun)
    assert begun == expected
    assert last.resumed
    assert (whole.best.best_epoch, whole.best.wait) == (1, 2)  # the best weights are from before the last kill
    assert_same(last, whole)
    written = [json.loads(line) for line in (tmp_path / "run" / "journal.jsonl").read_text().splitlines()]
    assert written == last.journal.lines
    assert [line["epoch"] for line in written] == [1, 2, 3, 4]


def test_a_training_that_was_stopped_early_is_not_gone_on_with(tmp_path):
    """Killed after the last checkpoint and before its model was written: the best weights are put back, no more."""
    options = {"monitor": "loss", "mode": "max", "patience": 1}  # the first epoch is the best, the second the last
    first = Training(tmp_path / "run", **options)
    second = Training(tmp_path / "run", **options)
    assert [len(one.journal.lines) for one in (first, second)] == [2, 2]
    assert second.resumed
    assert_same(second, first)


# files


class State(keras.callbacks.Callback):
    """A callback with nothing but a state."""

    def __init__(self, number=0):
        super().__init__()
        self.number = number

    def state(self):
        return {"number": self.number, "nan": float("nan"), "arrays": [np.float32(self.number), np.full((2, 3), 7)]}

    def set_state(self, state):
        self.number, self.nan, self.arrays = state["number"], state["nan"], state["arrays"]


def small(dim=2, policy="float32"):
    model = keras.Sequential([keras.Input((dim,)), keras.layers.Dense(1, dtype=policy), keras.layers.Dropout(0.5)])
    adam = keras.optimizers.Adam()
    model.compile(adam if policy == "float32" else keras.optimizers.LossScaleOptimizer(adam), "mse")
    return model


def checkpoint(folder, model=None, number=0, epoch=0, done=0, minutes=None):
    made = Checkpoint(folder, loop.Place(epoch, done), [State(number), keras.callbacks.History()], minutes=minutes)
    made.set_params({"epochs": 100})
    if model is not None:
        made.set_model(model)
    return made


def saved(folder, *epochs):
    """A folder with a checkpoint after each of these epochs; every variable has the number of its epoch."""
    model = small()
    model.optimizer.build(model.trainable_variables)
    for epoch in epochs:
        for variable in [*model.variables, *model.optimizer.variables]:
            variable.assign(np.full(variable.shape, epoch))
        checkpoint(folder, model, number=epoch, epoch=epoch).save()
    return sorted(folder.glob("*"))


def restored(folder):
    """Epoch, state of the callback and what the variables of a new model hold after a restore; None where nothing."""
    model, made = small(), checkpoint(folder)
    if not made.restore(model):
        assert (made.place.epoch, made.place.done) == (0, 0)
        return None
    values = {float(v) for variable in [*model.variables, *model.optimizer.variables] for v in np.ravel(variable)}
    return made.place.epoch, made.callbacks[0].number, values


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def test_only_the_last_two_are_kept(tmp_path):
    files = saved(tmp_path / "new", 1, 2, 3, 9, 10)
    assert [file.name[:19] for file in files] == ["000009-000000000000", "000010-000000000000"]
    assert restored(tmp_path / "new") == (10, 10, {10.0})


@pytest.mark.parametrize("damage", [truncate, flip, empty])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(damage, tmp_path, caplog):
    files = saved(tmp_path, 1, 2)
    damage(files[1])
    assert restored(tmp_path) == (1, 1, {1.0})
    assert caplog.messages == [f"Damaged, so the checkpoint before it is used: {files[1]}"]
    damage(files[0])
    assert restored(tmp_path) is None


def test_a_folder_without_checkpoints_is_a_beginning(tmp_path):
    assert restored(tmp_path / "none") is None


def test_a_checkpoint_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    saved(tmp_path, 1)

    def fail(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match=r"room for a checkpoint; free some, .*, No space left"):
        saved(tmp_path, 2)
    assert not list(tmp_path.glob("*.part"))
    assert restored(tmp_path) == (1, 1, {1.0})


def test_a_checkpoint_is_data_and_no_program(tmp_path):
    with np.load(saved(tmp_path, 1)[0], allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays)


def test_the_state_of_a_callback_comes_back_as_it_was(tmp_path):
    checkpoint(tmp_path, small_built(), number=5).save()
    made = checkpoint(tmp_path)
    made.restore(small())
    state = made.callbacks[0]
    assert state.number == 5
    assert np.isnan(state.nan)
    np.testing.assert_array_equal(state.arrays[0], 5)
    np.testing.assert_array_equal(state.arrays[1], np.full((2, 3), 7))


def small_built(**options):
    model = small(**options)
    model.optimizer.build(model.trainable_variables)
    return model


def test_half_precision_comes_back_with_its_loss_scale(tmp_path):
    model = small_built(policy="mixed_float16")
    for i, variable in enumerate(model.optimizer.variables):
        variable.assign(np.full(variable.shape, i + 1))
    checkpoint(tmp_path, model).save()
    other = small(policy="mixed_float16")
    for _ in range(2):  # the second time the optimizer is built
        checkpoint(tmp_path).restore(other)
        variables = zip(model.optimizer.variables, other.optimizer.variables, strict=True)
        assert all((a.numpy() == b.numpy()).all() for a, b in variables)
    assert float(other.optimizer.dynamic_scale) == float(model.optimizer.dynamic_scale) < 100  # it begins at 32,768


def test_another_model_is_refused_and_left_as_it_is(tmp_path):
    saved(tmp_path, 1)
    for other in (small(dim=3), keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])):
        other.compile("adam", "mse")
        before = [v.numpy() for v in other.variables]
        with pytest.raises(ValueError, match=r"must be the one that was saved. Received: .*, saved: "):
            checkpoint(tmp_path).restore(other)
        for variable, value in zip(other.variables, before, strict=True):
            np.testing.assert_array_equal(variable, value)


# the clock and the signals


def test_the_clock_says_when_to_save(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(resume.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(resume, "SECONDS_BETWEEN", 20.0)
    made, saves = checkpoint(tmp_path, small_built(), minutes=3), []
    made.save = lambda: saves.append(now[0])
    made.model.stop_training = False
    for second in (0, 10, 20, 21, 180, 181):
        now[0] = float(second)
        made.on_train_batch_end(0)
    assert saves == [181.0]
    saves.clear()
    for second in (0, 20, 21):
        now[0] = float(second)
        made.on_epoch_end(0)
    assert saves == [21.0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["on_train_batch_end", "on_epoch_end"])
def test_a_signal_saves_and_stops_at_the_next_moment_that_can_be_saved(number, moment, tmp_path, monkeypatch):
    monkeypatch.setattr(resume, "SECONDS_BETWEEN", 1e9)
    monkeypatch.setattr(resume, "MINUTES_INSIDE", 1e9)
    made = checkpoint(tmp_path / "run" / "checkpoints", small_built(), epoch=3, done=16)
    before = signal.getsignal(number)
    made.folder.parent.mkdir()
    made.model.stop_training = False
    with stopping(made):
        getattr(made, moment)(3)
        assert not made.folder.exists()
        made.place.epoch, made.place.done = 3, 16
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted, match="stopped and saved; go on with --resume") as stopped:
            getattr(made, moment)(3)
    assert stopped.value.signal == number
    assert str(stopped.value).endswith(str(made.folder.parent))
    assert signal.getsignal(number) is before
    other = checkpoint(made.folder)
    assert other.restore(small())
    assert (other.place.epoch, other.place.done) == ((3, 16) if moment == "on_train_batch_end" else (4, 0))


def test_a_second_signal_stops_at_once(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    with stopping(checkpoint(tmp_path)):
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_in_a_thread_signals_are_left_to_whoever_runs_it(tmp_path):
    done = []

    def work():
        with stopping(checkpoint(tmp_path)):
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
