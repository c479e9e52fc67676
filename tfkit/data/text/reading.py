"""Reader of texts for prediction and evaluation."""

import logging
from typing import Any

import numpy as np

from tfkit.data.columns.names import require_columns
from tfkit.data.columns.targets import read_target
from tfkit.data.files.read import read_messages
from tfkit.data.text import vocabulary as text_vocabulary
from tfkit.data.text.columns import CHUNK_ROWS, check_is_text, text_array
from tfkit.data.text.files import read_text_frame
from tfkit.data.text.metadata import TextMetadata
from tfkit.data.text.preprocessing import INPUT_NAME
from tfkit.errors import UserError
from tfkit.layers.preprocessing import text as preprocessing_text

log = logging.getLogger("tfkit")


def read(source: Any, metadata: TextMetadata, *, with_targets: bool = False, with_columns: bool = False) -> Any:
    """Read texts in the form of the inputs of the saved model.

    Empty texts, and texts of unknown tokens, are logged as warnings.

    Args:
        source: The path of a table or of a folder of .txt files, a DataFrame, a dictionary of columns, a list of texts.
        metadata: The result of `fit_schema`.
        with_targets: Whether to return the targets too; rows without a target are dropped with a warning.
        with_columns: Whether to return the columns of the source too, to be written beside the predictions; of a
            folder the paths.

    Returns:
        `{"text": (rows, 1)}` strings; with `with_targets`, also the targets `(rows,)`; with `with_columns`,
        also a DataFrame.

    Raises:
        UserError: If there are no rows (with `with_targets`, no rows with a target), a column does not exist, or the
            text column has numbers.
    """
    column, name = metadata.inputs[INPUT_NAME]["column"], metadata.target.name
    frame, _ = read_text_frame(source, text_column=column, target=name, **metadata.read_options)
    for message in read_messages(frame):
        log.info("%s", message)
    require_columns(frame, [column, *([name] if with_targets else [])])
    if with_targets:
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
    _warn_about_unreadable(texts, metadata)
    outputs: list[Any] = [{INPUT_NAME: texts.reshape(-1, 1)}]
    if with_targets:
        outputs.append(read_target(frame, metadata.target))
    if with_columns:
        outputs.append(frame)
    return tuple(outputs) if len(outputs) > 1 else outputs[0]


def _warn_about_unreadable(texts: np.ndarray, metadata: TextMetadata) -> None:
    """Log warnings about empty texts, and about mostly unknown tokens."""
    import tensorflow as tf

    num_empty = int(sum(not text.strip() for text in texts))
    if num_empty:
        log.warning("%s of %s texts are empty; they get a prediction too", f"{num_empty:,}", f"{len(texts):,}")
    kind = metadata.tokenization
    vocabulary = {token.encode() for token in metadata.sequences[kind].vocabulary}
    truncated = preprocessing_text.truncate(tf.constant(texts[:CHUNK_ROWS]), metadata.length)
    sample_tokens = text_vocabulary.tokenize(truncated, kind).flat_values.numpy()
    num_unknown = sum(token not in vocabulary for token in sample_tokens.tolist())
    if num_unknown > 0.5 * max(1, len(sample_tokens)):
        percent = 100 * num_unknown / len(sample_tokens)
        log.warning("%.0f%% of the %s of these texts are not in the vocabulary", percent, kind)
