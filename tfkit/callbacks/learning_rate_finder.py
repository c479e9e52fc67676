"""Callback that runs a learning rate range test."""

import math

import keras
import numpy as np

from tfkit.schedules import ScaledSchedule

SUGGESTION_DIVISOR = 5  # the suggestion is the rate of the smallest loss divided by this

INITIAL_FRACTION = 0.1  # fraction of the steps used to estimate the initial loss


class LearningRateFinder(keras.callbacks.Callback):
    """Suggest a learning rate by a range test before training.

    The learning rate range test of Smith 2017 (https://arxiv.org/abs/1506.01186): the learning rate rises
    geometrically from `low` to `high`, one batch per step, until the loss diverges. The loss is smoothed over a third
    of a decade of rates. The suggestion is a fifth of the rate with the smallest smoothed loss, as the geometric mean
    over several passes; each pass starts from the initial weights and uses other batches.

    The divisor was chosen by experiment, against the best of nine fixed rates: on the sample data of this project the
    recipe's score was between 0.5% better (series) and 2.7% worse (forecast; 3.9% with its LSTM). A third is better for
    the digits and worse for a table, the tenth of fastai is a little low, its valley and steepest-slope rules are
    mostly far too low. If the initial loss is far above the loss of a random guess, the suggestion is too high: 12%
    worse for a text network with an initial loss of 3.5 (`tests/bench/learning_rates.py`).

    Pass it to Keras' own `fit`, with one step per call and enough epochs: it stops by itself. Afterwards the weights,
    the optimizer with its rate or schedule, and the random states are restored.

    Args:
        low: The first learning rate, above 0.
        high: The last learning rate, above `low`.
        steps: Batches per pass, at least 50.
        passes: Number of passes from `low` to `high`, at least 1.

    Raises:
        ValueError: If an argument is outside its range, there are too few batches, a call of `fit` is more than one
            step, or the loss never falls.

    Example:
        >>> import keras, numpy as np, tfkit
        >>> keras.utils.set_random_seed(0)
        >>> x = np.random.default_rng(0).normal(size=(640, 3))
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> finder = tfkit.callbacks.LearningRateFinder(steps=100, passes=1)
        >>> history = model.fit(x, x.sum(1), epochs=5, verbose=0, callbacks=[finder])
        >>> finder.rates.shape, finder.losses.shape, 0.01 < finder.suggestion < 1
        ((100,), (1, 100), True)
    """

    def __init__(self, low: float = 1e-6, high: float = 10.0, *, steps: int = 200, passes: int = 3) -> None:
        super().__init__()
        if not 0 < low < high or steps < 50 or passes < 1:
            raise ValueError(
                "`low` must be above 0 and below `high`, `steps` at least 50 and `passes` at least 1. "
                f"Received: {low=}, {high=}, {steps=}, {passes=}"
            )
        self.low, self.high, self.steps, self.passes = low, high, steps, passes
        self.rates = low * (high / low) ** (np.arange(steps) / (steps - 1))
        self.losses: np.ndarray = np.full((passes, steps), np.nan)
        self.suggestion: float | None = None
        self._num_initial = int(INITIAL_FRACTION * steps)

    def on_train_begin(self, logs=None):
        batches = (self.params.get("steps") or math.inf) * self.params.get("epochs", 1)
        if batches < self.steps * self.passes:
            raise ValueError(
                "`fit` must have at least as many batches as the finder has steps in total: use more epochs. "
                f"Received: {batches} batches, {self.passes} passes of {self.steps} steps"
            )
        model, optimizer = self.model, self.model.optimizer
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        variables = [*model.variables, *optimizer.variables]
        self._initial_values = [(variable, variable.numpy()) for variable in variables]
        self._optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # unwrap half precision
        self._original_rate = self._optimizer._learning_rate
        if not isinstance(self._original_rate, keras.Variable):
            self._set_rate(ScaledSchedule(1.0))
        self._pass, self._step = 0, 0
        self.losses[:] = np.nan

    def on_train_batch_begin(self, batch, logs=None):
        rate = self._optimizer._learning_rate
        (rate.factor if isinstance(rate, ScaledSchedule) else rate).assign(self.rates[self._step])
        self._iterations_before = int(self._optimizer.iterations)
        self.model.reset_metrics()  # so that `loss` is the loss of one batch

    def on_train_batch_end(self, batch, logs=None):
        num_steps = int(self._optimizer.iterations) - self._iterations_before
        if num_steps > 1:
            self._restore()
            raise ValueError(
                "A call of `fit` must be one step: use Keras' own `fit` with steps_per_execution=1. "
                f"Received: {num_steps} steps"
            )
        self.losses[self._pass, self._step] = logs["loss"]
        self._step += 1
        if self._step == self.steps or self._has_diverged():
            self._restore(random_states=False)
            self._pass, self._step = self._pass + 1, 0
            self.model.stop_training = self._pass == self.passes

    def on_train_end(self, logs=None):
        self._restore()
        best_steps = [self._best_step(losses) for losses in self.losses]
        if None in best_steps:
            raise ValueError(
                "The loss must fall somewhere between `low` and `high`: use other rates or more steps, "
                f"or check whether the model can learn. Received: low={self.low}, high={self.high}, "
                f"initial loss {self.losses[0, 0]:.4g}"
            )
        self.suggestion = float(np.exp(np.mean(np.log(self.rates[best_steps]))) / SUGGESTION_DIVISOR)

    def smoothed(self, losses):
        """Smooth the losses of a pass by a bias-corrected exponential moving average.

        The time constant is a third of a decade of learning rates.
        """
        alpha = min(1.0, 3 * math.log10(self.high / self.low) / self.steps)
        mean, means = 0.0, []
        for i, loss in enumerate(losses[np.isfinite(losses)], 1):
            mean += alpha * (loss - mean)
            means.append(mean / (1 - (1 - alpha) ** i))
        return np.array(means)

    def _has_diverged(self):
        losses = self.losses[self._pass, : self._step]
        if not np.isfinite(losses[-1]) or self._step <= self._num_initial:
            return not np.isfinite(losses[-1])
        initial = losses[: self._num_initial]
        mean = initial.mean()
        return self.smoothed(losses)[-1] > mean + 3 * max(initial.std(), 0.1 * abs(mean))

    def _best_step(self, losses):
        """Return the step with the smallest smoothed loss, or None if the loss never falls."""
        initial, means = losses[: self._num_initial], self.smoothed(losses)[self._num_initial :]
        if not len(means) or means.min() > initial.mean() - initial.std():
            return None
        return self._num_initial + int(means.argmin())

    def _restore(self, random_states=True):
        if random_states and self._optimizer._learning_rate is not self._original_rate:
            self._set_rate(self._original_rate)
        for variable, value in self._initial_values:
            if random_states or "seed_generator_state" not in variable.path:
                variable.assign(value)

    def _set_rate(self, rate):
        """Set a rate or schedule and recompile the training step."""
        self._optimizer._learning_rate = rate
        self.model.make_train_function(force=True)
