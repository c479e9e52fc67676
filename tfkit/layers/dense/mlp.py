"""Multi-layer perceptron: a stack of dense layers."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras

from tfkit.layers.layer import Layer, check_widths


@keras.saving.register_keras_serializable(package="tfkit")
class MLP(Layer):
    """Multi-layer perceptron: dense layers with normalization, activation and dropout.

    Every hidden layer computes `dropout(activation(normalization(x @ kernel)))` (Ioffe and Szegedy 2015,
    https://arxiv.org/abs/1502.03167; Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html). With
    `residual`, the input of a layer is added to its output if both have the same width (He et al. 2015,
    https://arxiv.org/abs/1512.03385). The layer has no output head: add a `Dense` layer.

    Number of weights per layer: `dim * units`, and `4 * units` for batch normalization (half of them trainable), `2 *
    units` for layer normalization, or `units` for the bias without normalization.

    Args:
        units: Width of each hidden layer, each at least 1, such as `[256, 128]`.
        activation: Name of a Keras activation.
        normalization: `"batch"`, `"layer"` or `None`.
        dropout: Fraction of the units dropped in training, in `[0, 1)`.
        l1: L1 regularization factor (multiplies the sum of absolute weights), at least 0.
        l2: L2 regularization factor (multiplies the sum of squared weights), at least 0.
        residual: Whether the input of a layer is added to its output if the widths are equal.

    Input shape:
        `(batch, ..., dim)`; a mask `(batch, ...)` is passed on, and masked steps are excluded from batch statistics.

    Output shape:
        `(batch, ..., units[-1])`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.MLP([64, 32], dropout=0.1)
        >>> tuple(layer(np.zeros((8, 10), "float32")).shape)
        (8, 32)
    """

    def __init__(
        self,
        units: Sequence[int],
        *,
        activation: str | Callable[[Any], Any] | None = "relu",
        normalization: Literal["batch", "layer"] | None = "batch",
        dropout: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        residual: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_widths("units", units)
        if normalization not in ("batch", "layer", None):
            raise ValueError(f"`normalization` must be 'batch', 'layer' or None. Received: {normalization!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1). Received: {dropout!r}")
        if l1 < 0 or l2 < 0:
            raise ValueError(f"`l1` and `l2` must be at least 0. Received: l1={l1!r}, l2={l2!r}")
        self.units, self.residual, self.supports_masking = list(units), residual, True
        policy = {"dtype": self.dtype_policy}
        self.dense = [
            keras.layers.Dense(
                width,
                use_bias=normalization is None,  # the shift of the normalization makes a bias redundant
                kernel_initializer="he_normal",
                kernel_regularizer=keras.regularizers.L1L2(l1, l2) if l1 or l2 else None,
                name=f"dense_{index}",
                **policy,
            )
            for index, width in enumerate(units)
        ]
        layer_classes = {"batch": keras.layers.BatchNormalization, "layer": keras.layers.LayerNormalization}
        self.uses_mask = normalization == "batch"  # padding is excluded from mean and variance
        self.norms = [
            layer_classes[normalization](name=f"norm_{index}", **policy) for index in range(len(units)) if normalization
        ]
        self.activation = keras.layers.Activation(activation, name="activation", **policy)
        self.dropouts = [
            keras.layers.Dropout(dropout, name=f"dropout_{index}", **policy) for index in range(len(units))
        ]

    def build(self, input_shape):
        for index, width in enumerate(self.units):
            self.dense[index].build(input_shape)
            input_shape = (*input_shape[:-1], width)
            if self.norms:
                self.norms[index].build(input_shape)

    def call(self, x, training=False, mask=None):
        mask_argument = {"mask": mask} if self.uses_mask else {}
        for index, dense in enumerate(self.dense):
            y = dense(x)
            if self.norms:
                y = self.norms[index](y, training=training, **mask_argument)
            y = self.dropouts[index](self.activation(y), training=training)
            x = x + y if self.residual and x.shape[-1] == y.shape[-1] else y
        return x

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units[-1])
