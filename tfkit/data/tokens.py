"""Truncate, tokenize and index texts, with the same operations in training and in the saved model."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

CHUNK_ROWS = 4096  # texts tokenized at a time
# Scripts without spaces between words: each letter is a token.
UNSPACED_SCRIPTS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
# Letters with their marks, and digits, form words; any other character is a token.
SINGLE_CHARACTER_TOKEN = rf"([{UNSPACED_SCRIPTS}]|[^\p{{L}}\p{{M}}\p{{N}}\pZ\s])"


@keras.saving.register_keras_serializable(package="tfkit")
class CutText(keras.layers.Layer):
    """Truncate texts to their first characters, which bounds the time per text.

    White space of any kind becomes one space.

    Args:
        length: Maximum number of characters, at least 1.

    Input shape:
        `(batch, 1)`, strings of UTF-8.

    Output shape:
        The same as the input shape.

    Raises:
        ValueError: If `length` is below 1.

    Example:
        >>> import numpy as np
        >>> CutText(5)(np.array([["a  book of many pages"]])).numpy().tolist()
        [[b'a boo']]
    """

    def __init__(self, length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if length < 1:
            raise ValueError(f"`length` must be at least 1. Received: {length!r}")
        self.length = length

    def call(self, text: Any) -> Any:
        return truncate(text, self.length)

    def compute_output_spec(self, text: Any) -> Any:
        return keras.KerasTensor(text.shape, "string")


def truncate(text: Any, length: int) -> Any:
    """Truncate strings to `length` characters, with white space collapsed."""
    import tensorflow as tf

    # first to 4 * length, so that white space is not collapsed in the whole of a very long text
    text = tf.strings.substr(text, 0, 4 * length, unit="UTF8_CHAR")
    text = tf.strings.regex_replace(text, r"[\pZ\s\p{Cc}]+", " ")
    return tf.strings.substr(tf.strings.strip(text), 0, length, unit="UTF8_CHAR")


@keras.saving.register_keras_serializable(package="tfkit")
def words_apart(text: Any) -> Any:
    """Convert to lower case, separate words and symbols by spaces, mask long numbers.

    Most numbers of three or more digits occur only once. Three or four digits become `###`, five or more `#####`, so
    that all phone numbers are the same token.

    Example:
        >>> words_apart("Don't PANIC: 42 次! Call 01632960001").numpy().decode()
        "don ' t panic :  42  次  !  call #####"
    """
    import tensorflow as tf

    text = tf.strings.regex_replace(tf.strings.lower(text, encoding="utf-8"), SINGLE_CHARACTER_TOKEN, r" \1 ")
    return tf.strings.regex_replace(tf.strings.regex_replace(text, r"\p{Nd}{5,}", "#####"), r"\p{Nd}{3,4}", "###")


@keras.saving.register_keras_serializable(package="tfkit")
def digits_alike(text: Any) -> Any:
    """Replace every digit by 0; upper case and punctuation are informative and stay.

    Example:
        >>> digits_alike("FREE! 08712").numpy().decode()
        'FREE! 00000'
    """
    import tensorflow as tf

    return tf.strings.regex_replace(text, r"\p{Nd}", "0")


STANDARDIZE = {"words": words_apart, "characters": digits_alike}  # function by kind of token


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
