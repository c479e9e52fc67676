"""Time each layer beside the straightforward Keras composition of the same thing: forward, and a whole training step.

    python tests/bench/layers.py [NAME ...] [--rounds 15] [--clock wall|cpu]

Ratio is the time of the composition over ours, so 1 or more is wanted. Both models hold the same weights, and what
their answers differ by stands in the last column; a pair that does not compute the same is no pair. Rounds take turns,
and the ratio is the median over rounds of what was measured side by side, so a busy machine disturbs both alike; the
CPU's clock counts the work of all threads and hears least of the neighbours.

To add a layer, add a line to PAIRS: name, ours, the composition (both a function of a `keras.Input`), and the shape of
the input with its batch, or the input itself.
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
    """Convolution, normalisation, activation, dropout, for pictures and series."""
    pictures = len(x.shape) == 4
    if strides > 1 and size > 1:  # windows at 0, 2, 4, ... whatever the size of the picture
        x = ZeroPadding2D(size // 2)(x)
    kind = Conv2D if pictures else Conv1D
    padding = "valid" if strides > 1 else "same"
    x = kind(filters, size, strides=strides, padding=padding, use_bias=False)(x)
    x = BatchNormalization(momentum=0.9)(x)
    x = Activation(activation)(x) if activation else x
    return (SpatialDropout2D if pictures else SpatialDropout1D)(dropout)(x) if dropout else x


def residual(x, filters, size=3, strides=1, excitation=0):
    y = conv(conv(x, filters, size, strides), filters, size, activation=None)
    if excitation:
        pool = GlobalAveragePooling2D if len(x.shape) == 4 else GlobalAveragePooling1D
        share = Dense(filters // excitation, activation="relu")(pool()(y))
        share = Dense(filters, activation="sigmoid")(share)
        y = Multiply()([y, Reshape((*[1] * (len(x.shape) - 2), filters))(share)])
    if strides > 1 or x.shape[-1] != filters:
        x = conv(x, filters, 1, strides, activation=None)
    return Activation("relu")(Add()([x, y]))


def conv_stack(x):
    x = conv(x, 32)
    for stage, filters in enumerate((32, 64, 128)):
        x = residual(x, filters, strides=2 if stage else 1)
    return GlobalAveragePooling2D()(x)


def masked_conv(x):
    """As a careful user would: zero what is hidden, and tell the normalisation."""
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
    narrow = Conv1D(32, 1, padding="same", use_bias=False)(x) if x.shape[-1] > 1 else x
    parts = [Conv1D(32, size, padding="same", use_bias=False)(narrow) for size in (10, 20, 40)]
    highest = MaxPooling1D(3, strides=1, padding="same")(x)
    parts.append(Conv1D(32, 1, padding="same", use_bias=False)(highest))
    return Activation("relu")(BatchNormalization(momentum=0.9)(Concatenate()(parts)))


def inception_stack(x):
    start = x
    for i in range(6):
        x = inception(x)
        if i % 3 == 2:
            x = start = Activation("relu")(Add()([x, conv(start, 128, 1, activation=None)]))
    return GlobalAveragePooling1D()(x)


def transformer(x, num_heads, memory=None, dropout=0.0, attention_dropout=0.0, causal=False):
    dim = x.shape[-1]

    def look(x, memory, **options):
        attention = MultiHeadAttention(num_heads, dim // num_heads, dropout=attention_dropout)
        y = LayerNormalization(epsilon=1e-5)(x)
        return Add()([x, Dropout(dropout)(attention(y, y if memory is None else memory, **options))])

    x = look(x, None, use_causal_mask=causal)
    if memory is not None:
        x = look(x, memory)
    y = Dense(4 * dim, activation="silu")(LayerNormalization(epsilon=1e-5)(x))
    return LayerNormalization(epsilon=1e-5)(Add()([x, Dropout(dropout)(Dense(dim)(y))]))


def pooled(function):
    """A function of series with padding, whose answer is the mean over what is true."""
    return lambda x: layers.GlobalPooling()(function(Masking()(x)))


def attention_pooling(x, num_heads):
    time, dim = x.shape[1:]
    shares = keras.layers.Softmax(axis=1)(Dense(num_heads, use_bias=False, name="query")(x) * dim**-0.5)
    parts = Reshape((time, num_heads, dim // num_heads))(x)
    return Reshape((dim,))(keras.ops.sum(Multiply()([parts, keras.ops.expand_dims(shares, -1)]), axis=1))


def recurrent(x, kind, *units, bidirectional=False):
    """Keras' own, one upon another, the last of which gives its last state."""
    for i, width in enumerate(units):
        layer = kind(width, return_sequences=i + 1 < len(units))
        x = (Bidirectional(layer) if bidirectional else layer)(x)
    return x


