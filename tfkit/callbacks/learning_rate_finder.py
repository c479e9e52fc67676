"""A learning rate found by trying: short trainings at ever higher rates."""

import math

import keras
import numpy as np

from tfkit.schedules import Scaled

BELOW = 5  # the rate of the smallest loss is that far above one to train with
EARLY = 0.1  # share of the steps that tells what the loss was at first


class LearningRateFinder(keras.callbacks.Callback):
    """Find a learning rate before a training: raise it step by step until the loss explodes, and look where it fell.

    The range test of Smith 2017 (https://arxiv.org/abs/1506.01186): each batch is a step at a rate that is a little
    higher than the one before, from `low` to `high` in equal ratios; the loss is smoothed over a third of a decade. The
    suggestion is a fifth of the rate where it is smallest, as the geometric mean of some passes, each from the first
    weights on other batches. That rule was chosen by trying, against the best of nine fixed rates: on the samples of
    this project it ended 0.5% ahead (series) to 2.7% behind (forecast; 3.9% with its LSTM) by the score of the page.
    A third is better for the digits and worse for a table, the tenth of fastai a little low, its valley and the
    steepest slope mostly far too low. Where the first loss is far above that of guessing it suggests too much: 12%
    behind with a network for texts whose first loss was 3.5 (`tests/bench/learning_rates.py`).

    Give it to Keras' own `fit`, one step a call, with epochs enough: it stops by itself. Afterwards weights, optimizer
    and random states are as before, and the optimizer has the rate or the schedule that it had.

    Args:
        low: The first rate, above 0.
        high: The last rate, above `low`.
        steps: Batches of a pass, at least 50.
        passes: How often to go from the one to the other, at least 1.

    Raises:
        ValueError: If an argument is outside its range, the epochs are too short, a call of `fit` is more than one
            step, or the loss never fell.

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

    def __init__(self, low=1e-6, high=10.0, *, steps=200, passes=3):
        super().__init__()
        if not 0 < low < high or steps < 50 or passes < 1:
            raise ValueError(
                "`low` must be above 0 and below `high`, `steps` at least 50 and `passes` at least 1. "
                f"Received: {low=}, {high=}, {steps=}, {passes=}"
            )
        self.low, self.high, self.steps, self.passes = low, high, steps, passes
        self.rates = low * (high / low) ** (np.arange(steps) / (steps - 1))
        self.losses, self.suggestion = np.full((passes, steps), np.nan), None
        self._early = int(EARLY * steps)

    def on_train_begin(self, logs=None):
        batches = (self.params.get("steps") or math.inf) * self.params.get("epochs", 1)
        if batches < self.steps * self.passes:
            raise ValueError(
                "`fit` must have as many batches as the finder has steps in all: give it more epochs. "
                f"Received: {batches} batches, {self.passes} passes of {self.steps} steps"
            )
        model, optimizer = self.model, self.model.optimizer
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        self._kept = [(variable, variable.numpy()) for variable in [*model.variables, *optimizer.variables]]
        self._inner = getattr(optimizer, "inner_optimizer", optimizer)  # that of half precision wraps another
        self._own = self._inner._learning_rate
        if not isinstance(self._own, keras.Variable):
            self._swap(Scaled(1.0))
        self._pass, self._step = 0, 0
        self.losses[:] = np.nan

    def on_train_batch_begin(self, batch, logs=None):
        rate = self._inner._learning_rate
        (rate.factor if isinstance(rate, Scaled) else rate).assign(self.rates[self._step])
        self._before = int(self._inner.iterations)
        self.model.reset_metrics()  # so that the loss is that of one batch

    def on_train_batch_end(self, batch, logs=None):
        taken = int(self._inner.iterations) - self._before
        if taken > 1:
            self._restore()
            raise ValueError(
                "A call of `fit` must be one step: use Keras' own `fit` with steps_per_execution=1. "
                f"Received: {taken} steps"
            )
        self.losses[self._pass, self._step] = logs["loss"]
        self._step += 1
        if self._step == self.steps or self._exploded():
            self._restore(random_states=False)
            self._pass, self._step = self._pass + 1, 0
            self.model.stop_training = self._pass == self.passes

    def on_train_end(self, logs=None):
        self._restore()
        lowest = [self._lowest(losses) for losses in self.losses]
        if None in lowest:
            raise ValueError(
                "The loss must fall somewhere between `low` and `high`: give other rates or more steps, "
                f"or see whether the model can learn. Received: low={self.low}, high={self.high}, a loss "
                f"of {self.losses[0, 0]:.4g} at first"
            )
        self.suggestion = float(np.exp(np.mean(np.log(self.rates[lowest]))) / BELOW)

    def smoothed(self, losses):
        """The losses of a pass as an exponential mean over a third of a decade of rates, without its first bias."""
        share = min(1.0, 3 * math.log10(self.high / self.low) / self.steps)
        mean, means = 0.0, []
        for i, loss in enumerate(losses[np.isfinite(losses)], 1):
            mean += share * (loss - mean)
            means.append(mean / (1 - (1 - share) ** i))
        return np.array(means)

    def _exploded(self):
        losses = self.losses[self._pass, : self._step]
        if not np.isfinite(losses[-1]) or self._step <= self._early:
            return not np.isfinite(losses[-1])
        first, spread = losses[: self._early].mean(), losses[: self._early].std()
        return self.smoothed(losses)[-1] > first + 3 * max(spread, 0.1 * abs(first))

    def _lowest(self, losses):
        """The step of the smallest smoothed loss; None where it is no smaller than it was at first."""
        early, means = losses[: self._early], self.smoothed(losses)[self._early :]
        if not len(means) or means.min() > early.mean() - early.std():
            return None
        return self._early + int(means.argmin())

    def _restore(self, random_states=True):
        if random_states and self._inner._learning_rate is not self._own:
            self._swap(self._own)
        for variable, value in self._kept:
            if random_states or "seed_generator_state" not in variable.path:
                variable.assign(value)

    def _swap(self, rate):
        """Train at another rate or schedule, which a compiled step does not take notice of."""
        self._inner._learning_rate = rate
        self.model.make_train_function(force=True)
