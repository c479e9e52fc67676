"""Text preprocessing inside a model: truncation, word separation, digit masking."""

from typing import Any

import keras

from tfkit.layers.layer import Layer

# Scripts without spaces between words: each letter is a token.
UNSPACED_SCRIPTS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"

# Letters with their marks, and digits, form words; any other character is a token.
SINGLE_CHARACTER_TOKEN = rf"([{UNSPACED_SCRIPTS}]|[^\p{{L}}\p{{M}}\p{{N}}\pZ\s])"


@keras.saving.register_keras_serializable(package="tfkit")
class TruncateText(Layer):
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
        >>> TruncateText(5)(np.array([["a  book of many pages"]])).numpy().tolist()
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
def separate_words(text: Any) -> Any:
    """Convert to lower case, separate words and symbols by spaces, mask long numbers.

    Most numbers of three or more digits occur only once. Three or four digits become `###`, five or more `#####`, so
    that all phone numbers are the same token.

    Example:
        >>> separate_words("Don't PANIC: 42 次! Call 01632960001").numpy().decode()
        "don ' t panic :  42  次  !  call #####"
    """
    import tensorflow as tf

    text = tf.strings.regex_replace(tf.strings.lower(text, encoding="utf-8"), SINGLE_CHARACTER_TOKEN, r" \1 ")
    return tf.strings.regex_replace(tf.strings.regex_replace(text, r"\p{Nd}{5,}", "#####"), r"\p{Nd}{3,4}", "###")


@keras.saving.register_keras_serializable(package="tfkit")
def mask_digits(text: Any) -> Any:
    """Replace every digit by 0; upper case and punctuation are informative and stay.

    Example:
        >>> mask_digits("FREE! 08712").numpy().decode()
        'FREE! 00000'
    """
    import tensorflow as tf

    return tf.strings.regex_replace(text, r"\p{Nd}", "0")


STANDARDIZE = {"words": separate_words, "characters": mask_digits}  # function by kind of token
