"""Transformers: attention and a small net for each step in turn, each added to what was there."""

import keras
from keras import ops

from tfkit.layers.attention import CrossAttention, SelfAttention, check, dense
from tfkit.layers.dropout import Dropout
from tfkit.layers.masked import hide

NORMALIZATIONS = {
    "layer": (ops.layer_normalization, keras.layers.LayerNormalization),
    "rms": (ops.rms_normalization, keras.layers.RMSNormalization),
}
EPSILON = 1e-5  # Keras' own 1e-3 is the variance of a fresh embedding


@keras.saving.register_keras_serializable(package="tfkit")
class TransformerEncoder(keras.layers.Layer):
    """Let the steps of a sequence learn from each other: attention and a net for each step, `depth` times.

    Each block computes `x = x + dropout(attention(norm(x)))` and `x = x + dropout(net(norm(x)))` with `net(x) =
    activation(x @ w + b) @ v + c`; a last norm ends the stack (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762).
    The norm comes first, so that training needs no warm-up (Xiong et al. 2020, https://arxiv.org/abs/2002.04745), and
    but for the last it has no gain and shift, since the product after it has both (Xu et al. 2019,
    https://arxiv.org/abs/1911.07013). Kernels begin as LeCun said, in deep stacks too. With `causal` a step sees only
    itself and what came before, as in a language model.

    Without positions the steps are a bag: add `PositionalEmbedding` before, or say `positions="rotary"` to know
    distances. Steps that a mask hides change nothing at the others.

    Count of weights: `depth * (4 * dim * dim + 2 * dim * units + 5 * dim + units) + 2 * dim`, or `+ dim` with
    `normalization="rms"`.

    Args:
        num_heads: Number of heads, at least 1; it divides `dim`.
        depth: Number of blocks, at least 1.
        units: Width of the net for each step, at least 1; None for four times `dim`.
        activation: Name of an activation of Keras.
        normalization: `"layer"`, or `"rms"`, which leaves out the mean and is faster (Zhang and Sennrich 2019,
            https://arxiv.org/abs/1910.07467).
        dropout: Share of what is added dropped in training, in `[0, 1)`.
        attention_dropout: Share of the looks dropped in training, in `[0, 1)`. Slow: a random number for every pair of
            steps and every head.
        stochastic_depth: Share of the rows at which the last block adds nothing in training, in `[0, 1)`; block `i` of
            `depth` leaves out `i / depth` of it (Huang et al. 2016, https://arxiv.org/abs/1603.09382).
        causal: Whether a step may look at itself and earlier steps only.
        positions: `"rotary"` (Su et al. 2021, https://arxiv.org/abs/2104.09864) or None.
        l1: Factor of the sum of absolute weights that is added to the loss, at least 0.
        l2: Factor of the sum of squared weights that is added to the loss, at least 0.

    Input shape:
        `(batch, time, dim)`; a mask `(batch, time)` is kept.

    Output shape:
        The same.

    Raises:
        ValueError: If an argument is outside its range, or `num_heads` does not divide the last axis of the input.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.TransformerEncoder(num_heads=8, depth=2)
        >>> tuple(layer(np.zeros((3, 10, 64), "float32")).shape)
        (3, 10, 64)
        >>> layer.count_params() == 2 * (4 * 64 * 64 + 2 * 64 * 256 + 5 * 64 + 256) + 2 * 64
        True
    """

    def __init__(
        self,
        num_heads=4,
        *,
        depth=1,
        units=None,
        activation="silu",
        normalization="layer",
        dropout=0.0,
        attention_dropout=0.0,
        stochastic_depth=0.0,
        causal=False,
        positions=None,
        l1=0.0,
        l2=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.blocks, self.norm = stack(
            self,
            depth,
            stochastic_depth,
            num_heads=num_heads,
            units=units,
            activation=activation,
            normalization=normalization,
            dropout=dropout,
            attention_dropout=attention_dropout,
            causal=causal,
            positions=positions,
            l1=l1,
            l2=l2,
        )

    def build(self, input_shape):
        for block in self.blocks:
            block.build(input_shape)
        self.norm.build(input_shape)

    def call(self, x, training=False, mask=None):
        x = hide(x, mask)
        for block in self.blocks:
            x = block(x, training=training, mask=mask)
        return self.norm(x)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="tfkit")
