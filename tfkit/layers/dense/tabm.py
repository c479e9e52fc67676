"""TabM: parameter-efficient ensembles of MLPs that share their kernels."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from tfkit.layers.layer import Layer, check_widths

ACTIVATIONS = ("linear", "softmax", "sigmoid")  # of `EnsembleAverage`


@keras.saving.register_keras_serializable(package="tfkit")
class BatchEnsembleDense(Layer):
    """Dense layer of an ensemble: one shared kernel, scales and bias per member.

    BatchEnsemble (Wen et al. 2020, https://arxiv.org/abs/2002.06715) as used by TabM (Gorishniy et al. 2024,
    https://arxiv.org/abs/2410.24210): member m computes `((x * scale_in[m]) @ kernel) * scale_out[m] + bias[m]`. With
    `shared=False` each member has a separate kernel, as an output head needs.

    Args:
        units: Width of the output, at least 1.
        members: Number of models, at least 1.
        signs: Whether `scale_in` is initialized with random signs (-1 or 1), so that members differ from the first
            step on; recommended for the first layer. Otherwise it is initialized with 1.
        shared: Whether the members share one kernel.
        l1: L1 regularization factor (multiplies the sum of absolute weights), at least 0.
        l2: L2 regularization factor (multiplies the sum of squared weights), at least 0.

    Input shape:
        `(batch, dim)`, the input of all members, or `(batch, members, dim)`.

    Output shape:
        `(batch, members, units)`.

    Raises:
        ValueError: If an argument is outside its range, or the input has three axes and the second is not `members`.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.BatchEnsembleDense(16, members=8, signs=True)
        >>> tuple(layer(np.zeros((4, 10), "float32")).shape)
        (4, 8, 16)
    """

    def __init__(
        self,
        units: int,
        members: int = 8,
        *,
        signs: bool = False,
        shared: bool = True,
        l1: float = 0.0,
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if units < 1 or members < 1:
            raise ValueError(
                f"`units` and `members` must be at least 1. Received: units={units!r}, members={members!r}"
            )
        if l1 < 0 or l2 < 0:
            raise ValueError(f"`l1` and `l2` must be at least 0. Received: l1={l1!r}, l2={l2!r}")
        if signs and not shared:
            raise ValueError(
                "`signs` needs `shared=True`: members with separate kernels have no scales. "
                f"Received: {signs=}, {shared=}"
            )
        self.units, self.members, self.signs, self.shared = units, members, signs, shared
        self.regularizer = keras.regularizers.L1L2(l1, l2) if l1 or l2 else None

    def build(self, input_shape):
        if len(input_shape) not in (2, 3) or (len(input_shape) == 3 and input_shape[1] != self.members):
            raise ValueError(
                "The input must have two axes, or three of which the second is `members`. "
                f"Received: members={self.members}, input_shape={tuple(input_shape)}"
            )
        dim, member_axis = input_shape[-1], () if self.shared else (self.members,)

        def small_uniform():  # a new initializer per weight: a seeded initializer repeats its values
            return keras.initializers.RandomUniform(-(dim**-0.5), dim**-0.5)

        self.kernel = self.add_weight(
            shape=(*member_axis, dim, self.units),
            initializer="he_uniform" if self.shared else small_uniform(),
            regularizer=self.regularizer,
            name="kernel",
        )
        self.bias = self.add_weight(shape=(self.members, self.units), initializer=small_uniform(), name="bias")
        if self.shared:
            scale = _random_signs if self.signs else "ones"
            self.scale_in = self.add_weight(shape=(self.members, dim), initializer=scale, name="scale_in")
            self.scale_out = self.add_weight(shape=(self.members, self.units), initializer="ones", name="scale_out")

    def call(self, x):
        if len(x.shape) == 2:
            x = x[:, None, :]
        if not self.shared:
            x = ops.broadcast_to(x, (ops.shape(x)[0], self.members, x.shape[-1]))
            return ops.transpose(ops.matmul(ops.transpose(x, (1, 0, 2)), self.kernel), (1, 0, 2)) + self.bias
        x = x * self.scale_in
        # two axes for the product: one large matrix product instead of many small ones
        y = ops.matmul(ops.reshape(x, (-1, x.shape[-1])), self.kernel)
        return ops.reshape(y, (-1, self.members, self.units)) * self.scale_out + self.bias

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.members, self.units)


@keras.saving.register_keras_serializable(package="tfkit")
class TabM(Layer):
    """TabM: ensemble of MLPs in one network, at little more than the cost of one MLP.

    A stack of `BatchEnsembleDense`, activation and dropout; the scales of the first layer are initialized with random
    signs. Train each member on the target (the loss averages over members) and average the predictions of the
    members at inference: see `EnsembleAverage` and `tfkit.losses.EnsembleLoss`. Source: Gorishniy et al. 2024,
    https://arxiv.org/abs/2410.24210.

    Args:
        units: Width of each hidden layer, such as `[128, 128, 128]`.
        members: Number of models, at least 1.
        activation: Name of a Keras activation.
        dropout: Fraction of the units dropped in training, in `[0, 1)`. All members share one dropout mask per row:
            otherwise the random numbers take a third of the training step.
        l1: L1 regularization factor (multiplies the sum of absolute weights), at least 0.
        l2: L2 regularization factor (multiplies the sum of squared weights), at least 0.

    Input shape:
        `(batch, dim)`.

    Output shape:
        `(batch, members, units[-1])`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.TabM([32, 32], members=4)
        >>> tuple(layer(np.zeros((5, 10), "float32")).shape)
        (5, 4, 32)
    """

    def __init__(
        self,
        units: Sequence[int],
        members: int = 8,
        *,
        activation: str | Callable[[Any], Any] | None = "relu",
        dropout: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_widths("units", units)
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1). Received: {dropout!r}")
        self.units, self.members = list(units), members
        policy = {"dtype": self.dtype_policy}
        self.dense = [
            BatchEnsembleDense(width, members, signs=index == 0, l1=l1, l2=l2, name=f"dense_{index}", **policy)
            for index, width in enumerate(units)
        ]
        self.activation = keras.layers.Activation(activation, name="activation", **policy)
        self.dropouts = [
            keras.layers.Dropout(dropout, noise_shape=(None, 1, width), name=f"dropout_{index}", **policy)
            for index, width in enumerate(units)
        ]

    def build(self, input_shape):
        for dense in self.dense:
            dense.build(input_shape)
            input_shape = dense.compute_output_shape(input_shape)

    def call(self, x, training=False):
        for dense, dropout in zip(self.dense, self.dropouts, strict=True):
            x = dropout(self.activation(dense(x)), training=training)
        return x

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.members, self.units[-1])


@keras.saving.register_keras_serializable(package="tfkit")
class EnsembleAverage(Layer):
    """Average ensemble members at inference; pass them through in training.

    In training the input is returned unchanged, so that a loss such as `tfkit.losses.EnsembleLoss` trains each member.
    At inference the predictions of the members are averaged: for logits, the probabilities are averaged (and their
    logits are returned, so that a loss with `from_logits=True` still applies); for values, the values.

    Args:
        activation: "softmax" or "sigmoid" if the inputs are logits, whose probabilities are averaged; "linear" for
            values.

    Input shape:
        `(batch, members, dim)`.

    Output shape:
        `(batch, members, dim)` in training, `(batch, 1, dim)` otherwise.

    Raises:
        ValueError: If `activation` is not one of the three.

    Example:
        >>> import numpy as np, tfkit
        >>> members = np.array([[[1.0], [3.0]]], "float32")
        >>> np.asarray(tfkit.layers.EnsembleAverage()(members)).tolist()
        [[[2.0]]]
    """

    def __init__(self, activation: str | Callable[[Any], Any] | None = "linear", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if activation not in ACTIVATIONS:
            raise ValueError(f"`activation` must be one of {', '.join(ACTIVATIONS)}. Received: {activation!r}")
        self.activation = activation

    def call(self, x, training=False):
        if training:
            return x
        if self.activation == "linear":
            return ops.mean(x, axis=1, keepdims=True)
        if self.activation == "sigmoid":
            return ops.logsumexp(ops.log_sigmoid(x), axis=1, keepdims=True) - ops.logsumexp(
                ops.log_sigmoid(-x), axis=1, keepdims=True
            )
        members = ops.cast(ops.shape(x)[1], x.dtype)
        return ops.logsumexp(ops.log_softmax(x, axis=-1), axis=1, keepdims=True) - ops.log(members)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], None, input_shape[2])


def _random_signs(shape, dtype=None):
    """Return random signs, -1 or 1 with equal probability."""
    return ops.sign(keras.initializers.RandomUniform(-1.0, 1.0)(shape, dtype=dtype))
