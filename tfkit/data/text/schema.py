"""Schema of texts: tokenization and vocabulary, fitted on the training split."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tfkit.data.columns.target import count_classes, read_target
from tfkit.data.text import vocabulary as text_vocabulary
from tfkit.data.text.columns import CHUNK_ROWS, _truncate_in_chunks, text_array
from tfkit.data.text.preprocessing import INPUT_NAME
from tfkit.layers.preprocessing import text as preprocessing_text

LENGTH_QUANTILE = 0.99  # fraction of the training texts that are not truncated

MAX_UNSPACED_FRACTION = 0.3  # of letters in scripts without spaces; above it, tokens are characters


def learn_texts(
    frame: Any,
    text: str,
    target: Mapping[str, Any],
    *,
    kind: str = "auto",
    max_length: int = 2000,
    vocabulary: int = 20_000,
    reading: Mapping[str, Any] | None = None,
    said: Iterable[str] = (),
) -> dict[str, Any]:
    """Infer text length, kind of token and vocabularies from the training rows.

    Args:
        frame: The training rows.
        text: The column of texts.
        target: The target description returned by `learn_target`.
        kind: The kind of token: "words", "characters", or "auto" for characters in scripts without spaces between
            words.
        max_length: The maximum number of characters of a text; longer texts are truncated.
        vocabulary: The maximum number of words, and of characters, in the vocabularies.
        reading: delimiter, encoding, missing of `read_frame`; stored for reading later files.
        said: Messages about earlier steps, stored with the result.

    Returns:
        The schema, as plain JSON: task, target, inputs, and the parameters of `prepare_texts`.
    """
    texts = text_array(frame[text])
    lengths = np.array([len(string) for string in texts])
    length = max(1, min(max_length, int(np.quantile(lengths, LENGTH_QUANTILE, method="higher"))))
    texts = _truncate_in_chunks(texts, length)
    kind = _infer_token_kind(texts) if kind == "auto" else kind
    messages = [
        *said,
        f"texts are truncated to {length:,} characters; {int((lengths > length).sum()):,} of {len(texts):,} "
        f"training texts are longer",
    ]
    streams = {}
    for stream in ("words", "characters") if kind == "words" else ("characters",):
        entries, counts = text_vocabulary.build_vocabulary(texts, stream, max_tokens=vocabulary)
        steps = max(1, int(np.quantile(counts, 0.995, method="higher")))
        streams[stream] = {"vocabulary": entries, "length": steps}
        messages.append(f"the vocabulary has {len(entries):,} {stream}, those that occur twice or more in training")
    y_true = read_target(frame, target)
    target_statistics = (
        {"counts": count_classes(y_true, target["classes"])}
        if target["classes"]
        else {"mean": float(y_true.mean()), "scale": float(y_true.std()) or 1.0}
    )
    return {
        "task": target["task"],
        "target": {**target, **target_statistics},
        "cleaning": messages,
        "reading": dict(reading or {}),
        "inputs": {INPUT_NAME: {"dtype": "string", "column": text}},
        "length": length,
        "tokens": kind,
        "streams": streams,
    }


def _infer_token_kind(texts: np.ndarray) -> str:
    """Return "words", or "characters" if too many letters are of unspaced scripts."""
    import tensorflow as tf

    sample = tf.constant(texts[:: max(1, len(texts) // CHUNK_ROWS)])
    letters = tf.strings.regex_replace(sample, r"[^\pL]", "")
    spaced = tf.strings.regex_replace(letters, f"[{preprocessing_text.UNSPACED_SCRIPTS}]", "")
    num_letters, num_spaced = (
        float(tf.reduce_sum(tf.strings.length(strings, unit="UTF8_CHAR"))) for strings in (letters, spaced)
    )
    return "characters" if num_letters - num_spaced > MAX_UNSPACED_FRACTION * num_letters else "words"
