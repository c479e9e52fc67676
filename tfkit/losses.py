"""Losses that Keras does not provide."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfkit")
class SparseLabelSmoothingCrossentropy(keras.losses.Loss):
    """Sparse cross-entropy of logits with label smoothing, for noisy labels.

    The target distribution is `1 - label_smoothing` for the true class plus `label_smoothing` spread uniformly over all
    classes (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567). Keras supports label smoothing for one-hot targets
    only. Targets may also be class probabilities, as MixUp creates them in training.

    Args:
        label_smoothing: Fraction of the target that is spread over all classes, in `[0, 1)`.

    Input shape:
        `y_true`: class indices `(batch,)`, or class probabilities `(batch, classes)`; `y_pred`: logits
        `(batch, classes)`.

    Raises:
        ValueError: If `label_smoothing` is not in `[0, 1)`.

    Example:
        >>> import numpy as np, tfkit
        >>> loss = tfkit.losses.SparseLabelSmoothingCrossentropy(0.1)
        >>> round(float(loss(np.array([0]), np.array([[2.0, 0.0]]))), 4)
        0.2269
    """

    def __init__(self, label_smoothing: float = 0.1, name: str = "smoothed_crossentropy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"`label_smoothing` must be in [0, 1). Received: {label_smoothing!r}")
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        log_p = ops.log_softmax(y_pred, axis=-1)
        if tuple(y_true.shape[1:]) == tuple(y_pred.shape[1:]):
            true_log_p = ops.sum(y_true * log_p, axis=-1)
        else:
            true_log_p = ops.take_along_axis(log_p, _class_indices(y_true, y_pred)[..., None], axis=-1)[..., 0]
        return -(1 - self.label_smoothing) * true_log_p - self.label_smoothing * ops.mean(log_p, axis=-1)

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="tfkit")
class SparseCategoricalFocalCrossentropy(keras.losses.Loss):
    """Sparse focal loss of logits: `-(1 - p)^gamma log p`, with `p` of the true class.

    It gives rows that are classified well a low weight (Lin et al. 2017, https://arxiv.org/abs/1708.02002), for data
    with many easy rows and few hard ones. Keras provides it for one-hot targets only.

    Args:
        gamma: Focusing parameter, at least 0; larger values reduce the weight of easy rows, 0 is plain cross-entropy.

    Input shape:
        `y_true`: class indices `(batch,)`; `y_pred`: logits `(batch, classes)`.

    Raises:
        ValueError: If `gamma` is below 0.

    Example:
        >>> import numpy as np, tfkit
        >>> loss = tfkit.losses.SparseCategoricalFocalCrossentropy(gamma=2.0)
        >>> round(float(loss(np.array([0]), np.array([[2.0, 0.0]]))), 4)
        0.0018
    """

    def __init__(self, gamma: float = 2.0, name: str = "sparse_focal", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        if not gamma >= 0:
            raise ValueError(f"`gamma` must be at least 0. Received: {gamma!r}")
        self.gamma = gamma

    def call(self, y_true, y_pred):
        log_p = ops.log_softmax(y_pred, axis=-1)
        log_p = ops.take_along_axis(log_p, _class_indices(y_true, y_pred)[..., None], axis=-1)[..., 0]
        error = ops.maximum(-ops.expm1(log_p), 1e-7)  # above 0, where a power below 1 has no finite gradient
        return -ops.power(error, self.gamma) * log_p

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma}


@keras.saving.register_keras_serializable(package="tfkit")
class QuantileLoss(keras.losses.Loss):
    """Quantile (pinball) loss: the prediction is a quantile instead of the mean.

    `max(q * (y - p), (q - 1) * (y - p))` for the quantile level `q`, the target `y` and the prediction `p` (Koenker and
    Bassett 1978, https://doi.org/10.2307/1913643), averaged over the last axis of `y_pred`.

    Args:
        quantile: The quantile level, in `(0, 1)`; 0.5 is the median. A list predicts several quantiles at once.

    Input shape:
        `y_pred` `(batch, ...)` and `y_true` of the same size; for a list, `y_pred` `(batch, ..., quantiles)` and
        `y_true` `(batch, ...)`. The predicted quantiles may cross.

    Raises:
        ValueError: If a quantile is not in `(0, 1)`, or the list and the last axis of `y_pred` differ in length.

    Example:
        >>> import numpy as np, tfkit
        >>> round(float(tfkit.losses.QuantileLoss(0.9)(np.array([[3.0]]), np.array([[1.0]]))), 4)
        1.8
        >>> round(float(tfkit.losses.QuantileLoss([0.1, 0.5, 0.9])(np.array([3.0]), np.array([[1.0, 3.0, 5.0]]))), 4)
        0.1333
    """

    def __init__(self, quantile: float | Sequence[float] = 0.5, name: str = "pinball", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        quantiles = list(quantile) if isinstance(quantile, Sequence) else [quantile]
        if not quantiles or not all(0 < q < 1 for q in quantiles):
            raise ValueError(f"`quantile` must be in (0, 1), or a list of such numbers. Received: {quantile!r}")
        self.quantile = quantiles if isinstance(quantile, Sequence) else quantile

    def call(self, y_true, y_pred):
        shape = ops.shape(y_pred)
        if isinstance(self.quantile, list):
            if y_pred.shape[-1] != len(self.quantile):
                raise ValueError(
                    "The last axis of `y_pred` must have one output for each quantile. Received: "
                    f"quantile={self.quantile}, y_pred of shape {tuple(y_pred.shape)}"
                )
            shape = (*shape[:-1], 1)
        q, error = ops.cast(self.quantile, y_pred.dtype), ops.reshape(y_true, shape) - y_pred
        return ops.mean(ops.maximum(q * error, (q - 1.0) * error), axis=-1)

    def get_config(self):
        return {**super().get_config(), "quantile": self.quantile}


@keras.saving.register_keras_serializable(package="tfkit")
class GaussianNLL(keras.losses.Loss):
    """Gaussian negative log-likelihood: predict the mean and the variance of the target.

    `(log(2 * pi * v) + (y - mean)^2 / v) / 2`, the negative logarithm of the normal density including the constant (Nix
    and Weigend 1994, https://doi.org/10.1109/ICNN.1994.374138). The second output `s` is the variance parameter:
    `v = exp(s) + floor`, or `v = softplus(s)^2 + floor`, which has smaller gradients while the predictions are still
    far from the targets. Neither can overflow.

    A large predicted variance reduces the gradient of the mean, so that the mean learns slowly; `beta` counters this by
    weighting each row with `v^beta`, without a gradient through the weight (Seitzer et al. 2022,
    https://arxiv.org/abs/2203.09168, who recommend 0.5). The value is then no longer a likelihood.

    Args:
        scale: Meaning of the second output: `"log_variance"`, or `"softplus"` for the standard deviation before a
            softplus.
        floor: Lower bound of the variance, above 0; in the squared unit of the target.
        beta: Exponent of the weight, in `[0, 1]`; with 0 it is the likelihood, with 1 the gradient of the mean is that
            of the squared error.

    Input shape:
        `y_true` `(batch, ...)`; `y_pred` `(batch, ..., 2)`, the mean and the variance parameter.

    Raises:
        ValueError: If an argument is outside its range, or the last axis of `y_pred` is not 2.

    Example:
        >>> import numpy as np, tfkit
        >>> loss = tfkit.losses.GaussianNLL()
        >>> round(float(loss(np.array([1.0]), np.array([[3.0, 0.0]]))), 4)  # log(2 * pi) / 2 + 2
        2.9189
    """

    def __init__(
        self,
        scale: Literal["log_variance", "softplus"] = "log_variance",
        floor: float = 1e-6,
        beta: float = 0.0,
        name: str = "gaussian_nll",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if scale not in ("log_variance", "softplus"):
            raise ValueError(f"`scale` must be 'log_variance' or 'softplus'. Received: {scale!r}")
        if not floor > 0 or not 0 <= beta <= 1:
            raise ValueError(f"`floor` must be above 0 and `beta` in [0, 1]. Received: {floor=}, {beta=}")
        self.scale, self.floor, self.beta = scale, floor, beta

    def call(self, y_true, y_pred):
        if y_pred.shape[-1] != 2:
            raise ValueError(
                "The last axis of `y_pred` must be 2, the mean and the variance parameter. Received: "
                f"y_pred of shape {tuple(y_pred.shape)}"
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
class EnsembleLoss(keras.losses.Loss):
    """Average a loss over the members of an ensemble, so that each is trained separately.

    Args:
        loss: A loss of Keras or tfkit for the output of a single model.

    Input shape:
        `y_true` `(batch,)` or `(batch, ...)` in the form that `loss` expects; `y_pred` `(batch, members, dim)`, any
        number of members.

    Raises:
        TypeError: If `loss` is not a `keras.losses.Loss`, but for example the name of a loss.

    Example:
        >>> import keras, numpy as np, tfkit
        >>> loss = tfkit.losses.EnsembleLoss(keras.losses.MeanSquaredError())
        >>> float(loss(np.array([1.0]), np.array([[[1.0], [3.0]]])))
        2.0
    """

    def __init__(self, loss: Any, name: str = "per_member", **kwargs: Any) -> None:
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


def _class_indices(y_true, y_pred):
    """Return class indices in the shape of `y_pred` without its last axis."""
    return ops.cast(ops.reshape(y_true, ops.shape(y_pred)[:-1]), "int32")
