"""A loss that is no number any more: try again from the last good epoch at a lower rate, or end with a word."""

import logging
import math

import keras

from tfkit.callbacks.bundle import bundle
from tfkit.callbacks.first_not_finite import first_not_finite, is_finite
from tfkit.schedules import Scaled, scale_rate

log = logging.getLogger("tfkit")


class StopOnNonFinite(keras.callbacks.Callback):
    """Go back when the loss stops being finite, and say where it began when going back is of no use.

    With `retries`, weights, statistics and the optimizer's state are put back to where the last good epoch ended (or
    training began), the learning rate is multiplied by `factor`, and training goes on with the rows that are next. The
    schedule's step goes back too; the random states do not, so that what comes is not the same again. The training loss
    of that epoch stays what it is, not finite; its validation is of the weights that were put back and trained on. The
    gradient is clipped from then on too, to the norm `clip_norm`, and to `factor` times that at each further retry,
    where the optimizer clips by nothing else and the step is compiled anew, which `tfkit.fit` does. Since what explodes
    may then stay finite, an epoch whose loss is not good counts as not finite from then on, while retries are left. An
    epoch is good when weights and optimizer are finite to the last number, and its loss at most twice that of the first
    step (what has begun to explode is no place to go back to). This costs a copy of them an epoch.

    When no retry is left, the error names the first layer whose output is not finite (`first_not_finite`): with the
    last good weights if these show it, else with the weights that were arrived at. Weights that are NaN all over show
    no more than that training diverged; an input or a layer such as a logarithm shows itself.

    A loss is whatever the logs name so: `loss`, or `generator_loss` of a model with a `train_step` of its own. Stands
    before other callbacks, so that these see the weights that count. The rate is that of the optimizer of `compile`.
    When it gives up, `report` is told all that can be known of it, to be kept.

    Args:
        error: Class of the error to raise, which gets the message.
        retries: How often to go back in all, at least 0.
        factor: What the learning rate is multiplied by each time, in `(0, 1)`.
        sample: Rows to look for the first layer with, as the model takes them: `x`, or a tuple `(x, y)` or
            `(x, y, weight)`; None to look at the weights alone.
        clip_norm: The largest norm of all gradients together after the first retry, above 0; None never clips.
        where: What is called for what is known of the last steps, such as the numbers of their rows: a dictionary.
        report: What is called with a dictionary of JSON before the error (`tfkit.callbacks.bundle`).

    Raises:
        ArithmeticError: (or `error`) when the loss is not finite and no retry is left.
        ValueError: If an argument is outside its range; or, with `retries`, when training begins, if the model is not
            built or its learning rate cannot be cut (a schedule that is not `tfkit.schedules.Scaled`).

    Example:
        >>> import keras, numpy as np, tfkit
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(1e15), "mse")
        >>> back = tfkit.callbacks.StopOnNonFinite(retries=2, factor=1e-8)
        >>> history = model.fit(np.ones((9, 1)), np.ones(9), batch_size=1, epochs=3, verbose=0, callbacks=[back])
        >>> back.retried, round(history.history["loss"][-1], 3)
        (2, 0.0)
    """

    def __init__(
        self, error=ArithmeticError, *, retries=0, factor=0.3, sample=None, clip_norm=1.0, where=dict, report=None
    ):
        super().__init__()
        if retries < 0 or not 0 < factor < 1:
            raise ValueError(f"`retries` must be at least 0 and `factor` in (0, 1). Received: {retries=}, {factor=}")
        if clip_norm is not None and not clip_norm > 0:
            raise ValueError(f"`clip_norm` must be above 0, or None. Received: {clip_norm=}")
        self.error, self.retries, self.factor, self.sample = error, retries, factor, sample
        self.clip_norm, self.where, self.report = clip_norm, where, report
        self.epoch, self.retried = 0, 0
        self.first = None  # the loss of the first step
        self.good, self.weights = 0, None  # epochs up to the last good one, and what it left
        self._moved = False  # whether a step was taken since then
        self._spoilt = False  # whether the running means of this epoch hold what is not finite
        self._resumed = None

    def on_train_begin(self, logs=None):
        self.retried, self.first, self.weights, self._spoilt = 0, None, None, False
        if not self.retries:
            return
        optimizer = getattr(self.model, "optimizer", None)
        if not self.model.built or optimizer is None:
            raise ValueError(
                "`retries` needs a model that is built and compiled with an optimizer: begin it with a "
                f"keras.Input, or call it once. Received: {self.model.name}"
            )
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        scale_rate(optimizer, 1.0)  # says now what could not be cut later
        self._keep(self._values(), good=0)
        if self._resumed:
            self._take_up(self._resumed)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self._moved = True
        if self._spoilt:  # so the logs tell nothing more
            wrong = [] if _all_finite(self._values()) else ["a weight became nan or infinite"]
        else:
            losses = {name: float(value) for name, value in (logs or {}).items() if name.endswith("loss")}
            wrong = [f"{name} became {loss}" for name, loss in losses.items() if not math.isfinite(loss)]
            self.first = losses.get("loss") if self.first is None and not wrong else self.first
        if wrong:
            self._back(wrong[0])

    def on_epoch_end(self, epoch, logs=None):
        if self.retries:
            values, loss = self._values(), (logs or {}).get("loss")
            if not _all_finite(values):
                self._back("a weight became nan or infinite")
            elif self.first is None or loss <= self.first + abs(self.first):
                self._keep(values, good=epoch + 1)
            elif 0 < self.retried < self.retries and math.isfinite(loss):  # clipped, what explodes may stay finite
                self._back(f"loss rose from {self.first:.3g} to {loss:.3g}")
        self._spoilt = False

    def state(self):
        """What must be saved so that a resumed training goes back to the same weights."""
        factor = _factor(self.model.optimizer)
        return {
            "retried": self.retried,
            "first": self.first,
            "good": self.good,
            "spoilt": self._spoilt,
            "factor": None if factor is None else float(factor.numpy()),
            "clip": _inner(self.model.optimizer).global_clipnorm,
            "weights": self.weights if self._moved else None,  # else they are those of the model
        }

    def set_state(self, state):
        """Go on from a saved state when training begins."""
        self._resumed = state

    def _take_up(self, state):
        self.retried, self.first, self.good, self._spoilt = (
            state[name] for name in ("retried", "first", "good", "spoilt")
        )
        if state["weights"] is not None:
            self.weights, self._moved = state["weights"], True
        if state["factor"] is not None:
            _factor(self.model.optimizer).assign(state["factor"])
        _inner(self.model.optimizer).global_clipnorm = state["clip"]
        self._resumed = None

    def _keep(self, values, good):
        if _all_finite(values):
            self.good, self.weights, self._moved = good, values, False

    def _back(self, what):
        """Put back what was kept and cut the rate; without a retry left, say what is wrong."""
        last = self.retried == self.retries or self.weights is None
        first = self._culprit() if last else None
        where = f"epoch {self.good} ended" if self.good else "training began"
        if self.weights is not None:
            self._restore()
        if last:
            if self.report is not None:
                self.report(
                    bundle(
                        self.model, what=what, epoch=self.epoch + 1, first=first, sample=self.sample, where=self.where()
                    )
                )
            raise self.error(
                f"The loss must stay finite; {what} in epoch {self.epoch + 1}. "
                + (f"First not finite: {first}. " if first else "")
                + (f"Gone back {self.retried} times, at last to where {where}. " if self.retried else "")
                + "Lower learning_rate to a tenth, or set clip_norm=1, and see whether a column holds extreme values."
            )
        scale_rate(self.model.optimizer, self.factor)
        self._clip()
        self.retried, self._spoilt = self.retried + 1, True
        log.warning(
            "The loss must stay finite; %s in epoch %d: back to where %s, at %g times the learning rate and "
            "with clipped gradients (%d of %d)",
            what,
            self.epoch + 1,
            where,
            self.factor,
            self.retried,
            self.retries,
        )

    def _clip(self):
        """Clip from now on, unless the optimizer clips in another way already."""
        optimizer = _inner(self.model.optimizer)
        if self.clip_norm is not None and not optimizer.clipnorm and not optimizer.clipvalue:
            already = optimizer.global_clipnorm or self.clip_norm / self.factor
            optimizer.global_clipnorm = min(already * self.factor, self.clip_norm)

    def _restore(self):
        for variable, value in zip(self._variables(), self.weights, strict=True):
            variable.assign(value)
        self._moved = False

    def _culprit(self):
        """Where the first number is that is none, or None."""
        if self.model is None:
            return None
        weight = next((w.path for w in self.model.weights if not is_finite(w.numpy())), None)
        found = f"the weight {weight}" if weight else None
        if self.sample is not None:
            x, y, _ = keras.utils.unpack_x_y_sample_weight(self.sample)
            if y is not None and not _all_finite(keras.tree.flatten(y)):
                return "the target of the sample"
            found = first_not_finite(self.model, x) or found
            if self.weights is not None:
                self._restore()
                found = first_not_finite(self.model, x) or found
        return found

    def _values(self):
        return [variable.numpy() for variable in self._variables()]

    def _variables(self):
        """All that training changes, but random states and the rate itself."""
        optimizer = self.model.optimizer
        rate = _inner(optimizer)._learning_rate
        variables = [v for v in self.model.variables if "seed_generator_state" not in v.path]
        return variables + [v for v in optimizer.variables if v is not rate]


def _inner(optimizer):
    """The optimizer that takes the step; that of half precision wraps it."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _factor(optimizer):
    """The variable of a scaled schedule, which is not among those of its optimizer; None for a plain rate."""
    rate = getattr(_inner(optimizer), "_learning_rate", None)
    return rate.factor if isinstance(rate, Scaled) else None


def _all_finite(tensors):
    return all(map(is_finite, tensors))
