"""Losses that Keras has not."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfkit")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of logits against class numbers whose certainty is lowered a little, which calms noisy labels.

    The target of the true class is `1 - label_smoothing`, the rest is shared by all classes (Szegedy et al. 2016,
    https://arxiv.org/abs/1512.00567). Keras has this for one-hot targets only. Where rows are mixed in training, as
    MixUp does, the targets may be shares of the classes.

    Args:
        label_smoothing: Share of the target that is spread over all classes, in `[0, 1)`.

    Input shape:
        Class numbers `(batch,)`, or shares `(batch, classes)`; answers `(batch, classes)`.

    Raises:
        ValueError: If `label_smoothing` is not in `[0, 1)`.

    Example:
        >>> import numpy as np, tfkit
        >>> loss = tfkit.losses.SmoothedCrossentropy(0.1)
        >>> round(float(loss(np.array([0]), np.array([[2.0, 0.0]]))), 4)
        0.2269
    """

    def __init__(self, label_smoothing=0.1, name="smoothed_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"`label_smoothing` must be in [0, 1). Received: {label_smoothing!r}")
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        log_p = ops.log_softmax(y_pred, axis=-1)
        if tuple(y_true.shape[1:]) == tuple(y_pred.shape[1:]):
            true = ops.sum(y_true * log_p, axis=-1)
        else:
            true = ops.take_along_axis(log_p, _codes(y_true, y_pred)[..., None], axis=-1)[..., 0]
        return -(1 - self.label_smoothing) * true - self.label_smoothing * ops.mean(log_p, axis=-1)

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="tfkit")
class SparseFocal(keras.losses.Loss):
    """Cross-entropy of logits against class numbers that looks away from what is easy: `-(1 - p)^gamma log p`.

    Focal loss (Lin et al. 2017, https://arxiv.org/abs/1708.02002), for many easy rows and few hard ones. Keras has it
    for one-hot targets only.

    Args:
        gamma: How strongly easy rows are played down, at least 0; 0 is plain cross-entropy.

    Raises:
        ValueError: If `gamma` is below 0.

    Example:
        >>> import numpy as np, tfkit
        >>> round(float(tfkit.losses.SparseFocal(gamma=2.0)(np.array([0]), np.array([[2.0, 0.0]]))), 4)
        0.0018
    """

    def __init__(self, gamma=2.0, name="sparse_focal", **kwargs):
        super().__init__(name=name, **kwargs)
        if not gamma >= 0:
            raise ValueError(f"`gamma` must be at least 0. Received: {gamma!r}")
        self.gamma = gamma

    def call(self, y_true, y_pred):
        log_p = ops.log_softmax(y_pred, axis=-1)
        log_p = ops.take_along_axis(log_p, _codes(y_true, y_pred)[..., None], axis=-1)[..., 0]
        miss = ops.maximum(-ops.expm1(log_p), 1e-7)  # not 0, where a power below 1 has no finite slope
        return -ops.power(miss, self.gamma) * log_p

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma}


@keras.saving.register_keras_serializable(package="tfkit")
class Pinball(keras.losses.Loss):
    """Teach a quantile instead of the mean: the value that a told share of the targets stays below.

    `max(q * (y - p), (q - 1) * (y - p))` (Koenker and Bassett 1978, https://doi.org/10.2307/1913643), averaged over the
    last axis of the answers.

    Args:
        quantile: The share, in `(0, 1)`; 0.5 teaches the median. A list of shares teaches several at once.

    Input shape:
        Answers `(batch, ...)` and a target of the same size; for a list, answers `(batch, ..., quantiles)` and a target
        `(batch, ...)`. Nothing keeps the answers of several from crossing.

    Raises:
        ValueError: If a quantile is not in `(0, 1)`, or a list and the last axis of the answers differ in length.

    Example:
        >>> import numpy as np, tfkit
        >>> round(float(tfkit.losses.Pinball(0.9)(np.array([[3.0]]), np.array([[1.0]]))), 4)
        1.8
        >>> round(float(tfkit.losses.Pinball([0.1, 0.5, 0.9])(np.array([3.0]), np.array([[1.0, 3.0, 5.0]]))), 4)
        0.1333
    """

    def __init__(self, quantile=0.5, name="pinball", **kwargs):
        super().__init__(name=name, **kwargs)
        several = isinstance(quantile, (list, tuple))
        if not all(0 < q < 1 for q in (quantile if several else [quantile])) or quantile in ([], ()):
            raise ValueError(f"`quantile` must be in (0, 1), or a list of such. Received: {quantile!r}")
        self.quantile = list(quantile) if several else quantile

    def call(self, y_true, y_pred):
        shape = ops.shape(y_pred)
        if isinstance(self.quantile, list):
            if y_pred.shape[-1] != len(self.quantile):
                raise ValueError(
                    "The last axis of the answers must hold one for each quantile. Received: "
                    f"quantile={self.quantile}, answers of shape {tuple(y_pred.shape)}"
                )
            shape = (*shape[:-1], 1)
        q, error = ops.cast(self.quantile, y_pred.dtype), ops.reshape(y_true, shape) - y_pred
        return ops.mean(ops.maximum(q * error, (q - 1.0) * error), axis=-1)

    def get_config(self):
        return {**super().get_config(), "quantile": self.quantile}


