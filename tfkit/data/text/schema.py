"""Schema of texts: tokenization and vocabulary, fitted on the training split."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tfkit.data.columns.targets import fit_target_statistics, read_target
from tfkit.data.text import vocabulary as text_vocabulary
from tfkit.data.text.columns import CHUNK_ROWS, text_array, truncate_in_chunks
from tfkit.data.text.metadata import TextMetadata, TokenSequence
from tfkit.data.text.preprocessing import INPUT_NAME
from tfkit.layers.preprocessing import text as preprocessing_text
from tfkit.metadata import Target

if TYPE_CHECKING:
    import pandas as pd

# settings of a recipe that `fit_schema` takes
SCHEMA_SETTINGS = frozenset({"tokenization", "max_length", "vocabulary_size"})

LENGTH_QUANTILE = 0.99  # fraction of the training texts that are not truncated

MAX_UNSPACED_FRACTION = 0.3  # of letters in scripts without spaces; above it, tokens are characters


def fit_schema(
    train: "pd.DataFrame",
    text_column: str,
    target: Target,
    *,
    tokenization: Literal["auto", "words", "characters"] = "auto",
    max_length: int = 2000,
    vocabulary_size: int = 20_000,
    read_options: Mapping[str, Any] | None = None,
    messages: Iterable[str] = (),
) -> TextMetadata:
    """Infer text length, kind of token and vocabularies from the training rows.

    Args:
        train: The training rows.
        text_column: The column of texts.
        target: The result of `infer_target`.
        tokenization: The kind of token: "words", "characters", or "auto" for characters in scripts without spaces
            between words.
        max_length: The maximum number of characters of a text; longer texts are truncated.
        vocabulary_size: The maximum number of words, and of characters, in the vocabularies.
        read_options: delimiter, encoding, na_values of `read_frame`; stored for reading later files.
        messages: Messages about earlier steps, stored with the result.
    """
    texts = text_array(train[text_column])
    lengths = np.array([len(string) for string in texts])
    length = max(1, min(max_length, int(np.quantile(lengths, LENGTH_QUANTILE, method="higher"))))
    texts = truncate_in_chunks(texts, length)
    kind = _infer_token_kind(texts) if tokenization == "auto" else tokenization
    notes = [
        *messages,
        f"texts are truncated to {length:,} characters; {int((lengths > length).sum()):,} of {len(texts):,} "
        f"training texts are longer",
    ]
    sequences = {}
    for name in ("words", "characters") if kind == "words" else ("characters",):
        vocabulary, counts = text_vocabulary.build_vocabulary(texts, name, max_tokens=vocabulary_size)
        steps = max(1, int(np.quantile(counts, 0.995, method="higher")))
        sequences[name] = TokenSequence(vocabulary=vocabulary, length=steps)
        notes.append(f"the vocabulary has {len(vocabulary):,} {name}, those that occur twice or more in training")
    return TextMetadata(
        target=fit_target_statistics(target, read_target(train, target)),
        notes=notes,
        read_options=dict(read_options or {}),
        inputs={INPUT_NAME: {"dtype": "string", "column": text_column}},
        length=length,
        tokenization=kind,
        sequences=sequences,
    )


def _infer_token_kind(texts: np.ndarray) -> Literal["words", "characters"]:
    """Return "words", or "characters" if too many letters are of unspaced scripts."""
    import tensorflow as tf

    sample = tf.constant(texts[:: max(1, len(texts) // CHUNK_ROWS)])
    letters = tf.strings.regex_replace(sample, r"[^\pL]", "")
    spaced = tf.strings.regex_replace(letters, f"[{preprocessing_text.UNSPACED_SCRIPTS}]", "")
    num_letters, num_spaced = (
        float(tf.reduce_sum(tf.strings.length(strings, unit="UTF8_CHAR"))) for strings in (letters, spaced)
    )
    return "characters" if num_letters - num_spaced > MAX_UNSPACED_FRACTION * num_letters else "words"
