"""Learning rate schedules that Keras does not provide, and tools for schedules."""

import logging
import math
from typing import Any

import keras
import numpy as np
from keras import ops


def simulate(schedule, steps):
    """Compute the learning rate of every step, to inspect a schedule before training.

    Args:
        schedule: A schedule of tfkit, Keras or your own; or a number, the constant learning rate.
        steps: Number of steps, at least 1.

    Returns:
        An array `(steps,)`, the learning rates of steps 0 to `steps - 1`.

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
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)  # TensorFlow warns of retracing after five schedules
    try:
        return np.asarray(ops.vectorized_map(schedule, ops.arange(steps, dtype="int64"))).astype("float64")
    finally:
        logger.setLevel(level)


def scale_learning_rate(optimizer, factor):
    """Multiply the learning rate of an optimizer during training, without recompiling.

    Args:
        optimizer: A Keras optimizer whose learning rate is a number or a `ScaledSchedule` schedule.
        factor: Factor for the learning rate of the current and every later step, above 0.

    Raises:
        ValueError: If the learning rate is a schedule that is not `ScaledSchedule`, or a function.

    Example:
        >>> import keras, tfkit
        >>> sgd = keras.optimizers.SGD(tfkit.schedules.ScaledSchedule(tfkit.schedules.Warmup(0.5, 1, start=0.5)))
        >>> tfkit.schedules.scale_learning_rate(sgd, 0.5)
        >>> float(sgd.learning_rate)
        0.125
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # unwrap a LossScaleOptimizer (half precision)
    rate = optimizer._learning_rate
    if isinstance(rate, ScaledSchedule):
        rate.factor.assign(rate.factor * factor)
    elif isinstance(rate, keras.Variable):
        rate.assign(rate * factor)
    else:
        raise ValueError(
            "A learning rate schedule must be wrapped to be scaled during training: "
            f"tfkit.schedules.ScaledSchedule(schedule). Received: {type(rate).__name__}"
        )


