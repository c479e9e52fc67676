"""Learning rates that change with the step, where Keras has none; any of them can be drawn before it is used."""

import logging
import math

import keras
import numpy as np
from keras import ops


def simulate(schedule, steps):
    """The rates that a schedule will give, to look at before an hour is spent on them.

    Args:
        schedule: A schedule of tfkit, of Keras or of your own; or a number, which is the rate of every step.
        steps: How many, at least 1.

    Returns:
        An array `(steps,)`, the rates of the steps 0 to `steps - 1`.

    Raises:
        ValueError: If `steps` is below 1.

    Example:
        >>> import tfkit
        >>> tfkit.schedules.simulate(tfkit.schedules.Warmup(0.1, 4), 6).round(3).tolist()
        [0.0, 0.025, 0.05, 0.075, 0.1, 0.1]
    """
    if steps < 1:
        raise ValueError(f"`steps` must be at least 1. Received: {steps!r}")
    if not callable(schedule):
        return np.full(steps, schedule, "float64")
    said = logging.getLogger("tensorflow")
    level = said.level
    said.setLevel(logging.ERROR)  # it warns of five schedules that were drawn one after the other
    try:
        return np.asarray(ops.vectorized_map(schedule, ops.arange(steps, dtype="int64"))).astype("float64")
    finally:
        said.setLevel(level)


