"""The contract check of a callback."""

import copy
import json
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from tfkit.testing.expectations import Checker, relative_difference

STEPS_PER_EPOCH = 2

NON_FINITE = (math.nan, math.inf, -math.inf)


def check_callback(
    make: Callable[[], Any], logs: Sequence[dict[str, Any]], *, monitor: str | None = None, mode: str = "min"
) -> None:
    """Check that a callback is reproducible, resumable and robust to NaN.

    No real training runs: the weights of a small compiled model change by random steps, and the callback receives the
    given logs, one per epoch. After each epoch the decisions of the callback are recorded: stop, learning rate,
    weights, error. Checked:

    * two callbacks created by `make` decide the same, and so does a deep copy, as a tuner creates it;
    * if the callback has `state()` and `set_state(state)`: interrupted after any epoch and continued by a new callback
      (`set_state` is called before `on_train_begin`), it decides the same as without interruption; the state consists
      of plain values and arrays, so that JSON and `np.savez` can store it, and does not change afterwards;
    * if it has a `monitor`: a metric that is not in the logs raises an error with its name after the first epoch;
      while the metric improves, training is not stopped and the learning rate is not lowered; a NaN or an infinite
      value is not the best value and has no effect on later epochs.

    Args:
        make: Creates a new callback, such as `lambda: EarlyStopping("val_loss", patience=2)`.
        logs: Logs as `fit` reports them after each epoch, at least 2, which should make the callback act.
        monitor: Name of the metric that the callback monitors, or None.
        mode: Whether smaller (`"min"`) or larger (`"max"`) values of the metric are better.

    Raises:
        AssertionError: With a sentence that says what is wrong and how to fix it.

    Example:
        >>> import tfkit
        >>> logs = [{"loss": 9.0, "val_loss": value} for value in (3.0, 2.0, 2.5, 1.0, 1.5, 1.2)]
        >>> def make():
        ...     return tfkit.callbacks.EarlyStopping("val_loss", patience=2)
        >>> tfkit.testing.check_callback(make, logs, monitor="val_loss")
    """
    checker = Checker(type(make()).__name__, 0.0)
    uninterrupted = SimulatedTraining(make()).run(logs)
    checker.expect(
        _same_decisions(SimulatedTraining(make()).run(logs), uninterrupted),
        "A second callback created in the same way decides differently. Store all state in `self`.",
    )
    with checker.attempt(
        "It must be possible to copy it before it is used. Open files and create locks in "
        "`on_train_begin`, not in the constructor."
    ):
        copied = copy.deepcopy(make())
    checker.expect(
        _same_decisions(SimulatedTraining(copied).run(logs), uninterrupted),
        "A deep copy decides differently from the original.",
    )
    if hasattr(make(), "state"):
        for epoch in range(1, len(uninterrupted.decisions)):
            _check_resumed(checker, make, logs, uninterrupted, epoch)
    if monitor:
        _check_monitor(checker, make, logs[0], monitor)
        _check_non_finite(checker, make, logs[0], monitor, mode)


class Decision(NamedTuple):
    """What a callback has decided by the end of an epoch."""

    error: str
    stopped: bool
    learning_rate: float
    weights: list[np.ndarray]


class SimulatedTraining:
    """A simulated training of a small model with a callback.

    The decision of the callback after each epoch is recorded.
    """

    def __init__(self, callback: Any):
        self.callback = callback
        self.decisions: list[Decision] = []
        self.model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
        self.model.compile(keras.optimizers.SGD(0.5), "mse")
        self.model.optimizer.build(self.model.trainable_variables)
        self.model.stop_training = False

    @property
    def variables(self) -> list[Any]:
        """The variables that training changes."""
        return [*self.model.variables, *self.model.optimizer.variables]

    def values(self) -> list[np.ndarray]:
        """Return the variables as arrays."""
        return [keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(variable)) for variable in self.variables]

    def begin(self, epochs: int) -> None:
        """Call the callback as `fit` does before the first epoch."""
        self.callback.set_params({"verbose": 0, "epochs": epochs, "steps": STEPS_PER_EPOCH})
        self.callback.set_model(self.model)
        self.callback.on_train_begin()

    def run(self, logs: Sequence[dict[str, Any]], first_epoch: int = 0) -> "SimulatedTraining":
        """Run the epochs from `first_epoch` on, until the callback stops training."""
        self.begin(len(logs))
        for epoch in range(first_epoch, len(logs)):
            if not self.run_epoch(epoch, logs[epoch]):
                return self
        self.end()
        return self

    def run_epoch(self, epoch: int, logs: dict[str, Any]) -> bool:
        """Run one epoch and record the decision; return False if training is over."""
        error, train_logs = "", {name: value for name, value in logs.items() if not name.startswith("val_")}
        val_logs = {name.removeprefix("val_"): value for name, value in logs.items() if name not in train_logs}
        try:
            self.callback.on_epoch_begin(epoch)
            for batch in range(STEPS_PER_EPOCH):
                self.callback.on_train_batch_begin(batch)
                self._random_step(np.random.default_rng([epoch, batch]))
                self.callback.on_train_batch_end(batch, dict(train_logs))
            self.callback.on_test_begin()
            self.callback.on_test_end(val_logs)
            self.callback.on_epoch_end(epoch, dict(logs))
        except Exception as exception:
            error = f"{type(exception).__name__}: {exception}"
        learning_rate = float(self.model.optimizer.learning_rate)
        self.decisions.append(Decision(error, bool(self.model.stop_training), learning_rate, self.values()))
        if self.model.stop_training and not error:
            self.end()
        return not (error or self.model.stop_training)

    def _random_step(self, random: np.random.Generator) -> None:
        """Change the weights as a step of gradient descent with a random gradient."""
        optimizer = self.model.optimizer
        for weight in self.model.trainable_variables:
            weight.assign_sub(optimizer.learning_rate * random.normal(size=weight.shape).astype("float32"))
        optimizer.iterations.assign_add(1)

    def end(self) -> None:
        """Call the callback as `fit` does after the last epoch, and record the decision."""
        self.callback.on_train_end()
        self.decisions.append(Decision("", True, float(self.model.optimizer.learning_rate), self.values()))


