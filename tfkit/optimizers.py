"""Words become a Keras optimizer with its learning-rate schedule."""

import keras

from tfkit.schedules import InverseSquareRoot, OneCycle, Scaled, Warmup

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
WARMUP = 0.05  # share of the steps over which `cosine`, `linear` and `inverse_square_root` first rise


def optimizer(name="adam", *, learning_rate=1e-3, decay="none", weight_decay=0.0, clip_norm=None, steps=None):
    """An optimizer of Keras by its name, with a learning rate that decays as told.

    | decay | the rate of step k of n |
    |---|---|
    | none | stays |
    | exponential | falls evenly to a hundredth: `0.01 ** (k / n)` |
    | step | a tenth after half of the steps, a hundredth after three quarters |
    | cosine | rises over the first 5%, then falls to 0 along a cosine (https://arxiv.org/abs/1608.03983) |
    | linear | rises over the first 5%, then falls to 0 in a straight line |
    | one_cycle | rises from a 25th over the first 30%, then falls to next to nothing (`tfkit.schedules.OneCycle`) |
    | polynomial | falls to 0 along a parabola: `(1 - k / n) ** 2` |
    | inverse_square_root | rises over the first 5%, then falls as `1 / sqrt(k)` (`tfkit.schedules.InverseSquareRoot`) |
    | plateau | stays here and is left to `tfkit.callbacks.LearningRateDecay` |

    The steps are counted in batches, also where an optimizer gathers the gradients of several. What falls by the step
    is `Scaled`, so that `tfkit.callbacks.StopOnNonFinite` can cut it while training runs.

    Args:
        name: sgd, momentum, nesterov, rmsprop, adam, adamw, nadam, adagrad or lion.
        learning_rate: The highest rate, above 0; or, without `decay`, a schedule of your own.
        decay: One of the words above.
        weight_decay: Share of each weight taken away at each step, times the rate; at least 0 (decoupled, as in AdamW).
        clip_norm: The largest norm of all gradients together, above 0, or None.
        steps: Steps of the whole training; needed by every decay but none and plateau.

    Returns:
        A new `keras.optimizers.Optimizer`.

    Raises:
        ValueError: If a word is not known, a number is outside its range, `steps` is missing where it is needed, a
            schedule of your own is given with a decay, or weight decay would take away more than there is.

    Example:
        >>> import tfkit
        >>> rate = tfkit.optimizer("adamw", learning_rate=0.1, decay="cosine", steps=100)._learning_rate
        >>> tfkit.schedules.simulate(rate, 101)[[0, 5, 52, 100]].round(4).tolist()
        [0.0, 0.1, 0.0508, 0.0]
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"`name` must be one of {', '.join(OPTIMIZERS)}. Received: {name!r}")
    own = isinstance(learning_rate, keras.optimizers.schedules.LearningRateSchedule)
    if (not own and not learning_rate > 0) or not weight_decay >= 0 or (clip_norm is not None and not clip_norm > 0):
        raise ValueError(
            "`learning_rate` and `clip_norm` must be above 0, `weight_decay` at least 0. Received: "
            f"{learning_rate=}, {clip_norm=}, {weight_decay=}"
        )
    if own and decay != "none":
        raise ValueError(
            "A schedule of your own is the whole decay: give it with decay='none'. Received: "
            f"{decay=}, learning_rate={type(learning_rate).__name__}"
        )
    if not own and weight_decay * learning_rate >= 1:
        raise ValueError(
            "`weight_decay` times `learning_rate` is the share of each weight that a step takes away, and "
            f"must be below 1. Received: {weight_decay=}, {learning_rate=}"
        )
    kind, options = OPTIMIZERS[name]
    # None is no decay at all; Keras' AdamW refuses it and wants 0
    weights = {"weight_decay": weight_decay or (0.0 if name == "adamw" else None)}
    rate = learning_rate if own else _schedule(decay, learning_rate, steps)
    return kind(learning_rate=rate, global_clipnorm=clip_norm, **weights, **options)


def _schedule(decay, rate, steps):
    """The rate itself, or a schedule that begins or peaks at it."""
    if decay not in DECAYS:
        raise ValueError(f"`decay` must be one of {', '.join(DECAYS)}. Received: {decay!r}")
    if decay in ("none", "plateau"):
        return rate
    if not steps or steps < 1:
        raise ValueError(
            "`steps`, the steps of the whole training, must be given, and at least 1, for "
            f"decay={decay!r}. Received: {steps!r}"
        )
    return Scaled(_falling(decay, rate, steps, warmup=int(WARMUP * steps)))


def _falling(decay, rate, steps, warmup):
    """What changes with the step."""
    schedules = keras.optimizers.schedules
    match decay:
        case "exponential":
            return schedules.ExponentialDecay(rate, decay_steps=steps, decay_rate=0.01)
        case "step":  # steps count from 0, and Keras keeps a value up to and with its boundary
            last = [-(-steps // 2) - 1, -(-3 * steps // 4) - 1]
            return schedules.PiecewiseConstantDecay(last, [rate, 0.1 * rate, 0.01 * rate])
        case "cosine":  # Keras' own warm-up is a branch, traced again for every weight that decays
            return _warmed(schedules.CosineDecay(rate, decay_steps=steps - warmup), warmup)
        case "linear":
            return _warmed(schedules.PolynomialDecay(rate, decay_steps=steps - warmup, end_learning_rate=0.0), warmup)
        case "polynomial":
            return schedules.PolynomialDecay(rate, decay_steps=steps, end_learning_rate=0.0, power=2.0)
        case "one_cycle":
            return OneCycle(rate, steps)
        case "inverse_square_root":
            return InverseSquareRoot(rate, max(1, warmup))


def _warmed(schedule, warmup):
    return Warmup(schedule, warmup) if warmup else schedule
