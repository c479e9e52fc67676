"""Reader of texts for prediction and evaluation."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data.columns.names import require_columns
from tfkit.data.columns.target import read_target
from tfkit.data.text import vocabulary as text_vocabulary
from tfkit.data.text.columns import (
    CHUNK_ROWS,
    check_is_text,
    text_array,
)
from tfkit.data.text.files import read_text_frame
from tfkit.data.text.preprocessing import INPUT_NAME
from tfkit.errors import UserError
from tfkit.layers.preprocessing import text as preprocessing_text

log = logging.getLogger("tfkit")


def read_texts(source: Any, info: Mapping[str, Any], *, target: bool = False, own: bool = False) -> Any:
    """Read texts in the form of the inputs of the saved model.

    Empty texts, and texts of unknown tokens, are logged as warnings.

    Args:
        source: The path of a table or of a folder of .txt files, a DataFrame, a dictionary of columns, a list of texts.
        info: The result of `learn_texts`.
        target: Whether to return the targets too; rows without a target are dropped with a warning.
        own: Whether to return the source's own columns too, to be written beside the predictions; of a folder the
            paths.

    Returns:
        `{"text": (rows, 1)}` strings; with `target`, also the targets `(rows,)`; with `own`, also a DataFrame.

    Raises:
        UserError: If there are no rows (with `target`, no rows with a target), a column does not exist, or the text
            column has numbers.
    """
    column, name = info["inputs"][INPUT_NAME]["column"], info["target"]["name"]
    frame, _ = read_text_frame(source, text=column, target=name, **info["reading"])
    require_columns(frame, [column, *([name] if target else [])])
    if target:
        has_target = frame[name].notna()
        if not has_target.any():
            raise UserError(
                f"There must be rows with a target to score. Received: {name!r}, missing in all {len(frame):,} rows"
            )
        if not has_target.all():
            log.warning("%s of %s rows dropped: no %s", f"{(~has_target).sum():,}", f"{len(frame):,}", name)
        frame = frame[has_target]
    check_is_text(frame[column])
    texts = text_array(frame[column])
    _warn_about_unreadable(texts, info)
    outputs: list[Any] = [{INPUT_NAME: texts.reshape(-1, 1)}]
    if target:
        outputs.append(read_target(frame, info["target"]))
    if own:
        outputs.append(frame)
    return tuple(outputs) if len(outputs) > 1 else outputs[0]


def _warn_about_unreadable(texts: np.ndarray, info: Mapping[str, Any]) -> None:
    """Log warnings about empty texts, and about mostly unknown tokens."""
    import tensorflow as tf

    num_empty = int(sum(not text.strip() for text in texts))
    if num_empty:
        log.warning("%s of %s texts are empty; they get a prediction too", f"{num_empty:,}", f"{len(texts):,}")
    stream = info["tokens"]
    vocabulary = {token.encode() for token in info["streams"][stream]["vocabulary"]}
    truncated = preprocessing_text.truncate(tf.constant(texts[:CHUNK_ROWS]), info["length"])
    sample_tokens = text_vocabulary.tokenize(truncated, stream).flat_values.numpy()
    num_unknown = sum(token not in vocabulary for token in sample_tokens.tolist())
    if num_unknown > 0.5 * max(1, len(sample_tokens)):
        percent = 100 * num_unknown / len(sample_tokens)
        log.warning("%.0f%% of the %s of these texts are not in the vocabulary", percent, stream)