@keras.saving.register_keras_serializable(package="tfkit")
class GaussianNLL(keras.losses.Loss):
    """Teach a number together with how sure it is: the mean and the width of a normal distribution.

    `(log(2 * pi * v) + (y - mean)^2 / v) / 2`, the negative logarithm of the density, constant and all (Nix and Weigend
    1994, https://doi.org/10.1109/ICNN.1994.374138). The second answer `s` says the variance: `v = exp(s) + floor`, or
    `v = softplus(s)^2 + floor`, which is gentler while the answers are still far off. Neither can overflow.

    Where the width can explain an error the mean is hardly taught; `beta` counters that by weighting each row with
    `v^beta`, taken as given (Seitzer et al. 2022, https://arxiv.org/abs/2203.09168, who advise 0.5). The value is then
    no likelihood any more.

    Args:
        scale: What the second answer is: `"log_variance"`, or `"softplus"` for the deviation before a softplus.
        floor: What the variance is never below, above 0; in the square of the target's unit.
        beta: Power of the weight, in `[0, 1]`; 0 is the likelihood, 1 teaches the mean as squared error does.

    Input shape:
        Target `(batch, ...)`; answers `(batch, ..., 2)`, the mean and what says the variance.

    Raises:
        ValueError: If an argument is outside its range, or the last axis of the answers is not 2.

    Example:
        >>> import numpy as np, tfkit
        >>> loss = tfkit.losses.GaussianNLL()
        >>> round(float(loss(np.array([1.0]), np.array([[3.0, 0.0]]))), 4)  # log(2 * pi) / 2 + 2
        2.9189
    """

    def __init__(self, scale="log_variance", floor=1e-6, beta=0.0, name="gaussian_nll", **kwargs):
        super().__init__(name=name, **kwargs)
        if scale not in ("log_variance", "softplus"):
            raise ValueError(f"`scale` must be 'log_variance' or 'softplus'. Received: {scale!r}")
        if not floor > 0 or not 0 <= beta <= 1:
            raise ValueError(f"`floor` must be above 0 and `beta` in [0, 1]. Received: {floor=}, {beta=}")
        self.scale, self.floor, self.beta = scale, floor, beta

    def call(self, y_true, y_pred):
        if y_pred.shape[-1] != 2:
            raise ValueError(
                "The last axis of the answers must be 2, the mean and what says the variance. Received: "
                f"answers of shape {tuple(y_pred.shape)}"
            )
        mean, s = y_pred[..., 0], y_pred[..., 1]
        if self.scale == "log_variance":
            log_variance = ops.logaddexp(s, ops.full_like(s, math.log(self.floor)))
        else:
            log_variance = ops.log(ops.square(ops.softplus(s)) + self.floor)
        error = ops.reshape(y_true, ops.shape(mean)) - mean
        loss = 0.5 * (math.log(2 * math.pi) + log_variance + ops.square(error) * ops.exp(-log_variance))
        return loss * ops.stop_gradient(ops.exp(self.beta * log_variance)) if self.beta else loss

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "floor": self.floor, "beta": self.beta}


@keras.saving.register_keras_serializable(package="tfkit")
class PerMember(keras.losses.Loss):
    """Apply a loss to every member of an ensemble and average, so that each learns the target by itself.

    Args:
        loss: A loss of Keras or tfkit for one model's answer.

    Input shape:
        Target `(batch,)` or `(batch, ...)` as `loss` wants it; answers `(batch, members, dim)`, any number of members.

    Raises:
        TypeError: If `loss` is no `keras.losses.Loss`, such as the name of one.

    Example:
        >>> import keras, numpy as np, tfkit
        >>> loss = tfkit.losses.PerMember(keras.losses.MeanSquaredError())
        >>> float(loss(np.array([1.0]), np.array([[[1.0], [3.0]]])))
        2.0
    """

    def __init__(self, loss, name="per_member", **kwargs):
        super().__init__(name=name, **kwargs)
        if not isinstance(loss, keras.losses.Loss):
            raise TypeError(f"`loss` must be a `keras.losses.Loss`, such as MeanSquaredError(). Received: {loss!r}")
        self.loss = loss

    def call(self, y_true, y_pred):
        batch, members = ops.shape(y_pred)[0], ops.shape(y_pred)[1]
        y_true = ops.repeat(y_true, members, axis=0)
        losses = self.loss.call(y_true, ops.reshape(y_pred, (-1, y_pred.shape[-1])))
        return ops.mean(ops.reshape(losses, (batch, members)), axis=1)

    def get_config(self):
        return {**super().get_config(), "loss": keras.saving.serialize_keras_object(self.loss)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "loss": keras.saving.deserialize_keras_object(config["loss"])})


def _codes(y_true, y_pred):
    """Class numbers in the shape of the answers without their last axis."""
    return ops.cast(ops.reshape(y_true, ops.shape(y_pred)[:-1]), "int32")
