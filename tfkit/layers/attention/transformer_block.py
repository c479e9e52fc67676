"""Pre-norm transformer block, and a stack of such blocks."""

import keras
from keras import ops

from tfkit.layers.attention.attention import CrossAttention, SelfAttention, check_arguments, variance_preserving_dense
from tfkit.layers.dropout import FastDropout
from tfkit.layers.layer import Layer

NORMALIZATIONS = {
    "layer": (ops.layer_normalization, keras.layers.LayerNormalization),
    "rms": (ops.rms_normalization, keras.layers.RMSNormalization),
}

EPSILON = 1e-5  # the 1e-3 of Keras is as large as the variance of a newly initialized embedding


@keras.saving.register_keras_serializable(package="tfkit")
class _Block(Layer):
    """Pre-norm transformer block with optional cross-attention."""

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
        policy = {"dtype": self.dtype_policy}
        self.activation = keras.layers.Activation(activation, name="activation", **policy)
        self.drop_units = FastDropout(dropout, name="drop_units", **policy)
        self.drop_branch = FastDropout(drop_branch, shared_axes=[1, 2], name="drop_branch", **policy)

    def build(self, x_shape, memory_shape=None):
        dim, units = x_shape[-1], self.units or 4 * x_shape[-1]
        policy = {"dtype": self.dtype_policy, **self.penalties}
        attention_options = {"num_heads": self.num_heads, "dropout": self.attention_dropout, **policy}
        self.attention = SelfAttention(
            causal=self.causal, positions=self.positions, name="attention", **attention_options
        )
        self.attention.build(x_shape)
        if memory_shape is not None:
            self.cross_attention = CrossAttention(name="cross_attention", **attention_options)
            self.cross_attention.build(x_shape, memory_shape)
        self.expand = variance_preserving_dense(units, name="expand", **policy)
        self.contract = variance_preserving_dense(dim, name="contract", **policy)
        self.expand.build(x_shape)
        self.contract.build((*x_shape[:-1], units))

    def call(self, x, memory=None, training=False, mask=None, memory_mask=None):
        def add_residual(y):
            return x + self.drop_branch(self.drop_units(y, training=training), training=training)

        x = add_residual(self.attention(self._norm(x), training=training, mask=mask))
        if memory is not None:
            x = add_residual(self.cross_attention(self._norm(x), memory, training=training, memory_mask=memory_mask))
        return add_residual(self.contract(self.activation(self.expand(self._norm(x)))))

    def _norm(self, x):
        return self.normalize(x, axis=-1, epsilon=EPSILON)

    def compute_output_shape(self, x_shape, memory_shape=None):
        return x_shape


def make_blocks(layer, depth, stochastic_depth, **options):
    """Create the blocks of a transformer and the final norm.

    The rate of stochastic depth grows linearly from block to block.
    """
    check_arguments(**{name: options[name] for name in ("num_heads", "positions", "dropout", "l1", "l2")})
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
    policy = {"dtype": layer.dtype_policy}
    drop_rates = [stochastic_depth * (index + 1) / depth for index in range(depth)]
    blocks = [
        _Block(drop_branch=drop_rate, name=f"block_{index}", **options, **policy)
        for index, drop_rate in enumerate(drop_rates)
    ]
    _, norm_class = NORMALIZATIONS[options["normalization"]]
    norm = norm_class(epsilon=EPSILON, name="norm", **policy)
    norm.supports_masking = True  # missing in Keras' RMSNormalization
    return blocks, norm