def _same_decisions(first: SimulatedTraining, second: SimulatedTraining) -> bool:
    """Compare the last decisions of two callbacks, as many as both have."""
    pairs = list(zip(first.decisions[::-1], second.decisions[::-1], strict=False))
    return all(a[:3] == b[:3] and relative_difference(a.weights, b.weights) == 0 for a, b in pairs)


def _check_resumed(
    checker: Checker,
    make: Callable[[], Any],
    logs: Sequence[dict[str, Any]],
    uninterrupted: SimulatedTraining,
    stop_epoch: int,
) -> None:
    """Check that a new callback resumes after `stop_epoch` with the same decisions."""
    first = SimulatedTraining(make())
    first.begin(len(logs))
    if stop_epoch >= len(logs) or not all(first.run_epoch(epoch, logs[epoch]) for epoch in range(stop_epoch)):
        return
    state = first.callback.state()
    encoded = _encode(checker, state)
    values = first.values()
    resumed = SimulatedTraining(make())
    for variable, value in zip(resumed.variables, values, strict=True):
        variable.assign(value)
    resumed.callback.set_state(_decode(json.loads(json.dumps(encoded))))
    resumed.run(logs, stop_epoch)
    checker.expect(
        len(resumed.decisions) == len(uninterrupted.decisions) - stop_epoch and _same_decisions(resumed, uninterrupted),
        f"Interrupted after epoch {stop_epoch} and resumed with `set_state`, it decides differently than without "
        "interruption. Return from `state` everything that decisions depend on, and do not reset it in "
        "`on_train_begin`.",
    )
    for epoch in range(stop_epoch, len(logs)):
        if not first.run_epoch(epoch, logs[epoch]):
            break
    checker.expect(
        json.dumps(_encode(checker, state)) == json.dumps(encoded),
        "The value returned by `state` changes while training continues. Return copies of lists and arrays.",
    )


def _check_monitor(checker: Checker, make: Callable[[], Any], logs: dict[str, Any], monitor: str) -> None:
    """Check that a missing metric raises an error with its name."""
    simulation = SimulatedTraining(make()).run([{name: value for name, value in logs.items() if name != monitor}])
    checker.expect(
        monitor in simulation.decisions[0].error,
        f"If the logs do not contain `{monitor}`, `on_epoch_end` must raise a ValueError with this name and the "
        "available names.",
    )


def _check_non_finite(checker: Checker, make: Callable[[], Any], logs: dict[str, Any], monitor: str, mode: str) -> None:
    """Check that a non-finite value is the worst and has no effect on later epochs."""
    improving = [{**logs, monitor: value if mode == "min" else -value} for value in np.linspace(2.0, 1.0, 12).tolist()]
    reference = SimulatedTraining(make()).run(improving)
    checker.expect(
        len(reference.decisions) == len(improving) + 1
        and len({decision.learning_rate for decision in reference.decisions}) == 1,
        f"It stops training or lowers the learning rate although `{monitor}` improves in each epoch (mode={mode!r}).",
    )
    restores_weights = relative_difference(reference.decisions[-1].weights, reference.decisions[-2].weights) != 0
    for value in NON_FINITE:
        for epoch in (0, 3):
            simulation = SimulatedTraining(make()).run(
                [*improving[:epoch], {**logs, monitor: value}, *improving[epoch:]]
            )
            if len(simulation.decisions) <= epoch + 2:
                continue  # stopping at once is allowed
            later = simulation.decisions[epoch:]
            checker.expect(
                len(simulation.decisions) == len(improving) + 2
                and len({decision.learning_rate for decision in later}) == 1,
                f"After one {value} in `{monitor}`, it stops training or lowers the learning rate although the metric "
                "improves in each epoch. Treat a non-finite value as the worst possible value.",
            )
            checker.expect(
                restores_weights or relative_difference(later[-1].weights, later[-2].weights) == 0,
                f"After one {value} in `{monitor}`, it does not keep the best weights, which are the last ones.",
            )


def _encode(checker: Checker, state: Any) -> Any:
    """Convert a state to JSON values; an array becomes its dtype, shape and values."""
    if isinstance(state, dict):
        checker.expect(all(isinstance(name, str) for name in state), "`state` has keys that are not strings.")
        return {"dict": {name: _encode(checker, value) for name, value in state.items()}}
    if isinstance(state, (list, tuple)):
        return [_encode(checker, value) for value in state]
    if isinstance(state, (np.ndarray, np.generic)) and state.dtype.kind in "biuf":
        return {"array": [state.dtype.name, state.shape, np.asarray(state).ravel().tolist()]}
    checker.expect(
        state is None or isinstance(state, (bool, int, float, str)),
        f"`state` contains a {type(state).__name__}. Return plain values, lists, dictionaries and NumPy arrays, "
        "which can be stored without pickle.",
    )
    return state


def _decode(encoded: Any) -> Any:
    """Restore a state from the result of `_encode`."""
    if isinstance(encoded, list):
        return [_decode(value) for value in encoded]
    if not isinstance(encoded, dict):
        return encoded
    if "array" in encoded:
        dtype, shape, values = encoded["array"]
        return np.array(values, dtype).reshape(shape)
    return {name: _decode(value) for name, value in encoded["dict"].items()}
