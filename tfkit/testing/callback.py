"""The contract of a callback."""

import copy
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tfkit.testing.judge import Judge, difference

BATCHES = 2  # steps of an epoch
BAD = (math.nan, math.inf, -math.inf)


def check_callback(
    make: Callable[[], Any], logs: Sequence[dict[str, Any]], *, monitor: str | None = None, mode: str = "min"
) -> None:
    """Hold a callback to what a training that may break off needs of it, and say in a sentence what it is not.

    Nothing is trained: a small compiled model takes steps that are made up, and the callback is told these logs, epoch
    by epoch. What it decides (stop, learning rate, weights, an error) is noted after each. Checked:

    * two callbacks made alike decide the same, and so does a deep copy, as a tuner makes one;
    * where it has `state()` and `set_state(state)`: broken off after any epoch and taken up by a new callback (which is
      given the state before `on_train_begin`), it decides the same as straight through; the state is plain values and
      arrays, so JSON and `np.savez` keep it, and no part of it changes later;
    * where it has a `monitor`: one that is not in the logs raises an error with its name after the first epoch; while
      the metric gets better nothing is stopped and no rate is cut; a NaN or an infinity on the way is not taken for the
      best and spoils nothing after it.

    Args:
        make: Makes a new callback, such as `lambda: EarlyStopping("val_loss", patience=2)`.
        logs: What `fit` would report after each epoch, at least 2 of them, which should let the callback act.
        monitor: Name of the metric that it decides by, if there is one.
        mode: Whether that is better when smaller (`"min"`) or larger (`"max"`).

    Raises:
        AssertionError: With a sentence that says what is wrong and what to do.

    Example:
        >>> import tfkit
        >>> logs = [{"loss": 9.0, "val_loss": value} for value in (3.0, 2.0, 2.5, 1.0, 1.5, 1.2)]
        >>> def make():
        ...     return tfkit.callbacks.EarlyStopping("val_loss", patience=2)
        >>> tfkit.testing.check_callback(make, logs, monitor="val_loss")
    """
    judge = Judge(type(make()).__name__, 0.0)
    straight = Drive(make()).go(logs)
    judge.expect(
        _same(Drive(make()).go(logs), straight),
        "A second one, made alike, decides otherwise. Keep in `self` what it learns.",
    )
    with judge.attempt(
        "It must be possible to copy it before it is used. Open files and take locks in "
        "`on_train_begin`, not in the constructor."
    ):
        copied = copy.deepcopy(make())
    judge.expect(_same(Drive(copied).go(logs), straight), "A deep copy decides otherwise than what it was made from.")
    if hasattr(make(), "state"):
        for epoch in range(1, len(straight.decisions)):
            _check_taken_up(judge, make, logs, straight, epoch)
    if monitor:
        _check_monitor(judge, make, logs[0], monitor)
        _check_not_finite(judge, make, logs[0], monitor, mode)


class Drive:
    """A small model that a callback watches, and what it decided after each epoch."""

    def __init__(self, callback: Any):
        self.callback, self.decisions = callback, []  # type: ignore[var-annotated]
        self.model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
        self.model.compile(keras.optimizers.SGD(0.5), "mse")
        self.model.optimizer.build(self.model.trainable_variables)
        self.model.stop_training = False

    @property
    def variables(self) -> list[Any]:
        """All that training changes."""
        return [*self.model.variables, *self.model.optimizer.variables]

    def values(self) -> list[np.ndarray]:
        """The variables as arrays."""
        return [keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(one)) for one in self.variables]

    def begin(self, epochs: int) -> None:
        """What `fit` says before the first epoch."""
        self.callback.set_params({"verbose": 0, "epochs": epochs, "steps": BATCHES})
        self.callback.set_model(self.model)
        self.callback.on_train_begin()

    def go(self, logs: Sequence[dict[str, Any]], first: int = 0) -> "Drive":
        """Begin, go through the epochs from `first` on as far as the callback lets it, and end."""
        self.begin(len(logs))
        for epoch in range(first, len(logs)):
            if not self.epoch(epoch, logs[epoch]):
                return self
        self.end()
        return self

    def epoch(self, epoch: int, logs: dict[str, Any]) -> bool:
        """One epoch, and what was decided; False where training is over."""
        error, stays = "", {name: value for name, value in logs.items() if not name.startswith("val_")}
        try:
            self.callback.on_epoch_begin(epoch)
            for batch in range(BATCHES):
                self.callback.on_train_batch_begin(batch)
                self._step(np.random.default_rng([epoch, batch]))
                self.callback.on_train_batch_end(batch, dict(stays))
            self.callback.on_test_begin()
            self.callback.on_test_end({name.removeprefix("val_"): v for name, v in logs.items() if name not in stays})
            self.callback.on_epoch_end(epoch, dict(logs))
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        rate = float(self.model.optimizer.learning_rate)
        self.decisions.append((error, bool(self.model.stop_training), rate, self.values()))
        if self.model.stop_training and not error:
            self.end()
        return not (error or self.model.stop_training)

    def _step(self, random: np.random.Generator) -> None:
        """What a step of gradient descent would change."""
        optimizer = self.model.optimizer
        for weight in self.model.trainable_variables:
            weight.assign_sub(optimizer.learning_rate * random.normal(size=weight.shape).astype("float32"))
        optimizer.iterations.assign_add(1)

    def end(self) -> None:
        """What `fit` says after the last epoch, and what that decides."""
        self.callback.on_train_end()
        self.decisions.append(("", True, float(self.model.optimizer.learning_rate), self.values()))


