"""Strings to ids by told layers: words where there are spaces, characters where there are none."""

from collections import Counter
from typing import Any

import keras

# Scripts without spaces between words: each letter is a word of its own.
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
# Letters with their marks, and digits, make words; all else is a word of its own.
ALONE = rf"([{UNSPACED}]|[^\p{{L}}\p{{M}}\p{{N}}\pZ\s])"


@keras.saving.register_keras_serializable(package="tfkit")
class CutText(keras.layers.Layer):
    """Keep the first characters of a text, so that one of a whole book takes no longer than others.

    White space of any kind becomes one space.

    Args:
        length: How many characters are kept, at least 1.

    Input shape:
        `(batch, 1)`, strings of UTF-8.

    Output shape:
        The same.

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
        return cut(text, self.length)

    def compute_output_spec(self, text: Any) -> Any:
        return keras.KerasTensor(text.shape, "string")


def cut(text: Any, length: int) -> Any:
    """Strings of at most `length` characters, white space made one space."""
    import tensorflow as tf

    text = tf.strings.substr(text, 0, 4 * length, unit="UTF8_CHAR")  # a book is not searched for spaces
    text = tf.strings.regex_replace(text, r"[\pZ\s\p{Cc}]+", " ")
    return tf.strings.substr(tf.strings.strip(text), 0, length, unit="UTF8_CHAR")


@keras.saving.register_keras_serializable(package="tfkit")
def words_apart(text: Any) -> Any:
    """Small letters, spaces around all that is no part of a word, and no digits of long numbers.

    A number of three digits or more is mostly seen once, so what is kept of it is whether it is long: a phone number
    looks like any other.

    Example:
        >>> words_apart("Don't PANIC: 42 次! Call 01632960001").numpy().decode()
        "don ' t panic :  42  次  !  call #####"
    """
    import tensorflow as tf

    text = tf.strings.regex_replace(tf.strings.lower(text, encoding="utf-8"), ALONE, r" \1 ")
    return tf.strings.regex_replace(tf.strings.regex_replace(text, r"\p{Nd}{5,}", "#####"), r"\p{Nd}{3,4}", "###")


@keras.saving.register_keras_serializable(package="tfkit")
def digits_alike(text: Any) -> Any:
    """The text itself, for capitals and punctuation say something, with 0 for every digit.

    Example:
        >>> digits_alike("FREE! 08712").numpy().decode()
        'FREE! 00000'
    """
    import tensorflow as tf

    return tf.strings.regex_replace(text, r"\p{Nd}", "0")


STANDARDS = {"words": words_apart, "characters": digits_alike}


def split(texts: Any, kind: str) -> Any:
    """The tokens of texts `(rows,)`, as a ragged tensor `(rows, None)`."""
    import tensorflow as tf

    texts = STANDARDS[kind](texts)
    return tf.strings.split(texts) if kind == "words" else tf.strings.unicode_split(texts, "UTF-8")


def vocabulary(texts: Any, kind: str, *, most: int, least: int = 2) -> tuple[list[str], Any]:
    """The tokens that stand in at least so many places, the most frequent first, and how many tokens each text has.

    Example:
        >>> vocabulary(["to be or not to be", "to do"], "words", most=10)[0]
        ['to', 'be']
    """
    import tensorflow as tf

    counts: Counter[bytes] = Counter()
    lengths = []
    for start in range(0, len(texts), 4096):
        ragged = split(tf.constant(texts[start : start + 4096]), kind)
        counts.update(ragged.flat_values.numpy().tolist())
        lengths += ragged.row_lengths().numpy().tolist()
    found = sorted((word for word, count in counts.items() if count >= least), key=lambda word: (-counts[word], word))
    return [word.decode() for word in found[:most]], lengths


def ids(text: Any, kind: str, *, vocabulary: list[str], length: int, name: str) -> Any:
    """Symbolic strings `(batch, 1)` to ids `(batch, length)`: 0 padding, 1 unknown, then the vocabulary."""
    table = keras.layers.TextVectorization(
        standardize=STANDARDS[kind],
        split="whitespace" if kind == "words" else "character",
        output_sequence_length=length,
        vocabulary=vocabulary or [" "],
        name=f"{name}_table",
    )
    small = "uint16" if len(vocabulary) + 2 < 2**16 else "int32"
    return keras.layers.Activation("linear", dtype=small, name=name)(keras.ops.cast(table(text), small))
