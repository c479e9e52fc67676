"""Words become a Keras optimizer with its learning-rate schedule."""

import keras

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
DECAYS = ("none", "exponential", "step", "cosine", "plateau")
WARMUP = 0.05  # share of the steps over which `cosine` first rises


def optimizer(name="adam", *, learning_rate=1e-3, decay="none", weight_decay=0.0, clip_norm=None, steps=None):
    """An optimizer of Keras by its name, with a learning rate that decays as told.

    Decays: `"none"` keeps the rate; `"exponential"` falls evenly to a hundredth over all steps; `"step"` falls to a
    tenth after half of the steps and again after three quarters; `"cosine"` rises over the first 5% of the steps and
    then falls to 0 along a cosine (Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983); `"plateau"` keeps the
    rate here and leaves it to `tfkit.callbacks.LearningRateDecay`.

    Args:
        name: sgd, momentum, nesterov, rmsprop, adam, adamw, nadam, adagrad or lion.
        learning_rate: The highest rate, above 0.
        decay: none, exponential, step, cosine or plateau.
        weight_decay: Share of each weight taken away at each step, times the rate; at least 0 (decoupled, as in AdamW).
        clip_norm: The largest norm of all gradients together, above 0, or None.
        steps: Steps of the whole training; needed by exponential, step and cosine.

    Returns:
        A new `keras.optimizers.Optimizer`.

    Raises:
        ValueError: If a word is not known, a number is outside its range, or `steps` is missing where it is needed.

    Example:
        >>> import tfkit
        >>> rate = tfkit.optimizer("adamw", learning_rate=0.1, decay="cosine", steps=100)._learning_rate
        >>> [round(float(rate(step)), 4) for step in (0, 5, 52, 100)]
        [0.0, 0.1, 0.0508, 0.0]
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"`name` must be one of {', '.join(OPTIMIZERS)}. Received: {name!r}")
    if not learning_rate > 0 or weight_decay < 0 or (clip_norm is not None and not clip_norm > 0):
        raise ValueError("`learning_rate` and `clip_norm` must be above 0, `weight_decay` at least 0. Received: "
                         f"{learning_rate=}, {clip_norm=}, {weight_decay=}")  # fmt: skip
    kind, options = OPTIMIZERS[name]
    # None is no decay at all; Keras' AdamW refuses it and wants 0
    weights = {"weight_decay": weight_decay or (0.0 if name == "adamw" else None)}
    rate = _schedule(decay, learning_rate, steps)
    return kind(learning_rate=rate, global_clipnorm=clip_norm, **weights, **options)


def _schedule(decay, rate, steps):
    """The rate itself, or a schedule of Keras that begins or peaks at it."""
    if decay not in DECAYS:
        raise ValueError(f"`decay` must be one of {', '.join(DECAYS)}. Received: {decay!r}")
    if decay in ("none", "plateau"):
        return rate
    if not steps or steps < 1:
        raise ValueError("`steps`, the steps of the whole training, must be given, and at least 1, for "
                         f"decay={decay!r}. Received: {steps!r}")  # fmt: skip
    schedules = keras.optimizers.schedules
    if decay == "exponential":
        return schedules.ExponentialDecay(rate, decay_steps=steps, decay_rate=0.01)
    if decay == "step":
        # steps count from 0, and Keras keeps a value up to and with its boundary
        last = [-(-steps // 2) - 1, -(-3 * steps // 4) - 1]
        return schedules.PiecewiseConstantDecay(last, [rate, 0.1 * rate, 0.01 * rate])
    warmup = int(WARMUP * steps)
    if not warmup:
        return schedules.CosineDecay(rate, decay_steps=steps)
    return schedules.CosineDecay(0.0, decay_steps=steps - warmup, warmup_target=rate, warmup_steps=warmup)