def _same(one: Drive, other: Drive) -> bool:
    """Whether two callbacks decided the same, as far back as both were there."""
    pairs = list(zip(one.decisions[::-1], other.decisions[::-1], strict=False))
    return all(a[:3] == b[:3] and difference(a[3], b[3]) == 0 for a, b in pairs)


def _check_taken_up(
    judge: Judge, make: Callable[[], Any], logs: Sequence[dict[str, Any]], straight: Drive, cut: int
) -> None:
    """Broken off after `cut` epochs and taken up by another callback, it decides as it did straight through."""
    first = Drive(make())
    first.begin(len(logs))
    if cut >= len(logs) or not all(first.epoch(epoch, logs[epoch]) for epoch in range(cut)):
        return
    state = first.callback.state()
    written = _written(judge, state)
    values = first.values()
    second = Drive(make())
    for variable, value in zip(second.variables, values, strict=True):
        variable.assign(value)
    second.callback.set_state(_read(json.loads(json.dumps(written))))
    second.go(logs, cut)
    judge.expect(
        len(second.decisions) == len(straight.decisions) - cut and _same(second, straight),
        f"Broken off after epoch {cut} and taken up with `set_state`, it decides otherwise than straight "
        "through. Put into `state` all that it decides by, and let `on_train_begin` keep it.",
    )
    for epoch in range(cut, len(logs)):
        if not first.epoch(epoch, logs[epoch]):
            break
    judge.expect(
        json.dumps(_written(judge, state)) == json.dumps(written),
        "What `state` returned changes as training goes on. Return copies of lists and arrays.",
    )


def _check_monitor(judge: Judge, make: Callable[[], Any], logs: dict[str, Any], monitor: str) -> None:
    """A metric that is not there is an error with its name, not a training that never stops."""
    drive = Drive(make()).go([{name: value for name, value in logs.items() if name != monitor}])
    judge.expect(
        monitor in drive.decisions[0][0],
        f"Where the logs have no `{monitor}`, `on_epoch_end` must raise a ValueError with this name and those "
        "that there are.",
    )


def _check_not_finite(judge: Judge, make: Callable[[], Any], logs: dict[str, Any], monitor: str, mode: str) -> None:
    """A value that is no number is the worst there is, and leaves no trace."""
    better = [{**logs, monitor: value if mode == "min" else -value} for value in np.linspace(2.0, 1.0, 12).tolist()]
    plain = Drive(make()).go(better)
    judge.expect(
        len(plain.decisions) == len(better) + 1 and len({one[2] for one in plain.decisions}) == 1,
        f"It stops or cuts the rate although `{monitor}` gets better each epoch (mode={mode!r}).",
    )
    for bad in BAD:
        for place in (0, 3):
            drive = Drive(make()).go([*better[:place], {**logs, monitor: bad}, *better[place:]])
            if len(drive.decisions) <= place + 2:
                continue  # it ended at once, which is its right
            after = drive.decisions[place:]
            judge.expect(
                len(drive.decisions) == len(better) + 2 and len({one[2] for one in after}) == 1,
                f"After one {bad} in `{monitor}` it stops or cuts the rate although the metric gets better "
                "each epoch. Take what is not finite for the worst there is.",
            )
            kept = difference(plain.decisions[-1][3], plain.decisions[-2][3]) == 0
            judge.expect(
                not kept or difference(after[-1][3], after[-2][3]) == 0,
                f"After one {bad} in `{monitor}` it does not keep the best weights: the last.",
            )


def _written(judge: Judge, state: Any) -> Any:
    """The state as JSON; an array as its type, shape and numbers."""
    if isinstance(state, dict):
        judge.expect(all(isinstance(name, str) for name in state), "`state` has names that are no strings.")
        return {"dict": {name: _written(judge, value) for name, value in state.items()}}
    if isinstance(state, (list, tuple)):
        return [_written(judge, value) for value in state]
    if isinstance(state, (np.ndarray, np.generic)) and state.dtype.kind in "biuf":
        return {"array": [state.dtype.name, state.shape, np.asarray(state).ravel().tolist()]}
    judge.expect(
        state is None or isinstance(state, (bool, int, float, str)),
        f"`state` holds a {type(state).__name__}. Return plain values, lists, dictionaries and NumPy arrays, "
        "which can be written down without pickle.",
    )
    return state


def _read(written: Any) -> Any:
    """What `_written` wrote."""
    if isinstance(written, list):
        return [_read(value) for value in written]
    if not isinstance(written, dict):
        return written
    if "array" in written:
        dtype, shape, values = written["array"]
        return np.array(values, dtype).reshape(shape)
    return {name: _read(value) for name, value in written["dict"].items()}
