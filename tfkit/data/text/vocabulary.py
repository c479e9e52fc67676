"""Truncate, tokenize and index texts, with the same operations in training and in the saved model."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfkit.layers.preprocessing.text import STANDARDIZE

CHUNK_ROWS = 4096  # texts tokenized at a time


def tokenize(texts: Any, kind: str) -> Any:
    """Split texts `(rows,)` into tokens, a ragged tensor `(rows, None)`."""
    import tensorflow as tf

    texts = STANDARDIZE[kind](texts)
    return tf.strings.split(texts) if kind == "words" else tf.strings.unicode_split(texts, "UTF-8")


def build_vocabulary(
    texts: Sequence[str] | np.ndarray, kind: str, *, max_tokens: int, min_count: int = 2
) -> tuple[list[str], list[int]]:
    """Build the vocabulary of texts, most frequent tokens first.

    Args:
        texts: Strings `(rows,)`.
        kind: "words" or "characters".
        max_tokens: Maximum size of the vocabulary.
        min_count: How often a token must occur.

    Returns:
        The vocabulary, and the number of tokens of each text.

    Example:
        >>> build_vocabulary(["to be or not to be", "to do"], "words", max_tokens=10)[0]
        ['to', 'be']
    """
    import tensorflow as tf

    counts: Counter[bytes] = Counter()
    lengths = []
    for start in range(0, len(texts), CHUNK_ROWS):
        ragged = tokenize(tf.constant(texts[start : start + CHUNK_ROWS]), kind)
        counts.update(ragged.flat_values.numpy().tolist())
        lengths += ragged.row_lengths().numpy().tolist()
    frequent = (token for token, count in counts.items() if count >= min_count)
    vocabulary = sorted(frequent, key=lambda token: (-counts[token], token))
    return [token.decode() for token in vocabulary[:max_tokens]], lengths


def token_ids(text: Any, kind: str, *, vocabulary: list[str], length: int, name: str) -> Any:
    """Map symbolic strings `(batch, 1)` to token ids `(batch, length)`.

    Id 0 is padding, 1 an unknown token; the ids of the vocabulary start at 2.
    """
    table = keras.layers.TextVectorization(
        standardize=STANDARDIZE[kind],
        split="whitespace" if kind == "words" else "character",
        output_sequence_length=length,
        vocabulary=vocabulary or [" "],
        name=f"{name}_table",
    )
    dtype = "uint16" if len(vocabulary) + 2 < 2**16 else "int32"
    return keras.layers.Activation("linear", dtype=dtype, name=name)(keras.ops.cast(table(text), dtype))