def scale_rate(optimizer, factor):
    """Multiply the learning rate of an optimizer, in the midst of training and without compiling again.

    Args:
        optimizer: An optimizer of Keras whose rate is a number, or a `Scaled` schedule.
        factor: What the rate of this and of every later step is multiplied by, above 0.

    Raises:
        ValueError: If the rate is a schedule that is not `Scaled`, or a function.

    Example:
        >>> import keras, tfkit
        >>> sgd = keras.optimizers.SGD(tfkit.schedules.Scaled(tfkit.schedules.Warmup(0.5, 1, start=0.5)))
        >>> tfkit.schedules.scale_rate(sgd, 0.5)
        >>> float(sgd.learning_rate)
        0.125
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # that of half precision wraps another
    rate = optimizer._learning_rate
    if isinstance(rate, Scaled):
        rate.factor.assign(rate.factor * factor)
    elif isinstance(rate, keras.Variable):
        rate.assign(rate * factor)
    else:
        raise ValueError(
            "The rate of a schedule can be cut in the midst of training where it is wrapped: "
            f"tfkit.schedules.Scaled(schedule). Received: {type(rate).__name__}"
        )


@keras.saving.register_keras_serializable(package="tfkit")
class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """Begin any schedule gently: the rate rises in a straight line to where the schedule begins, then follows it.

    With `n = steps`, `rate(k) = schedule(0) * (start + (1 - start) * k / n)` for `k < n`, then `schedule(k - n)`
    (Goyal et al. 2017, https://arxiv.org/abs/1706.02677). Adam's first steps are as long as its later ones and know
    less, which is why large models want this.

    Args:
        schedule: A schedule, or a number that is kept afterwards.
        steps: Steps of the rise, at least 1.
        start: Where the rise begins, as a share of where it ends; in `[0, 1)`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import keras, tfkit
        >>> linear = keras.optimizers.schedules.PolynomialDecay(0.1, decay_steps=4, end_learning_rate=0.0)
        >>> tfkit.schedules.simulate(tfkit.schedules.Warmup(linear, 2), 7).round(3).tolist()
        [0.0, 0.05, 0.1, 0.075, 0.05, 0.025, 0.0]
    """

    def __init__(self, schedule, steps, start=0.0):
        if steps < 1 or not 0 <= start < 1:
            raise ValueError(f"`steps` must be at least 1 and `start` in [0, 1). Received: {steps=}, {start=}")
        self.schedule, self.steps, self.start = schedule, steps, start

    def __call__(self, step):
        risen = ops.minimum(ops.cast(step, "float32") / self.steps, 1.0)
        after = ops.maximum(ops.convert_to_tensor(step) - self.steps, 0)
        return (self.start + (1.0 - self.start) * risen) * _rate(self.schedule, after)

    def get_config(self):
        return {"schedule": _config(self.schedule), "steps": self.steps, "start": self.start}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "schedule": keras.saving.deserialize_keras_object(config["schedule"])})


@keras.saving.register_keras_serializable(package="tfkit")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """Rise to a high rate and fall far below where it began: few epochs, each step as long as it can be.

    With `w = warmup * steps`, `low = high / 25` and `end = high / 250000`, each part half a cosine:
    `rate(k) = low + (high - low) * (1 - cos(pi * k / w)) / 2` up to `k = w`, then
    `end + (high - end) * (1 + cos(pi * (k - w) / (steps - w))) / 2`, and `end` from `k = steps` on (Smith and Topin
    2018, https://arxiv.org/abs/1708.07120, in the form and with the shares of fastai). The momentum is left as it is.

    Args:
        learning_rate: The highest rate, above 0.
        steps: Steps of the whole training, at least 1.
        warmup: Share of the steps that rise, in `(0, 1)`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import tfkit
        >>> tfkit.schedules.simulate(tfkit.schedules.OneCycle(1.0, 10), 11).round(3).tolist()
        [0.04, 0.28, 0.76, 1.0, 0.95, 0.812, 0.611, 0.389, 0.188, 0.05, 0.0]
    """

    def __init__(self, learning_rate, steps, warmup=0.3):
        if not learning_rate > 0 or steps < 1 or not 0 < warmup < 1:
            raise ValueError(
                "`learning_rate` must be above 0, `steps` at least 1 and `warmup` in (0, 1). Received: "
                f"{learning_rate=}, {steps=}, {warmup=}"
            )
        self.learning_rate, self.steps, self.warmup = learning_rate, steps, warmup

    def __call__(self, step):
        k, top = ops.minimum(ops.cast(step, "float32"), self.steps), self.warmup * self.steps
        high, low, end = self.learning_rate, self.learning_rate / 25, self.learning_rate / 250_000
        rise = low + (high - low) * (1 - ops.cos(math.pi * k / top)) / 2
        fall = end + (high - end) * (1 + ops.cos(math.pi * (k - top) / (self.steps - top))) / 2
        return ops.where(k < top, rise, fall)

    def get_config(self):
        return {"learning_rate": self.learning_rate, "steps": self.steps, "warmup": self.warmup}


@keras.saving.register_keras_serializable(package="tfkit")
class InverseSquareRoot(keras.optimizers.schedules.LearningRateSchedule):
    """Rise, then fall as one over the root of the step: needs no end, so training may go on as long as it pays.

    With `w = warmup_steps`, `rate(k) = learning_rate * min(k / w, sqrt(w / k))` (Vaswani et al. 2017,
    https://arxiv.org/abs/1706.03762, whose highest rate is `1 / sqrt(dim * w)`).

    Args:
        learning_rate: The highest rate, that of step `warmup_steps`; above 0.
        warmup_steps: Steps of the rise, at least 1.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import tfkit
        >>> tfkit.schedules.simulate(tfkit.schedules.InverseSquareRoot(1.0, 2), 9).round(3).tolist()
        [0.0, 0.5, 1.0, 0.816, 0.707, 0.632, 0.577, 0.535, 0.5]
    """

    def __init__(self, learning_rate, warmup_steps):
        if not learning_rate > 0 or warmup_steps < 1:
            raise ValueError(
                "`learning_rate` must be above 0 and `warmup_steps` at least 1. Received: "
                f"{learning_rate=}, {warmup_steps=}"
            )
        self.learning_rate, self.warmup_steps = learning_rate, warmup_steps

    def __call__(self, step):
        ratio = ops.cast(step, "float32") / self.warmup_steps
        return self.learning_rate * ops.minimum(ratio, ops.rsqrt(ops.maximum(ratio, 1.0)))

    def get_config(self):
        return {"learning_rate": self.learning_rate, "warmup_steps": self.warmup_steps}


@keras.saving.register_keras_serializable(package="tfkit")
class WarmupStableDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rise, stay, and fall only at the very end, so that where the end is can be decided late.

    With `w = warmup * steps` and `d = decay * steps`,
    `rate(k) = learning_rate * min(1, k / w, 1 - sqrt(max(0, k - steps + d) / d))`, and 0 from `k = steps` on (Hu et al.
    2024, https://arxiv.org/abs/2404.06395; the fall by the root is the best of Hägele et al. 2024,
    https://arxiv.org/abs/2405.18392).

    Args:
        learning_rate: The highest rate, above 0.
        steps: Steps of the whole training, at least 1.
        warmup: Share of the steps that rise, in `(0, 1)`.
        decay: Share of the steps that fall, above 0; with `warmup` at most 1.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import tfkit
        >>> schedule = tfkit.schedules.WarmupStableDecay(1.0, 10, warmup=0.2, decay=0.4)
        >>> tfkit.schedules.simulate(schedule, 11).round(3).tolist()
        [0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.293, 0.134, 0.0]
    """

    def __init__(self, learning_rate, steps, warmup=0.05, decay=0.2):
        if not learning_rate > 0 or steps < 1 or not warmup > 0 or not decay > 0 or warmup + decay > 1:
            raise ValueError(
                "`learning_rate` must be above 0, `steps` at least 1, `warmup` and `decay` above 0 and "
                f"together at most 1. Received: {learning_rate=}, {steps=}, {warmup=}, "
                f"{decay=}"
            )
        self.learning_rate, self.steps, self.warmup, self.decay = learning_rate, steps, warmup, decay

    def __call__(self, step):
        k = ops.minimum(ops.cast(step, "float32"), self.steps)
        fallen = ops.maximum(k - (1 - self.decay) * self.steps, 0.0) / (self.decay * self.steps)
        left = 1.0 - ops.sqrt(ops.minimum(fallen, 1.0))
        return self.learning_rate * ops.minimum(k / (self.warmup * self.steps), left)

    def get_config(self):
        return {"learning_rate": self.learning_rate, "steps": self.steps, "warmup": self.warmup, "decay": self.decay}


@keras.saving.register_keras_serializable(package="tfkit")
class Scaled(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule times a factor that can be changed while training runs, which Keras allows of plain rates only.

    `rate(k) = factor * schedule(k)`. The factor is a variable (`scaled.factor`), so that steps compiled before see it;
    `scale_rate(optimizer, 0.1)` multiplies it. It is saved in the config of the optimizer and not among its variables.

    Args:
        schedule: A schedule, or a number.
        factor: What the schedule is multiplied by at first, above 0.

    Raises:
        ValueError: If `factor` is not above 0.

    Example:
        >>> import tfkit
        >>> scaled = tfkit.schedules.Scaled(tfkit.schedules.InverseSquareRoot(1.0, 2), 0.5)
        >>> tfkit.schedules.simulate(scaled, 4).round(3).tolist()
        [0.0, 0.25, 0.5, 0.408]
    """

    def __init__(self, schedule, factor=1.0):
        if not factor > 0:
            raise ValueError(f"`factor` must be above 0. Received: {factor!r}")
        self.schedule = schedule
        self.factor = keras.Variable(factor, trainable=False, dtype="float32", name="factor")

    def __call__(self, step):
        return self.factor * _rate(self.schedule, step)

    def get_config(self):
        return {"schedule": _config(self.schedule), "factor": float(self.factor.numpy())}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "schedule": keras.saving.deserialize_keras_object(config["schedule"])})


def _rate(schedule, step):
    return schedule(step) if callable(schedule) else schedule


def _config(schedule):
    return keras.saving.serialize_keras_object(schedule)
