"""Time each layer against an equivalent composition of Keras layers: forward pass and training step.

    python tests/bench/layers.py [NAME ...] [--rounds 15] [--clock wall|cpu]

The ratio is the time of the composition divided by the time of the tfkit layer; the goal is 1 or more. Both models have
the same weights; the last column is the maximum difference of their outputs, which must be close to 0. The two models
are timed alternately and the ratio is the median over rounds, so load on the machine affects both equally. The CPU
clock counts the work of all threads and is the least sensitive to other processes.

To add a layer, add an item to PAIRS: name, the tfkit layer, the composition (both a function of a `keras.Input`), and
the shape of the input with the batch axis, or the input itself.
"""

import argparse
import os
import statistics
import time
from collections import defaultdict

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras.layers import (
    GRU,
    LSTM,
    Activation,
    Add,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    LayerNormalization,
    Masking,
    MaxPooling1D,
    MultiHeadAttention,
    Multiply,
    Reshape,
    SpatialDropout1D,
    SpatialDropout2D,
    ZeroPadding2D,
)

from tfkit import layers

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def mlp(x):
    for _ in range(3):
        x = Activation("relu")(BatchNormalization()(Dense(256, use_bias=False)(x)))
        x = Dropout(0.1)(x)
    return x


def conv(x, filters, size=3, strides=1, activation="relu", dropout=0.0):
    """Apply convolution, batch normalization, activation and dropout."""
    is_image = len(x.shape) == 4
    if strides > 1 and size > 1:  # windows at 0, 2, 4, ... for every image size
        x = ZeroPadding2D(size // 2)(x)
    layer_class = Conv2D if is_image else Conv1D
    padding = "valid" if strides > 1 else "same"
    x = layer_class(filters, size, strides=strides, padding=padding, use_bias=False)(x)
    x = BatchNormalization(momentum=0.9)(x)
    x = Activation(activation)(x) if activation else x
    return (SpatialDropout2D if is_image else SpatialDropout1D)(dropout)(x) if dropout else x


def residual(x, filters, size=3, strides=1, excitation=0):
    y = conv(conv(x, filters, size, strides), filters, size, activation=None)
    if excitation:
        pool = GlobalAveragePooling2D if len(x.shape) == 4 else GlobalAveragePooling1D
        scale = Dense(filters // excitation, activation="relu")(pool()(y))
        scale = Dense(filters, activation="sigmoid")(scale)
        y = Multiply()([y, Reshape((*[1] * (len(x.shape) - 2), filters))(scale)])
    if strides > 1 or x.shape[-1] != filters:
        x = conv(x, filters, 1, strides, activation=None)
    return Activation("relu")(Add()([x, y]))


def conv_stack(x):
    x = conv(x, 32)
    for stage, filters in enumerate((32, 64, 128)):
        x = residual(x, filters, strides=2 if stage else 1)
    return GlobalAveragePooling2D()(x)


def masked_conv(x):
    """Set masked steps to 0 and pass the mask to the batch normalization."""
    mask = Masking().compute_mask(x)
    for _ in range(2):
        x = Multiply()([x, keras.ops.expand_dims(keras.ops.cast(mask, x.dtype), -1)])
        x = Conv1D(64, 5, padding="same", use_bias=False)(x)
        x = Activation("relu")(BatchNormalization(momentum=0.9)(x, mask=mask))
    return GlobalAveragePooling1D()(x, mask=mask)


def masked_layers(x):
    x = Masking()(x)
    for _ in range(2):
        x = layers.ConvBlock(64, 5, rank=1)(x)
    return layers.GlobalPooling()(x)


def inception(x):
    bottleneck = Conv1D(32, 1, padding="same", use_bias=False)(x) if x.shape[-1] > 1 else x
    branches = [Conv1D(32, size, padding="same", use_bias=False)(bottleneck) for size in (10, 20, 40)]
    pooled_input = MaxPooling1D(3, strides=1, padding="same")(x)
    branches.append(Conv1D(32, 1, padding="same", use_bias=False)(pooled_input))
    return Activation("relu")(BatchNormalization(momentum=0.9)(Concatenate()(branches)))


def inception_stack(x):
    shortcut = x
    for i in range(6):
        x = inception(x)
        if i % 3 == 2:
            x = shortcut = Activation("relu")(Add()([x, conv(shortcut, 128, 1, activation=None)]))
    return GlobalAveragePooling1D()(x)


def transformer(x, num_heads, memory=None, dropout=0.0, attention_dropout=0.0, causal=False):
    dim = x.shape[-1]

    def attend(x, memory, **options):
        attention = MultiHeadAttention(num_heads, dim // num_heads, dropout=attention_dropout)
        y = LayerNormalization(epsilon=1e-5)(x)
        return Add()([x, Dropout(dropout)(attention(y, y if memory is None else memory, **options))])

    x = attend(x, None, use_causal_mask=causal)
    if memory is not None:
        x = attend(x, memory)
    y = Dense(4 * dim, activation="silu")(LayerNormalization(epsilon=1e-5)(x))
    return LayerNormalization(epsilon=1e-5)(Add()([x, Dropout(dropout)(Dense(dim)(y))]))


def masked_mean(function):
    """Wrap a function of padded series: average its output over the unmasked steps."""
    return lambda x: layers.GlobalPooling()(function(Masking()(x)))


def attention_pooling(x, num_heads):
    time, dim = x.shape[1:]
    attention_weights = keras.layers.Softmax(axis=1)(Dense(num_heads, use_bias=False, name="query")(x) * dim**-0.5)
    heads = Reshape((time, num_heads, dim // num_heads))(x)
    return Reshape((dim,))(keras.ops.sum(Multiply()([heads, keras.ops.expand_dims(attention_weights, -1)]), axis=1))


def recurrent(x, layer_class, *units, bidirectional=False):
    """Stack recurrent Keras layers; the last one returns its last state."""
    for i, width in enumerate(units):
        layer = layer_class(width, return_sequences=i + 1 < len(units))
        x = (Bidirectional(layer) if bidirectional else layer)(x)
    return x


def padded(*shape):
    """Return series in which every second row is padded after two thirds of the steps."""
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    x[::2, 2 * shape[1] // 3 :] = 0
    return x


PAIRS = {
    "MLP": (lambda x: layers.MLP([256] * 3, dropout=0.1)(x), mlp, (256, 64)),
    "ConvBlock images": (lambda x: layers.ConvBlock(32)(x), lambda x: conv(x, 32), (64, 28, 28, 32)),
    "ConvBlock strides": (
        lambda x: layers.ConvBlock(64, strides=2)(x),
        lambda x: conv(x, 64, strides=2),
        (64, 28, 28, 32),
    ),
    "ConvBlock dropout": (
        lambda x: layers.ConvBlock(32, dropout=0.2)(x),
        lambda x: conv(x, 32, dropout=0.2),
        (64, 28, 28, 32),
    ),
    "ConvBlock series": (lambda x: layers.ConvBlock(64, 8, rank=1)(x), lambda x: conv(x, 64, 8), (64, 150, 64)),
    "ConvBlock masked": (masked_layers, masked_conv, padded(64, 150, 8)),
    "ResidualBlock": (lambda x: layers.ResidualBlock(64)(x), lambda x: residual(x, 64), (64, 14, 14, 64)),
    "ResidualBlock strides": (
        lambda x: layers.ResidualBlock(64, strides=2)(x),
        lambda x: residual(x, 64, strides=2),
        (64, 28, 28, 32),
    ),
    "ResidualBlock excitation": (
        lambda x: layers.ResidualBlock(64, 8, rank=1, squeeze_excitation=8)(x),
        lambda x: residual(x, 64, 8, excitation=8),
        (64, 150, 64),
    ),
    "ConvNet": (lambda x: layers.ConvNet()(x), conv_stack, (64, 28, 28, 1)),
    "InceptionBlock": (lambda x: layers.InceptionBlock()(x), inception, (32, 150, 128)),
    "InceptionTime": (lambda x: layers.InceptionTime()(x), inception_stack, (32, 150, 1)),
    **{
        f"TransformerEncoder {' '.join(map(str, shape))}": (
            lambda x, n=num_heads: layers.TransformerEncoder(n)(x),
            lambda x, n=num_heads: transformer(x, n),
            shape,
        )
        for shape, num_heads in (((32, 64, 64), 4), ((32, 128, 128), 8), ((256, 32, 64), 4))
    },
    "TransformerEncoder dropout": (
        lambda x: layers.TransformerEncoder(4, dropout=0.1)(x),
        lambda x: transformer(x, 4, dropout=0.1),
        (32, 64, 64),
    ),
    "TransformerEncoder attention dropout": (
        lambda x: layers.TransformerEncoder(4, attention_dropout=0.1)(x),
        lambda x: transformer(x, 4, attention_dropout=0.1),
        (32, 64, 64),
    ),
    "TransformerEncoder causal": (
        lambda x: layers.TransformerEncoder(4, causal=True)(x),
        lambda x: transformer(x, 4, causal=True),
        (32, 64, 64),
    ),
    "TransformerEncoder masked": (
        masked_mean(lambda x: layers.TransformerEncoder(4)(x)),
        masked_mean(lambda x: transformer(x, 4)),
        padded(32, 64, 64),
    ),
    "TransformerDecoder": (
        lambda x: layers.TransformerDecoder(4)(x, x),
        lambda x: transformer(x, 4, x, causal=True),
        (32, 64, 64),
    ),
    "AttentionPooling": (lambda x: layers.AttentionPooling(4)(x), lambda x: attention_pooling(x, 4), (32, 128, 128)),
    "PatchEmbedding series": (
        lambda x: layers.PatchEmbedding(16, 128)(x),
        lambda x: Conv1D(128, 16, 16)(x),
        (64, 512, 1),
    ),
    "PatchEmbedding overlap": (
        lambda x: layers.PatchEmbedding(16, 128, stride=8)(x),
        lambda x: Conv1D(128, 16, 8)(x),
        (64, 512, 1),
    ),
    "PatchEmbedding images": (
        lambda x: layers.PatchEmbedding(4, 64)(x),
        lambda x: Reshape((-1, 64))(Conv2D(64, 4, 4)(x)),
        (128, 28, 28, 1),
    ),
    **{
        f"RNNStack {' '.join(map(str, (*shape, units)))}": (
            lambda x, u=units: layers.RNNStack([u])(x),
            lambda x, u=units: recurrent(x, LSTM, u),
            shape,
        )
        for shape, units in (((32, 64, 1), 64), ((32, 64, 16), 128), ((256, 64, 1), 64), ((256, 64, 16), 128))
    },
    "RNNStack loop": (
        lambda x: layers.RNNStack([64], implementation="loop")(x),
        lambda x: recurrent(x, LSTM, 64),
        (32, 64, 4),
    ),
    "RNNStack bidirectional": (
        lambda x: layers.RNNStack([64, 64], bidirectional=True)(x),
        lambda x: recurrent(x, LSTM, 64, 64, bidirectional=True),
        (32, 64, 4),
    ),
    "RNNStack masked": (
        lambda x: layers.RNNStack([64])(Masking()(x)),
        lambda x: recurrent(Masking()(x), LSTM, 64),
        padded(32, 64, 4),
    ),
    **{
        f"RNNStack gru {' '.join(map(str, shape))}": (
            lambda x: layers.RNNStack([64], cell="gru")(x),
            lambda x: recurrent(x, GRU, 64),
            shape,
        )
        for shape in ((32, 64, 4), (256, 64, 4))
    },
    "Dropout": (lambda x: layers.FastDropout(0.1)(Dense(128)(x)), lambda x: Dropout(0.1)(Dense(128)(x)), (4096, 8)),
}


class Timed:
    """A model with a compiled forward pass and a compiled training step."""

    def __init__(self, function, x):
        keras.utils.set_random_seed(0)
        inputs = keras.Input(x.shape[1:])
        self.model, self.x = keras.Model(inputs, function(inputs)), tf.constant(x)
        self.optimizer = keras.optimizers.SGD(1e-4)
        self.optimizer.build(self.model.trainable_variables)
        self.forward, self.step = tf.function(self._forward), tf.function(self._step)

    def _forward(self):
        return self.model(self.x, training=False)

    def _step(self):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self.model(self.x, training=True)))
        variables = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss


def same_weights(source, target):
    """Copy the weights of `source` to `target`, matched by name, shape and order.

    Kernels are compared as matrices, and a fused query-key-value kernel is split into three. Gain and shift of a
    normalization that are absent in `source` keep their initial values.
    """
    groups = defaultdict(list)
    for weight in source.weights:
        num_parts = {"query_key_value": 3, "key_value": 2}.get(weight.path.split("/")[-2], 1)
        for value in np.split(np.asarray(weight), num_parts, axis=-1):
            groups[_role(weight, value.shape)].append((weight.path, value))
    for weight in target.weights:
        candidates = groups[_role(weight, tuple(weight.shape))]
        if candidates or weight.name not in ("gamma", "beta"):
            weight.assign(candidates.pop(0)[1].reshape(weight.shape))
    unmatched = [path for group in groups.values() for path, _ in group]
    if unmatched:
        raise SystemExit(f"The composition lacks the weights {', '.join(unmatched)}")


def _role(weight, shape):
    """Return the name of a weight and its shape, with heads and window axes merged."""
    layer_name = weight.path.split("/")[-2]
    if len(shape) > 1 and layer_name in ("query", "key", "value"):  # Keras attention: the heads are a separate axis
        num_kept_axes = 1 if weight.name == "kernel" else 0
        return weight.name, (*shape[:num_kept_axes], int(np.prod(shape[num_kept_axes:])))
    if len(shape) > 2 and weight.name == "kernel":
        return weight.name, (int(np.prod(shape[:-1])), shape[-1])
    return "kernel" if weight.name == "query" else weight.name, shape


def seconds(function, calls, clock):
    start = clock()
    for _ in range(calls):
        result = function()
    result.numpy()
    return (clock() - start) / calls


def compare(own, reference, rounds, clock):
    """Return the median seconds of each function, and the median ratio."""
    calls = max(1, int(0.05 / seconds(own, 1, time.perf_counter)))
    times = []
    for round_index in range(rounds):
        pair = [
            seconds(function, calls, clock) for function in ((own, reference) if round_index % 2 else (reference, own))
        ]
        times.append(pair if round_index % 2 else pair[::-1])
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    return *medians, statistics.median(b / a for a, b in times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="prefixes of names; default: all")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    args = parser.parse_args()
    selected = [
        pair_name
        for pair_name in PAIRS
        if not args.names or any(pair_name.lower().startswith(prefix.lower()) for prefix in args.names)
    ]
    if not selected:
        raise SystemExit(f"No pair matches. Pairs: {', '.join(PAIRS)}")
    header = [f"{part} {unit}" for part in ("forward", "step") for unit in ("ms", "keras", "ratio")]
    print(f"{'':26}" + "".join(f"{title:>15}" for title in header) + f"{'differ by':>12}")
    for name in selected:
        own_layer, composition, x = PAIRS[name]
        x = x if isinstance(x, np.ndarray) else np.random.default_rng(0).normal(size=x).astype("float32")
        own, reference = Timed(own_layer, x), Timed(composition, x)
        same_weights(own.model, reference.model)
        difference = float(tf.reduce_max(tf.abs(own.forward() - reference.forward())))
        cells = []
        for own_function, reference_function in ((own.forward, reference.forward), (own.step, reference.step)):
            own_function(), reference_function()  # compile
            own_seconds, reference_seconds, ratio = compare(
                own_function, reference_function, args.rounds, CLOCKS[args.clock]
            )
            cells += [f"{1e3 * own_seconds:15.2f}", f"{1e3 * reference_seconds:15.2f}", f"{ratio:15.2f}"]
        print(f"{name:26}" + "".join(cells) + f"{difference:12.1e}", flush=True)


if __name__ == "__main__":
    main()
