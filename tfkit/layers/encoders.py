"""Encoders of sequences: stacks of layers that make one vector of each sequence.

They are functions of Keras tensors, for functional models. Each name is an `architecture` of a recipe.
"""

from typing import Any, Literal

import keras

from tfkit.layers.attention.patches import PatchEmbedding
from tfkit.layers.attention.positions import PositionalEmbedding
from tfkit.layers.attention.transformer import TransformerEncoder
from tfkit.layers.convolution.conv import ConvBlock
from tfkit.layers.convolution.convnet import ConvNet
from tfkit.layers.convolution.inception import InceptionTime
from tfkit.layers.masked_normalization import GlobalPooling
from tfkit.layers.recurrent.rnn import RNNStack

ARCHITECTURES = {
    "encode_tokens": ("cnn", "lstm", "transformer"),
    "encode_series": ("inception", "cnn", "lstm", "transformer"),
    "encode_past": ("lstm", "transformer"),
}


def _check(function: str, architecture: str) -> None:
    names = ARCHITECTURES[function]
    if architecture not in names:
        raise ValueError(f"`architecture` must be one of {', '.join(names)}. Received: {architecture!r}")


def encode_tokens(
    ids: Any,
    architecture: Literal["cnn", "lstm", "transformer"],
    *,
    vocabulary_size: int,
    units: int = 128,
    num_layers: int = 1,
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
) -> keras.KerasTensor:
    """Encode token ids as one vector: embedding, dropout of tokens, layers, maximum over time.

    Args:
        ids: `(batch, time)`, integers from 0 up to and including `vocabulary_size` + 1; 0 is padding and is masked.
        architecture: "cnn" for convolutions of three tokens with layer normalization, "lstm" for bidirectional LSTMs,
            "transformer" for a Transformer encoder with rotary positions (Su et al. 2021,
            https://arxiv.org/abs/2104.09864).
        vocabulary_size: Number of tokens, without padding and unknown tokens.
        units: Width of the embedding and of each layer; even.
        num_layers: Number of layers after the embedding.
        dropout: Fraction of tokens dropped, and of units in the layers; 0 <= dropout < 1.
        l1, l2: Penalties of the kernels; not of an LSTM.

    Returns:
        `(batch, units)`.

    Raises:
        ValueError: If the architecture is unknown.

    Example:
        >>> ids = keras.Input((20,), dtype="int32")
        >>> encode_tokens(ids, "transformer", vocabulary_size=1000, units=32).shape
        (None, 32)
    """
    _check("encode_tokens", architecture)
    initializer = keras.initializers.RandomNormal(stddev=0.1)
    penalty: dict[str, Any] = {"l1": l1, "l2": l2}
    x = keras.layers.Embedding(vocabulary_size + 2, units, embeddings_initializer=initializer, mask_zero=True)(ids)
    x = keras.layers.Dropout(dropout, noise_shape=(None, None, 1))(x)
    if architecture == "transformer":
        x = TransformerEncoder(depth=num_layers, positions="rotary", dropout=dropout, **penalty)(x)
    elif architecture == "lstm":
        x = RNNStack([units // 2] * num_layers, bidirectional=True, return_sequences=True, dropout=dropout)(x)
    else:
        for _ in range(num_layers):
            x = ConvBlock(units, rank=1, normalization="layer", dropout=dropout, **penalty)(x)
    return GlobalPooling("max")(x)


def encode_series(
    series: Any,
    architecture: Literal["inception", "cnn", "lstm", "transformer"],
    *,
    units: int = 64,
    num_layers: int = 1,
    dropout: float = 0.0,
    patch_length: int = 16,
    l1: float = 0.0,
    l2: float = 0.0,
) -> keras.KerasTensor:
    """Encode series of measurements as one vector.

    Args:
        series: `(batch, steps, channels)`; steps that a `keras.layers.Masking` masks are ignored.
        architecture: "inception" for InceptionTime (Ismail Fawaz et al. 2020, https://arxiv.org/abs/1909.04939), "cnn"
            for a convolutional network of three stages with `units`, 2 `units` and 4 `units` filters, "lstm" for
            bidirectional LSTMs, "transformer" for a Transformer encoder of overlapping patches (Nie et al. 2023,
            https://arxiv.org/abs/2211.14730), averaged over time.
        units: Width of a layer.
        num_layers: Number of layers; of blocks per stage for "cnn".
        dropout: Fraction of units dropped by "lstm" and "transformer"; 0 <= dropout < 1.
        patch_length: Steps of a patch of "transformer"; half of them overlap.
        l1, l2: Penalties of the kernels; not of an LSTM.

    Returns:
        `(batch, features)`.

    Raises:
        ValueError: If the architecture is unknown.

    Example:
        >>> series = keras.Input((100, 3))
        >>> encode_series(series, "cnn", units=16).shape
        (None, 64)
    """
    _check("encode_series", architecture)
    penalty: dict[str, Any] = {"l1": l1, "l2": l2}
    if architecture == "inception":
        return InceptionTime(units, depth=num_layers, **penalty)(series)
    if architecture == "cnn":
        return ConvNet([units, 2 * units, 4 * units], 7, rank=1, depth=num_layers, **penalty)(series)
    if architecture == "lstm":
        return RNNStack([units] * num_layers, bidirectional=True, dropout=dropout)(series)
    patches, positions = PatchEmbedding(patch_length, units, stride=(patch_length + 1) // 2), PositionalEmbedding()
    encoder = TransformerEncoder(depth=num_layers, dropout=dropout, **penalty)
    return GlobalPooling("mean")(encoder(positions(patches(series))))


def encode_past(
    past: Any,
    architecture: Literal["lstm", "transformer"],
    *,
    patch_length: int,
    units: int = 64,
    num_layers: int = 1,
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
) -> keras.KerasTensor:
    """Encode the past of one series, patch by patch, for a forecast; the order in time is retained.

    Args:
        past: `(batch, steps)`.
        architecture: "lstm" for LSTMs of patches, the last state; "transformer" for a Transformer encoder of patches
            that overlap by half, all positions flattened, as PatchTST (Nie et al. 2023,
            https://arxiv.org/abs/2211.14730).
        patch_length: Steps of a patch; at most the number of steps.
        units: Width of a layer.
        num_layers: Number of layers.
        dropout: Fraction of units dropped; 0 <= dropout < 1.
        l1, l2: Penalties of the kernels; not of an LSTM.

    Returns:
        `(batch, features)`.

    Raises:
        ValueError: If the architecture is unknown.

    Example:
        >>> past = keras.Input((96,))
        >>> encode_past(past, "lstm", patch_length=16, units=32).shape
        (None, 32)
    """
    _check("encode_past", architecture)
    penalty: dict[str, Any] = {"l1": l1, "l2": l2}
    is_lstm = architecture == "lstm"
    stride = patch_length if is_lstm else max(1, patch_length // 2)
    x = PatchEmbedding(patch_length, units, stride=stride, **penalty)(past[..., None])
    if is_lstm:
        return RNNStack([units] * num_layers, dropout=dropout)(x)
    x = PositionalEmbedding()(x)
    x = TransformerEncoder(depth=num_layers, dropout=dropout, **penalty)(x)
    return keras.layers.Dropout(dropout)(keras.layers.Flatten()(x))