@keras.saving.register_keras_serializable(package="tfkit")
class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warmup to the initial learning rate of a schedule, then the schedule.

    With `n = steps`, `rate(k) = schedule(0) * (start + (1 - start) * k / n)` for `k < n`, then `schedule(k - n)`
    (Goyal et al. 2017, https://arxiv.org/abs/1706.02677). The first steps of Adam are as large as later ones, but its
    gradient statistics are less accurate, which is why large models need warmup.

    Args:
        schedule: A schedule, or a number for a constant learning rate after the warmup.
        steps: Steps of the warmup, at least 1.
        start: Initial learning rate as a fraction of the learning rate after warmup; in `[0, 1)`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import keras, tfkit
        >>> linear = keras.optimizers.schedules.PolynomialDecay(0.1, decay_steps=4, end_learning_rate=0.0)
        >>> tfkit.schedules.simulate(tfkit.schedules.Warmup(linear, 2), 7).round(3).tolist()
        [0.0, 0.05, 0.1, 0.075, 0.05, 0.025, 0.0]
    """

    def __init__(self, schedule: Any, steps: int, start: float = 0.0) -> None:
        if steps < 1 or not 0 <= start < 1:
            raise ValueError(f"`steps` must be at least 1 and `start` in [0, 1). Received: {steps=}, {start=}")
        self.schedule, self.steps, self.start = schedule, steps, start

    def __call__(self, step):
        progress = ops.minimum(ops.cast(step, "float32") / self.steps, 1.0)
        schedule_step = ops.maximum(ops.convert_to_tensor(step) - self.steps, 0)
        return (self.start + (1.0 - self.start) * progress) * _rate(self.schedule, schedule_step)

    def get_config(self):
        return {"schedule": _config(self.schedule), "steps": self.steps, "start": self.start}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "schedule": keras.saving.deserialize_keras_object(config["schedule"])})


@keras.saving.register_keras_serializable(package="tfkit")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """One-cycle schedule: cosine warmup to a high learning rate, cosine decay to near 0.

    It is meant for short trainings with a high learning rate. With `w = warmup * steps`, `high = learning_rate`,
    `low = high / 25` and `end = high / 250000`, each phase is half a cosine:
    `rate(k) = low + (high - low) * (1 - cos(pi * k / w)) / 2` up to `k = w`, then
    `end + (high - end) * (1 + cos(pi * (k - w) / (steps - w))) / 2`, and `end` from `k = steps` on (Smith and Topin
    2018, https://arxiv.org/abs/1708.07120, in the form and with the ratios of fastai). The momentum does not change.

    Args:
        learning_rate: The highest learning rate, above 0.
        steps: Total number of training steps, at least 1.
        warmup: Fraction of the steps in the warmup, in `(0, 1)`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import tfkit
        >>> tfkit.schedules.simulate(tfkit.schedules.OneCycle(1.0, 10), 11).round(3).tolist()
        [0.04, 0.28, 0.76, 1.0, 0.95, 0.812, 0.611, 0.389, 0.188, 0.05, 0.0]
    """

    def __init__(self, learning_rate: float, steps: int, warmup: float = 0.3) -> None:
        if not learning_rate > 0 or steps < 1 or not 0 < warmup < 1:
            raise ValueError(
                "`learning_rate` must be above 0, `steps` at least 1 and `warmup` in (0, 1). Received: "
                f"{learning_rate=}, {steps=}, {warmup=}"
            )
        self.learning_rate, self.steps, self.warmup = learning_rate, steps, warmup

    def __call__(self, step):
        k, peak_step = ops.minimum(ops.cast(step, "float32"), self.steps), self.warmup * self.steps
        high, low, end = self.learning_rate, self.learning_rate / 25, self.learning_rate / 250_000
        rise = low + (high - low) * (1 - ops.cos(math.pi * k / peak_step)) / 2
        fall = end + (high - end) * (1 + ops.cos(math.pi * (k - peak_step) / (self.steps - peak_step))) / 2
        return ops.where(k < peak_step, rise, fall)

    def get_config(self):
        return {"learning_rate": self.learning_rate, "steps": self.steps, "warmup": self.warmup}


@keras.saving.register_keras_serializable(package="tfkit")
class InverseSquareRoot(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warmup, then decay with the inverse square root of the step.

    It needs no total number of steps, so training can continue as long as it improves. With `w = warmup_steps`,
    `rate(k) = learning_rate * min(k / w, sqrt(w / k))` (Vaswani et al. 2017,
    https://arxiv.org/abs/1706.03762, whose highest rate is `1 / sqrt(dim * w)`).

    Args:
        learning_rate: The highest learning rate, reached at step `warmup_steps`; above 0.
        warmup_steps: Steps of the warmup, at least 1.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import tfkit
        >>> tfkit.schedules.simulate(tfkit.schedules.InverseSquareRoot(1.0, 2), 9).round(3).tolist()
        [0.0, 0.5, 1.0, 0.816, 0.707, 0.632, 0.577, 0.535, 0.5]
    """

    def __init__(self, learning_rate: float, warmup_steps: int) -> None:
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
    """Linear warmup, constant learning rate, then decay to 0 in the last steps.

    The total number of steps can be decided late, because the decay starts shortly before the end. With
    `w = warmup * steps` and `d = decay * steps`,
    `rate(k) = learning_rate * min(1, k / w, 1 - sqrt(max(0, k - steps + d) / d))`, and 0 from `k = steps` on (Hu et al.
    2024, https://arxiv.org/abs/2404.06395; the square-root decay is the best of Hägele et al. 2024,
    https://arxiv.org/abs/2405.18392).

    Args:
        learning_rate: The highest learning rate, above 0.
        steps: Total number of training steps, at least 1.
        warmup: Fraction of the steps in the warmup, in `(0, 1)`.
        decay: Fraction of the steps in the decay, above 0; the sum with `warmup` is at most 1.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import tfkit
        >>> schedule = tfkit.schedules.WarmupStableDecay(1.0, 10, warmup=0.2, decay=0.4)
        >>> tfkit.schedules.simulate(schedule, 11).round(3).tolist()
        [0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.293, 0.134, 0.0]
    """

    def __init__(self, learning_rate: float, steps: int, warmup: float = 0.05, decay: float = 0.2) -> None:
        if not learning_rate > 0 or steps < 1 or not warmup > 0 or not decay > 0 or warmup + decay > 1:
            raise ValueError(
                "`learning_rate` must be above 0, `steps` at least 1, `warmup` and `decay` above 0 and "
                f"their sum at most 1. Received: {learning_rate=}, {steps=}, {warmup=}, {decay=}"
            )
        self.learning_rate, self.steps, self.warmup, self.decay = learning_rate, steps, warmup, decay

    def __call__(self, step):
        k = ops.minimum(ops.cast(step, "float32"), self.steps)
        decay_progress = ops.maximum(k - (1 - self.decay) * self.steps, 0.0) / (self.decay * self.steps)
        decay_factor = 1.0 - ops.sqrt(ops.minimum(decay_progress, 1.0))
        return self.learning_rate * ops.minimum(k / (self.warmup * self.steps), decay_factor)

    def get_config(self):
        return {"learning_rate": self.learning_rate, "steps": self.steps, "warmup": self.warmup, "decay": self.decay}


@keras.saving.register_keras_serializable(package="tfkit")
class ScaledSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Multiply a schedule by a factor that can change during training.

    Keras allows changes during training for constant learning rates only. `rate(k) = factor * schedule(k)`. The factor
    is a variable (`scaled.factor`), so that compiled training steps use its current value;
    `scale_learning_rate(optimizer, 0.1)` multiplies it. It is saved in the config of the optimizer, not
    among its variables.

    Args:
        schedule: A schedule, or a number.
        factor: Initial value of the factor, above 0.

    Raises:
        ValueError: If `factor` is not above 0.

    Example:
        >>> import tfkit
        >>> scaled = tfkit.schedules.ScaledSchedule(tfkit.schedules.InverseSquareRoot(1.0, 2), 0.5)
        >>> tfkit.schedules.simulate(scaled, 4).round(3).tolist()
        [0.0, 0.25, 0.5, 0.408]
    """

    def __init__(self, schedule: Any, factor: float = 1.0) -> None:
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
