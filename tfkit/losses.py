"""Losses that Keras has not."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfkit")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of logits against class numbers whose certainty is lowered a little, which calms noisy labels.

    The target of the true class is `1 - label_smoothing`, the rest is shared by all classes (Szegedy et al. 2016,
    https://arxiv.org/abs/1512.00567). Keras has this for one-hot targets only.

    Args:
        label_smoothing: Share of the target that is spread over all classes, in `[0, 1)`.

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

    `max(q * (y - p), (q - 1) * (y - p))` (Koenker and Bassett 1978).

    Args:
        quantile: The share, in `(0, 1)`; 0.5 teaches the median.

    Raises:
        ValueError: If `quantile` is not in `(0, 1)`.

    Example:
        >>> import numpy as np, tfkit
        >>> round(float(tfkit.losses.Pinball(0.9)(np.array([[3.0]]), np.array([[1.0]]))), 4)
        1.8
    """

    def __init__(self, quantile=0.5, name="pinball", **kwargs):
        super().__init__(name=name, **kwargs)
        if not 0 < quantile < 1:
            raise ValueError(f"`quantile` must be in (0, 1). Received: {quantile!r}")
        self.quantile = quantile

    def call(self, y_true, y_pred):
        error = ops.reshape(y_true, ops.shape(y_pred)) - y_pred
        return ops.mean(ops.maximum(self.quantile * error, (self.quantile - 1.0) * error), axis=-1)

    def get_config(self):
        return {**super().get_config(), "quantile": self.quantile}


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