class TransformerDecoder(keras.layers.Layer):
    """Write a sequence step by step, with an eye on another one: causal attention, a look at the memory, a net.

    As `TransformerEncoder(causal=True)`; called with a memory, such as the encoder's output, each block also computes
    `x = x + dropout(cross_attention(norm(x), memory))` between attention and net. Whether there is a memory
    is settled by the first call. The masks of both inputs are honoured: hidden steps of the targets and of the memory
    change nothing at the others.

    Count of weights: that of the encoder, and `depth * (2 * dim * dim + 2 * memory_dim * dim + 4 * dim)` with a memory.

    Args:
        num_heads: Number of heads, at least 1; it divides `dim`.
        depth: Number of blocks, at least 1.
        units: Width of the net for each step, at least 1; None for four times `dim`.
        activation: Name of an activation of Keras.
        normalization: `"layer"` or `"rms"`.
        dropout: Share of what is added dropped in training, in `[0, 1)`.
        attention_dropout: Share of the looks dropped in training, in `[0, 1)`; slow.
        stochastic_depth: Share of the rows at which the last block adds nothing in training, in `[0, 1)`.
        positions: `"rotary"` or None; of the targets, since those of the memory are its own matter.
        l1: Factor of the sum of absolute weights that is added to the loss, at least 0.
        l2: Factor of the sum of squared weights that is added to the loss, at least 0.

    Input shape:
        Targets `(batch, time, dim)` and, if any, memory `(batch, memory_time, memory_dim)`.

    Output shape:
        That of the targets, with their mask.

    Raises:
        ValueError: If an argument is outside its range, `num_heads` does not divide the last axis of the targets, or a
            memory comes that was not there at the first call, or the other way round.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.TransformerDecoder(num_heads=4)
        >>> tuple(layer(np.zeros((3, 10, 64), "float32"), np.zeros((3, 20, 32), "float32")).shape)
        (3, 10, 64)
    """

    def __init__(
        self,
        num_heads=4,
        *,
        depth=1,
        units=None,
        activation="silu",
        normalization="layer",
        dropout=0.0,
        attention_dropout=0.0,
        stochastic_depth=0.0,
        positions=None,
        l1=0.0,
        l2=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.blocks, self.norm = stack(
            self,
            depth,
            stochastic_depth,
            num_heads=num_heads,
            units=units,
            activation=activation,
            normalization=normalization,
            dropout=dropout,
            attention_dropout=attention_dropout,
            causal=True,
            positions=positions,
            l1=l1,
            l2=l2,
        )

    def build(self, targets_shape, memory_shape=None):
        self.has_memory = memory_shape is not None
        for block in self.blocks:
            block.build(targets_shape, memory_shape)
        self.norm.build(targets_shape)

    def call(self, targets, memory=None, training=False, mask=None, targets_mask=None, memory_mask=None):
        if (memory is not None) != self.has_memory:
            raise ValueError(
                "A decoder is called with a memory always or never, as in its first call. "
                f"Received: a memory now: {memory is not None}, at first: {self.has_memory}"
            )
        mask = targets_mask if mask is None else mask  # Keras names a mask by how many inputs there are
        x = hide(targets, mask)
        memory = None if memory is None else hide(memory, memory_mask)
        for block in self.blocks:
            x = block(x, memory, training=training, mask=mask, memory_mask=memory_mask)
        return self.norm(x)

    def compute_output_shape(self, targets_shape, memory_shape=None):
        return targets_shape


@keras.saving.register_keras_serializable(package="tfkit")
class _Block(keras.layers.Layer):
    """Attention, a look at the memory if there is one, and a net for each step, each added to what was there."""

    def __init__(
        self,
        num_heads,
        units,
        activation,
        normalization,
        dropout,
        attention_dropout,
        drop_branch,
        causal,
        positions,
        l1,
        l2,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads, self.units, self.attention_dropout = num_heads, units, attention_dropout
        self.causal, self.positions, self.penalties = causal, positions, {"l1": l1, "l2": l2}
        self.supports_masking = True
        self.normalize, _ = NORMALIZATIONS[normalization]
        same = {"dtype": self.dtype_policy}
        self.activation = keras.layers.Activation(activation, name="activation", **same)
        self.drop_units = Dropout(dropout, name="drop_units", **same)
        self.drop_branch = Dropout(drop_branch, shared_axes=[1, 2], name="drop_branch", **same)

    def build(self, x_shape, memory_shape=None):
        dim, units = x_shape[-1], self.units or 4 * x_shape[-1]
        same = {"dtype": self.dtype_policy, **self.penalties}
        alike = {"num_heads": self.num_heads, "dropout": self.attention_dropout, **same}
        self.attention = SelfAttention(causal=self.causal, positions=self.positions, name="attention", **alike)
        self.attention.build(x_shape)
        if memory_shape is not None:
            self.cross_attention = CrossAttention(name="cross_attention", **alike)
            self.cross_attention.build(x_shape, memory_shape)
        self.expand = dense(units, name="expand", **same)
        self.contract = dense(dim, name="contract", **same)
        self.expand.build(x_shape)
        self.contract.build((*x_shape[:-1], units))

    def call(self, x, memory=None, training=False, mask=None, memory_mask=None):
        def added(y):
            return x + self.drop_branch(self.drop_units(y, training=training), training=training)

        x = added(self.attention(self._norm(x), training=training, mask=mask))
        if memory is not None:
            x = added(self.cross_attention(self._norm(x), memory, training=training, memory_mask=memory_mask))
        return added(self.contract(self.activation(self.expand(self._norm(x)))))

    def _norm(self, x):
        return self.normalize(x, axis=-1, epsilon=EPSILON)

    def compute_output_shape(self, x_shape, memory_shape=None):
        return x_shape


def stack(layer, depth, stochastic_depth, **options):
    """The blocks of a transformer, of which later ones are left out more often, and the norm after them."""
    check(**{name: options[name] for name in ("num_heads", "positions", "dropout", "l1", "l2")})
    if depth < 1 or (options["units"] is not None and options["units"] < 1):
        raise ValueError(
            f"`depth` must be at least 1, and `units` too, or None. Received: {depth=}, units={options['units']!r}"
        )
    if options["normalization"] not in NORMALIZATIONS:
        raise ValueError(f"`normalization` must be 'layer' or 'rms'. Received: {options['normalization']!r}")
    if not (0 <= options["attention_dropout"] < 1 and 0 <= stochastic_depth < 1):
        raise ValueError(
            "`attention_dropout` and `stochastic_depth` must be in [0, 1). Received: "
            f"attention_dropout={options['attention_dropout']!r}, {stochastic_depth=}"
        )
    same = {"dtype": layer.dtype_policy}
    shares = [stochastic_depth * (i + 1) / depth for i in range(depth)]
    blocks = [_Block(drop_branch=share, name=f"block_{i}", **options, **same) for i, share in enumerate(shares)]
    _, kind = NORMALIZATIONS[options["normalization"]]
    norm = kind(epsilon=EPSILON, name="norm", **same)
    norm.supports_masking = True  # Keras' RMSNormalization forgets to say so
    return blocks, norm
