"""Create a Keras optimizer with a learning rate schedule from their names."""

import keras

from tfkit.schedules import InverseSquareRoot, OneCycle, ScaledSchedule, Warmup

OPTIMIZERS = {
    "sgd": (keras.optimizers.SGD, {}),
    "momentum": (keras.optimizers.SGD, {"momentum": 0.9}),
    "nesterov": (keras.optimizers.SGD, {"momentum": 0.9, "nesterov": True}),
    "rmsprop": (keras.optimizers.RMSprop, {}),
    "adam": (keras.optimizers.Adam, {}),
    "adamw": (keras.optimizers.AdamW, {}),
    "nadam": (keras.optimizers.Nadam, {}),
    "adagrad": (keras.optimizers.Adagrad, {}),
    "lion": (keras.optimizers.Lion, {}),
}

DECAYS = (
    "none",
    "exponential",
    "step",
    "cosine",
    "linear",
    "one_cycle",
    "polynomial",
    "inverse_square_root",
    "plateau",
)

WARMUP_FRACTION = 0.05  # of the steps: linear warmup of `cosine`, `linear` and `inverse_square_root`


def make_optimizer(
    name="adam", *, learning_rate=1e-3, decay="none", weight_decay=0.0, global_clipnorm=None, steps=None
):
    """Create a Keras optimizer by name, with a learning rate schedule by name.

    | decay | learning rate of step k of n |
    |---|---|
    | none | constant |
    | exponential | exponential decay to 1% of the initial value: `0.01 ** (k / n)` |
    | step | 10% after half of the steps, 1% after three quarters |
    | cosine | linear warmup over the first 5%, then cosine decay to 0 (https://arxiv.org/abs/1608.03983) |
    | linear | linear warmup over the first 5%, then linear decay to 0 |
    | one_cycle | warmup from 1/25 over the first 30%, then decay to nearly 0 (`tfkit.schedules.OneCycle`) |
    | polynomial | quadratic decay to 0: `(1 - k / n) ** 2` |
    | inverse_square_root | linear warmup over the first 5%, then `1 / sqrt(k)` (`tfkit.schedules.InverseSquareRoot`) |
    | plateau | constant; `tfkit.callbacks.LearningRateDecay` reduces it |

    Steps are counted in batches, also if the optimizer accumulates gradients over several. Every schedule is wrapped in
    `Scaled`, so that `tfkit.callbacks.RollbackOnNaN` can lower the learning rate during training.

    Args:
        name: sgd, momentum, nesterov, rmsprop, adam, adamw, nadam, adagrad or lion.
        learning_rate: The highest learning rate, above 0; or, with `decay="none"`, a Keras schedule.
        decay: Name of a schedule in the table above.
        weight_decay: Decoupled weight decay as in AdamW, at least 0: each step subtracts this fraction of each weight,
            times the learning rate.
        global_clipnorm: Largest global gradient norm, above 0, or None.
        steps: Total number of training steps; required for every decay except none and plateau.

    Returns:
        A new `keras.optimizers.Optimizer`.

    Raises:
        ValueError: If a name is unknown, a number is outside its range, `steps` is required and missing, a schedule
            object is combined with a decay, or the weight decay would subtract the full weight or more.

    Example:
        >>> import tfkit
        >>> rate = tfkit.make_optimizer("adamw", learning_rate=0.1, decay="cosine", steps=100)._learning_rate
        >>> tfkit.schedules.simulate(rate, 101)[[0, 5, 52, 100]].round(4).tolist()
        [0.0, 0.1, 0.0508, 0.0]
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"`name` must be one of {', '.join(OPTIMIZERS)}. Received: {name!r}")
    is_schedule = isinstance(learning_rate, keras.optimizers.schedules.LearningRateSchedule)
    if (
        (not is_schedule and not learning_rate > 0)
        or not weight_decay >= 0
        or (global_clipnorm is not None and not global_clipnorm > 0)
    ):
        raise ValueError(
            "`learning_rate` and `global_clipnorm` must be above 0, `weight_decay` at least 0. Received: "
            f"{learning_rate=}, {global_clipnorm=}, {weight_decay=}"
        )
    if is_schedule and decay != "none":
        raise ValueError(
            "A schedule object needs decay='none', because it is the complete decay. Received: "
            f"{decay=}, learning_rate={type(learning_rate).__name__}"
        )
    if not is_schedule and weight_decay * learning_rate >= 1:
        raise ValueError(
            "`weight_decay` times `learning_rate` is the fraction of each weight that a step subtracts, and "
            f"must be below 1. Received: {weight_decay=}, {learning_rate=}"
        )
    optimizer_class, options = OPTIMIZERS[name]
    weight_decay = weight_decay or (0.0 if name == "adamw" else None)  # None: no decay; Keras' AdamW needs a number
    rate = learning_rate if is_schedule else _make_schedule(decay, learning_rate, steps)
    return optimizer_class(learning_rate=rate, global_clipnorm=global_clipnorm, weight_decay=weight_decay, **options)


def _make_schedule(decay, rate, steps):
    """Return the constant rate, or a schedule that starts or peaks at it."""
    if decay not in DECAYS:
        raise ValueError(f"`decay` must be one of {', '.join(DECAYS)}. Received: {decay!r}")
    if decay in ("none", "plateau"):
        return rate
    if not steps or steps < 1:
        raise ValueError(
            f"`steps`, the total number of training steps, must be at least 1 for decay={decay!r}. Received: {steps!r}"
        )
    return ScaledSchedule(_decay_schedule(decay, rate, steps, warmup=int(WARMUP_FRACTION * steps)))


def _decay_schedule(decay, rate, steps, warmup):
    """Create the schedule of a decay that changes with the step."""
    schedules = keras.optimizers.schedules
    match decay:
        case "exponential":
            return schedules.ExponentialDecay(rate, decay_steps=steps, decay_rate=0.01)
        case "step":  # steps count from 0, and a boundary of Keras is the last step of its value
            boundaries = [-(-steps // 2) - 1, -(-3 * steps // 4) - 1]
            return schedules.PiecewiseConstantDecay(boundaries, [rate, 0.1 * rate, 0.01 * rate])
        case "cosine":  # Keras' own warmup is a branch, traced again for every weight with weight decay
            return _with_warmup(schedules.CosineDecay(rate, decay_steps=steps - warmup), warmup)
        case "linear":
            return _with_warmup(
                schedules.PolynomialDecay(rate, decay_steps=steps - warmup, end_learning_rate=0.0), warmup
            )
        case "polynomial":
            return schedules.PolynomialDecay(rate, decay_steps=steps, end_learning_rate=0.0, power=2.0)
        case "one_cycle":
            return OneCycle(rate, steps)
        case "inverse_square_root":
            return InverseSquareRoot(rate, max(1, warmup))


def _with_warmup(schedule, warmup):
    return Warmup(schedule, warmup) if warmup else schedule