def padded(*shape):
    """Series of which every second row ends after two thirds."""
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    x[::2, 2 * shape[1] // 3 :] = 0
    return x


PAIRS = {
    "MLP": (lambda x: layers.MLP([256] * 3, dropout=0.1)(x), mlp, (256, 64)),
    "ConvBlock pictures": (lambda x: layers.ConvBlock(32)(x), lambda x: conv(x, 32), (64, 28, 28, 32)),
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
    "ConvStack": (lambda x: layers.ConvStack()(x), conv_stack, (64, 28, 28, 1)),
    "InceptionBlock": (lambda x: layers.InceptionBlock()(x), inception, (32, 150, 128)),
    "InceptionStack": (lambda x: layers.InceptionStack()(x), inception_stack, (32, 150, 1)),
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
    "TransformerEncoder looks": (
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
        pooled(lambda x: layers.TransformerEncoder(4)(x)),
        pooled(lambda x: transformer(x, 4)),
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
    "PatchEmbedding pictures": (
        lambda x: layers.PatchEmbedding(4, 64)(x),
        lambda x: Reshape((-1, 64))(Conv2D(64, 4, 4)(x)),
        (128, 28, 28, 1),
    ),
    **{
        f"LSTMStack {' '.join(map(str, (*shape, units)))}": (
            lambda x, u=units: layers.LSTMStack([u])(x),
            lambda x, u=units: recurrent(x, LSTM, u),
            shape,
        )
        for shape, units in (((32, 64, 1), 64), ((32, 64, 16), 128), ((256, 64, 1), 64), ((256, 64, 16), 128))
    },
    "LSTMStack loop": (
        lambda x: layers.LSTMStack([64], implementation="loop")(x),
        lambda x: recurrent(x, LSTM, 64),
        (32, 64, 4),
    ),
    "LSTMStack both ways": (
        lambda x: layers.LSTMStack([64, 64], bidirectional=True)(x),
        lambda x: recurrent(x, LSTM, 64, 64, bidirectional=True),
        (32, 64, 4),
    ),
    "LSTMStack masked": (
        lambda x: layers.LSTMStack([64])(Masking()(x)),
        lambda x: recurrent(Masking()(x), LSTM, 64),
        padded(32, 64, 4),
    ),
    **{
        f"LSTMStack gru {' '.join(map(str, shape))}": (
            lambda x: layers.LSTMStack([64], cell="gru")(x),
            lambda x: recurrent(x, GRU, 64),
            shape,
        )
        for shape in ((32, 64, 4), (256, 64, 4))
    },
    "Dropout": (lambda x: layers.Dropout(0.1)(Dense(128)(x)), lambda x: Dropout(0.1)(Dense(128)(x)), (4096, 8)),
}


class Timed:
    """A model with its compiled forward pass and its compiled training step."""

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


def same_weights(one, other):
    """Give the second the weights of the first: those of a name and a shape correspond in their order.

    A kernel is a matrix here, of three products in one there are three, and a norm without gain and shift stands for
    one at which they begin.
    """
    groups = defaultdict(list)
    for weight in one.weights:
        parts = {"query_key_value": 3, "key_value": 2}.get(weight.path.split("/")[-2], 1)
        for value in np.split(np.asarray(weight), parts, axis=-1):
            groups[_role(weight, value.shape)].append((weight.path, value))
    for weight in other.weights:
        found = groups[_role(weight, tuple(weight.shape))]
        if found or weight.name not in ("gamma", "beta"):
            weight.assign(found.pop(0)[1].reshape(weight.shape))
    left = [path for group in groups.values() for path, _ in group]
    if left:
        raise SystemExit(f"The composition lacks {', '.join(left)}")


def _role(weight, shape):
    """The name of a weight, and its shape without heads and without the axes of a window."""
    part = weight.path.split("/")[-2]
    if len(shape) > 1 and part in ("query", "key", "value"):  # Keras' own attention has its heads behind
        cut = 1 if weight.name == "kernel" else 0
        return weight.name, (*shape[:cut], int(np.prod(shape[cut:])))
    if len(shape) > 2 and weight.name == "kernel":
        return weight.name, (int(np.prod(shape[:-1])), shape[-1])
    return "kernel" if weight.name == "query" else weight.name, shape


def seconds(function, calls, clock):
    start = clock()
    for _ in range(calls):
        result = function()
    result.numpy()
    return (clock() - start) / calls


def compare(ours, theirs, rounds, clock):
    """Median seconds of each, and the median ratio."""
    calls = max(1, int(0.05 / seconds(ours, 1, time.perf_counter)))
    times = []
    for turn in range(rounds):
        pair = [seconds(f, calls, clock) for f in ((ours, theirs) if turn % 2 else (theirs, ours))]
        times.append(pair if turn % 2 else pair[::-1])
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    return *medians, statistics.median(b / a for a, b in times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="beginnings of names; none for all")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    given = parser.parse_args()
    wanted = [n for n in PAIRS if not given.names or any(n.lower().startswith(g.lower()) for g in given.names)]
    if not wanted:
        raise SystemExit(f"There are {', '.join(PAIRS)}")
    heads = [f"{word} {unit}" for word in ("forward", "step") for unit in ("ms", "keras", "ratio")]
    print(f"{'':26}" + "".join(f"{head:>15}" for head in heads) + f"{'differ by':>12}")
    for name in wanted:
        ours, composition, x = PAIRS[name]
        x = x if isinstance(x, np.ndarray) else np.random.default_rng(0).normal(size=x).astype("float32")
        one, other = Timed(ours, x), Timed(composition, x)
        same_weights(one.model, other.model)
        difference = float(tf.reduce_max(tf.abs(one.forward() - other.forward())))
        cells = []
        for f, g in ((one.forward, other.forward), (one.step, other.step)):
            f(), g()
            mine, theirs, ratio = compare(f, g, given.rounds, CLOCKS[given.clock])
            cells += [f"{1e3 * mine:15.2f}", f"{1e3 * theirs:15.2f}", f"{ratio:15.2f}"]
        print(f"{name:26}" + "".join(cells) + f"{difference:12.1e}", flush=True)


if __name__ == "__main__":
    main()
