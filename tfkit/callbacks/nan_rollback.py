"""Callback that rolls training back when the loss becomes NaN or infinite."""

import logging
import math
from collections.abc import Callable
from typing import Any

import keras

from tfkit.callbacks.find_nonfinite_layer import find_nonfinite_layer, is_finite
from tfkit.callbacks.nan_report import CAUSES, make_nan_report
from tfkit.schedules import ScaledSchedule, scale_learning_rate

log = logging.getLogger("tfkit")


class RollbackOnNaN(keras.callbacks.Callback):
    """Roll back when the loss becomes NaN or infinite; stop after `retries` rollbacks.

    A rollback restores weights, statistics and the optimizer's state from the end of the last good epoch (or the start
    of training) and multiplies the learning rate by `factor`; training continues with the next rows. The step of the
    schedule is restored too; the random states are not, so that the same failure does not repeat. The training loss of
    that epoch remains non-finite; its validation uses the restored weights after further training.

    After the first rollback the gradient is clipped to the global norm `clip_norm`, and to `factor` times that after
    each further rollback, if the optimizer clips in no other way and the step is recompiled, as `tfkit.fit` does. Since
    a diverging loss may then stay finite, an epoch with a loss that is not good also triggers a rollback from then on,
    while retries are left. An epoch is good if all weights and optimizer variables are finite and its loss is at most
    twice that of the first step (a diverging state is no good state to restore). This costs one copy of them per epoch.

    When no retry is left, the error names the first layer whose output is not finite (`find_nonfinite_layer`): with the
    last good weights if an output is not finite with these, else with the current weights. If all weights are NaN, the
    current weights show only that training diverged; the last good weights reveal a faulty input, or a layer such as a
    logarithm.

    Every entry of the logs whose name ends with `loss` is checked: `loss`, or `generator_loss` of a model with its own
    `train_step`. Put this callback first, so that the other callbacks see the restored weights. The learning rate is
    the one of the optimizer of `compile`.

    Args:
        error: Class of the error to raise with the message.
        retries: Maximum number of rollbacks, at least 0.
        factor: Factor by which the learning rate is multiplied at each rollback, in `(0, 1)`.
        sample: Rows to find the first non-finite layer with, in the form that the model takes: `x`, or a tuple `(x, y)`
            or `(x, y, weight)`; None to check the weights only.
        clip_norm: Largest global gradient norm after the first rollback, above 0; None never clips.
        where: Function without arguments that returns a JSON dictionary about the last steps, such as row indices.
        report: Function that is called with a JSON dictionary before the error (`tfkit.callbacks.nan_report`).

    Raises:
        ArithmeticError: (or `error`) If the loss is not finite and no retry is left.
        ValueError: If an argument is outside its range; or, with `retries`, when training begins, if the model is not
            built or its learning rate cannot be scaled (a schedule that is not `tfkit.schedules.ScaledSchedule`).

    Example:
        >>> import keras, numpy as np, tfkit
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(1e15), "mse")
        >>> rollback = tfkit.callbacks.RollbackOnNaN(retries=2, factor=1e-8)
        >>> history = model.fit(np.ones((9, 1)), np.ones(9), batch_size=1, epochs=3, verbose=0, callbacks=[rollback])
        >>> rollback.num_rollbacks, round(history.history["loss"][-1], 3)
        (2, 0.0)
    """

    def __init__(
        self,
        error: type[Exception] = ArithmeticError,
        *,
        retries: int = 0,
        factor: float = 0.3,
        sample: Any = None,
        clip_norm: float | None = 1.0,
        where: Callable[[], dict[str, Any]] = dict,
        report: Callable[[dict[str, Any]], Any] | None = None,
    ) -> None:
        super().__init__()
        if retries < 0 or not 0 < factor < 1:
            raise ValueError(f"`retries` must be at least 0 and `factor` in (0, 1). Received: {retries=}, {factor=}")
        if clip_norm is not None and not clip_norm > 0:
            raise ValueError(f"`clip_norm` must be above 0, or None. Received: {clip_norm=}")
        self.error, self.retries, self.factor, self.sample = error, retries, factor, sample
        self.clip_norm, self.where, self.report = clip_norm, where, report
        self.epoch, self.num_rollbacks = 0, 0
        self.first_loss = None  # loss of the first finite step
        self.good_epochs, self.weights = 0, None  # epochs up to the last good one, and its variables
        self._has_stepped = False  # whether a step was taken since then
        self._has_nonfinite_logs = False  # whether the running means of this epoch contain NaN or infinity
        self._saved_state = None

    def on_train_begin(self, logs=None):
        self.num_rollbacks, self.first_loss, self.weights, self._has_nonfinite_logs = 0, None, None, False
        if not self.retries:
            return
        optimizer = getattr(self.model, "optimizer", None)
        if not self.model.built or optimizer is None:
            raise ValueError(
                "`retries` needs a model that is built and compiled with an optimizer: start it with a "
                f"keras.Input, or call it once. Received: {self.model.name}"
            )
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        scale_learning_rate(optimizer, 1.0)  # raises now if the rate cannot be scaled later
        self._store_good_state(self._values(), good_epochs=0)
        if self._saved_state:
            self._restore_saved_state(self._saved_state)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self._has_stepped = True
        if self._has_nonfinite_logs:  # so the logs stay non-finite for the rest of the epoch
            errors = [] if _all_finite(self._values()) else ["a weight became nan or infinite"]
        else:
            losses = {name: float(value) for name, value in (logs or {}).items() if name.endswith("loss")}
            errors = [f"{name} became {loss}" for name, loss in losses.items() if not math.isfinite(loss)]
            self.first_loss = losses.get("loss") if self.first_loss is None and not errors else self.first_loss
        if errors:
            self._roll_back(errors[0])

    def on_epoch_end(self, epoch, logs=None):
        if self.retries:
            values, loss = self._values(), (logs or {}).get("loss")
            if not _all_finite(values):
                self._roll_back("a weight became nan or infinite")
            elif self.first_loss is None or loss <= self.first_loss + abs(self.first_loss):
                self._store_good_state(values, good_epochs=epoch + 1)
            elif 0 < self.num_rollbacks < self.retries and math.isfinite(
                loss
            ):  # clipped, a diverging loss stays finite
                self._roll_back(f"loss rose from {self.first_loss:.3g} to {loss:.3g}")
        self._has_nonfinite_logs = False

    def state(self):
        """Return the state that a resumed training needs to roll back to the same weights."""
        factor = _schedule_factor(self.model.optimizer)
        return {
            "retried": self.num_rollbacks,
            "first": self.first_loss,
            "good": self.good_epochs,
            "spoilt": self._has_nonfinite_logs,
            "factor": None if factor is None else float(factor.numpy()),
            "clip": _unwrap(self.model.optimizer).global_clipnorm,
            "weights": self.weights if self._has_stepped else None,  # None: equal to the weights of the model
        }

    def set_state(self, state):
        """Continue from a saved state when training begins."""
        self._saved_state = state

    def _restore_saved_state(self, state):
        self.num_rollbacks, self.first_loss, self.good_epochs, self._has_nonfinite_logs = (
            state[name] for name in ("retried", "first", "good", "spoilt")
        )
        if state["weights"] is not None:
            self.weights, self._has_stepped = state["weights"], True
        if state["factor"] is not None:
            _schedule_factor(self.model.optimizer).assign(state["factor"])
        _unwrap(self.model.optimizer).global_clipnorm = state["clip"]
        self._saved_state = None

    def _store_good_state(self, values, good_epochs):
        if _all_finite(values):
            self.good_epochs, self.weights, self._has_stepped = good_epochs, values, False

    def _roll_back(self, reason):
        """Restore the last good state and lower the learning rate; raise if no retry is left."""
        if self.num_rollbacks == self.retries or self.weights is None:
            self._stop(reason)
        self._restore()
        scale_learning_rate(self.model.optimizer, self.factor)
        self._clip_gradients()
        self.num_rollbacks, self._has_nonfinite_logs = self.num_rollbacks + 1, True
        log.warning(
            "The loss must stay finite; %s in epoch %d: rolled back to the %s, with %g times the learning rate and "
            "clipped gradients (%d of %d)",
            reason,
            self.epoch + 1,
            self._restore_point(),
            self.factor,
            self.num_rollbacks,
            self.retries,
        )

    def _stop(self, reason):
        """Restore the last good state, report the cause and raise the error."""
        first_nonfinite, cause = self._find_cause()
        step_info = self.where()
        for name, largest in step_info.get("furthest", {}).items():
            if largest["value"] == "not finite":
                first_nonfinite, cause = f"{name} of training row {largest['row']}", "data"
        if self.weights is not None:
            self._restore()
        if self.report is not None:
            self.report(
                make_nan_report(
                    self.model,
                    reason=reason,
                    epoch=self.epoch + 1,
                    first_nonfinite=first_nonfinite,
                    cause=cause,
                    sample=self.sample,
                    step_info=step_info,
                )
            )
        count = self.num_rollbacks
        raise self.error(
            f"The loss must stay finite; {reason} in epoch {self.epoch + 1}. "
            + (f"First non-finite value: {first_nonfinite}. " if first_nonfinite else "")
            + (f"Rolled back {count} times, last to the {self._restore_point()}. " if count else "")
            + f"{CAUSES[cause]}."
        )

    def _restore_point(self):
        return f"end of epoch {self.good_epochs}" if self.good_epochs else "start of training"

    def _clip_gradients(self):
        """Clip or lower the global gradient norm, unless the optimizer clips in another way."""
        optimizer = _unwrap(self.model.optimizer)
        if self.clip_norm is not None and not optimizer.clipnorm and not optimizer.clipvalue:
            current_norm = optimizer.global_clipnorm or self.clip_norm / self.factor
            optimizer.global_clipnorm = min(current_norm * self.factor, self.clip_norm)

    def _restore(self):
        for variable, value in zip(self._variables(), self.weights, strict=True):
            variable.assign(value)
        self._has_stepped = False

    def _find_cause(self):
        """Return the name of the first value that is not finite, or None, and the cause: a key of `CAUSES`."""
        if self.model is None:
            return None, "learning_rate"
        path = next((weight.path for weight in self.model.weights if not is_finite(weight.numpy())), None)
        current, has_finite_weights = f"the weight {path}" if path else None, path is None
        if self.sample is None:
            return current, "learning_rate"
        x, y, _ = keras.utils.unpack_x_y_sample_weight(self.sample)
        if y is not None and not _all_finite(keras.tree.flatten(y)):
            return "the target of the sample", "data"
        if not _all_finite(keras.tree.flatten(x)):
            return find_nonfinite_layer(self.model, x), "data"
        current = find_nonfinite_layer(self.model, x) or current
        if self.weights is not None:
            self._restore()
            if layer := find_nonfinite_layer(self.model, x):
                return layer, "layer"
        is_good = self.weights is not None or has_finite_weights
        if is_good and not (current and has_finite_weights) and self._has_nonfinite_loss(x, y):
            return "the loss of the sample", "loss"
        return current, "layer" if current and has_finite_weights else "learning_rate"

    def _has_nonfinite_loss(self, x, y):
        """Whether the loss of the sample is not finite with the weights of the model, whose outputs are finite."""
        if y is None or getattr(self.model, "_compile_loss", None) is None:
            return False
        loss = self.model.compute_loss(x=x, y=y, y_pred=self.model(x, training=False), training=False)
        return not _all_finite([keras.ops.convert_to_numpy(loss)])

    def _values(self):
        return [variable.numpy() for variable in self._variables()]

    def _variables(self):
        """Return the variables that training changes, except random states and the learning rate."""
        optimizer = self.model.optimizer
        rate = _unwrap(optimizer)._learning_rate
        variables = [variable for variable in self.model.variables if "seed_generator_state" not in variable.path]
        return variables + [variable for variable in optimizer.variables if variable is not rate]


def _unwrap(optimizer):
    """Return the inner optimizer of a `LossScaleOptimizer`, else the optimizer itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _schedule_factor(optimizer):
    """Return the factor variable of a `Scaled` schedule, which its optimizer does not list, or None."""
    rate = getattr(_unwrap(optimizer), "_learning_rate", None)
    return rate.factor if isinstance(rate, ScaledSchedule) else None


def _all_finite(tensors):
    return all(map(is_finite, tensors))
