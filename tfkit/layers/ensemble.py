"""Many MLPs in one net: they share their weights, so they cost little more than one and err less together."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfkit")
class EnsembleDense(keras.layers.Layer):
    """A dense layer of `members` models that share one kernel, each with scales (and a bias) of its own.

    BatchEnsemble (Wen et al. 2020, https://arxiv.org/abs/2002.06715) as used by TabM (Gorishniy et al. 2024,
    https://arxiv.org/abs/2410.24210): member m computes `((x * scale_in[m]) @ kernel) * scale_out[m] + bias[m]`. With
    `shared=False` each member has a kernel of its own, which is what a head wants.

    Args:
        units: Width of the output, at least 1.
        members: Number of models, at least 1.
        signs: Whether `scale_in` starts at random signs (-1 or 1), so that members differ from the first step on:
            wanted in the first layer. Else it starts at 1.
        shared: Whether the members share one kernel.
        l1: Factor of the sum of absolute weights that is added to the loss, at least 0.
        l2: Factor of the sum of squared weights that is added to the loss, at least 0.

    Input shape:
        `(batch, dim)`, given to all members, or `(batch, members, dim)`.

    Output shape:
        `(batch, members, units)`.

    Raises:
        ValueError: If an argument is outside its range, or the input's second of three axes is not `members`.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.EnsembleDense(16, members=8, signs=True)
        >>> tuple(layer(np.zeros((4, 10), "float32")).shape)
        (4, 8, 16)
    """

    def __init__(self, units, members=8, *, signs=False, shared=True, l1=0.0, l2=0.0, **kwargs):
        super().__init__(**kwargs)
        if units < 1 or members < 1:
            raise ValueError(
                f"`units` and `members` must be at least 1. Received: units={units!r}, members={members!r}"
            )
        if l1 < 0 or l2 < 0:
            raise ValueError(f"`l1` and `l2` must be at least 0. Received: l1={l1!r}, l2={l2!r}")
        if signs and not shared:
            raise ValueError("`signs` needs `shared` kernels: members with kernels of their own have no scales")
        self.units, self.members, self.signs, self.shared = units, members, signs, shared
        self.regularizer = keras.regularizers.L1L2(l1, l2) if l1 or l2 else None

    def build(self, input_shape):
        if len(input_shape) not in (2, 3) or (len(input_shape) == 3 and input_shape[1] != self.members):
            raise ValueError(
                "The input must have two axes, or three of which the second is `members`. "
                f"Received: members={self.members}, input_shape={tuple(input_shape)}"
            )
        dim, own = input_shape[-1], () if self.shared else (self.members,)

        def small():  # one for each weight: a seeded initializer gives the same values again
            return keras.initializers.RandomUniform(-(dim**-0.5), dim**-0.5)

        self.kernel = self.add_weight(
            shape=(*own, dim, self.units),
            initializer="he_uniform" if self.shared else small(),
            regularizer=self.regularizer,
            name="kernel",
        )
        self.bias = self.add_weight(shape=(self.members, self.units), initializer=small(), name="bias")
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
        # two axes for the product: one large matrix instead of many small ones
        y = ops.matmul(ops.reshape(x, (-1, x.shape[-1])), self.kernel)
        return ops.reshape(y, (-1, self.members, self.units)) * self.scale_out + self.bias

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.members, self.units)


@keras.saving.register_keras_serializable(package="tfkit")
class EnsembleMLP(keras.layers.Layer):
    """TabM: `members` MLPs in one net, at the price of little more than one (Gorishniy et al. 2024).

    A stack of `EnsembleDense`, activation and dropout; the first layer's scales start at random signs. Train each
    member on the target (the loss averages over members) and average their answers afterwards: see `MemberMean` and
    `tfkit.losses.PerMember`. Source: https://arxiv.org/abs/2410.24210.

    Args:
        units: Width of each hidden layer, such as `[128, 128, 128]`.
        members: Number of models, at least 1.
        activation: Name of an activation of Keras.
        dropout: Share of the units dropped in training, in `[0, 1)`. All members share one mask a row: the random
            numbers are a third of the step otherwise.
        l1: Factor of the sum of absolute weights that is added to the loss, at least 0.
        l2: Factor of the sum of squared weights that is added to the loss, at least 0.

    Input shape:
        `(batch, dim)`.

    Output shape:
        `(batch, members, units[-1])`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.EnsembleMLP([32, 32], members=4)
        >>> tuple(layer(np.zeros((5, 10), "float32")).shape)
        (5, 4, 32)
    """

    def __init__(self, units, members=8, *, activation="relu", dropout=0.0, l1=0.0, l2=0.0, **kwargs):
        super().__init__(**kwargs)
        if not units or any(u < 1 for u in units):
            raise ValueError(f"`units` must name the width of at least one layer, each at least 1. Received: {units!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1). Received: {dropout!r}")
        self.units, self.members = list(units), members
        same = {"dtype": self.dtype_policy}
        self.dense = [
            EnsembleDense(width, members, signs=i == 0, l1=l1, l2=l2, name=f"dense_{i}", **same)
            for i, width in enumerate(units)
        ]
        self.activation = keras.layers.Activation(activation, name="activation", **same)
        self.dropouts = [
            keras.layers.Dropout(dropout, noise_shape=(None, 1, width), name=f"dropout_{i}", **same)
            for i, width in enumerate(units)
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
class MemberMean(keras.layers.Layer):
    """Let every member speak for itself in training, and all with one voice afterwards.

    In training the input passes unchanged, so that a loss such as `tfkit.losses.PerMember` teaches each member. Else
    the members' answers are averaged: of logits, the probabilities (and their logarithm is returned, so that the loss
    stays one "from logits"); of values, the values.

    Args:
        logits: Whether the input are logits of classes, whose probabilities are to be averaged.

    Input shape:
        `(batch, members, dim)`.

    Output shape:
        `(batch, members, dim)` in training, `(batch, 1, dim)` otherwise.

    Example:
        >>> import numpy as np, tfkit
        >>> members = np.array([[[1.0], [3.0]]], "float32")
        >>> np.asarray(tfkit.layers.MemberMean()(members)).tolist()
        [[[2.0]]]
    """

    def __init__(self, logits=False, **kwargs):
        super().__init__(**kwargs)
        self.logits = logits

    def call(self, x, training=False):
        if training:
            return x
        if not self.logits:
            return ops.mean(x, axis=1, keepdims=True)
        members = ops.cast(ops.shape(x)[1], x.dtype)
        return ops.logsumexp(ops.log_softmax(x, axis=-1), axis=1, keepdims=True) - ops.log(members)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], None, input_shape[2])


def _random_signs(shape, dtype=None):
    """-1 or 1, each with probability one half."""
    return ops.sign(keras.initializers.RandomUniform(-1.0, 1.0)(shape, dtype=dtype))
