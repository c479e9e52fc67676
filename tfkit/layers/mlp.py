"""The dense stack that ends, or is, most networks."""

import keras


@keras.saving.register_keras_serializable(package="tfkit")
class MLP(keras.layers.Layer):
    """Dense layers, each with normalisation, activation and dropout: what most tables, and most heads, need.

    Every hidden layer computes `dropout(activation(normalization(x @ kernel)))` (Ioffe and Szegedy 2015,
    https://arxiv.org/abs/1502.03167; Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html). With
    `residual`, its input is added to its output where both have the same width (He et al. 2015,
    https://arxiv.org/abs/1512.03385). The output has no head: add a `Dense` of your own.

    Count of weights of a layer: `dim * units`, and `4 * units` of batch normalization (half of them learnt),
    `2 * units` of layer normalization, or `units` of bias without either.

    Args:
        units: Width of each hidden layer, each at least 1, such as `[256, 128]`.
        activation: Name of an activation of Keras.
        normalization: `"batch"`, `"layer"` or `None`.
        dropout: Share of the units dropped in training, in `[0, 1)`.
        l1: Factor of the sum of absolute weights that is added to the loss, at least 0.
        l2: Factor of the sum of squared weights that is added to the loss, at least 0.
        residual: Whether a layer's input is added to its output where the widths allow.

    Input shape:
        `(batch, ..., dim)`; a mask `(batch, ...)` is kept, and what it hides counts in no batch statistics.

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
        self, units, *, activation="relu", normalization="batch", dropout=0.0, l1=0.0, l2=0.0, residual=False, **kwargs
    ):
        super().__init__(**kwargs)
        if not units or any(u < 1 for u in units):
            raise ValueError(f"`units` must name the width of at least one layer, each at least 1. Received: {units!r}")
        if normalization not in ("batch", "layer", None):
            raise ValueError(f"`normalization` must be 'batch', 'layer' or None. Received: {normalization!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1). Received: {dropout!r}")
        if l1 < 0 or l2 < 0:
            raise ValueError(f"`l1` and `l2` must be at least 0. Received: l1={l1!r}, l2={l2!r}")
        self.units, self.residual, self.supports_masking = list(units), residual, True
        same = {"dtype": self.dtype_policy}
        self.dense = [
            keras.layers.Dense(
                width,
                use_bias=normalization is None,  # the normalisation's own shift makes a bias useless
                kernel_initializer="he_normal",
                kernel_regularizer=keras.regularizers.L1L2(l1, l2) if l1 or l2 else None,
                name=f"dense_{i}",
                **same,
            )
            for i, width in enumerate(units)
        ]
        kinds = {"batch": keras.layers.BatchNormalization, "layer": keras.layers.LayerNormalization}
        self.uses_mask = normalization == "batch"  # padding counts in no mean and no variance
        self.norms = [kinds[normalization](name=f"norm_{i}", **same) for i in range(len(units)) if normalization]
        self.activation = keras.layers.Activation(activation, name="activation", **same)
        self.dropouts = [keras.layers.Dropout(dropout, name=f"dropout_{i}", **same) for i in range(len(units))]

    def build(self, input_shape):
        for i, width in enumerate(self.units):
            self.dense[i].build(input_shape)
            input_shape = (*input_shape[:-1], width)
            if self.norms:
                self.norms[i].build(input_shape)

    def call(self, x, training=False, mask=None):
        masked = {"mask": mask} if self.uses_mask else {}
        for i, dense in enumerate(self.dense):
            y = dense(x)
            if self.norms:
                y = self.norms[i](y, training=training, **masked)
            y = self.dropouts[i](self.activation(y), training=training)
            x = x + y if self.residual and x.shape[-1] == y.shape[-1] else y
        return x

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units[-1])
