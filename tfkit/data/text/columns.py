"""Find, check and clean the column of texts of a table."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns import infer_type
from tfkit.data.columns import values as columns_values
from tfkit.data.rows.duplicates import drop_unusable_rows
from tfkit.errors import UserError, format_list
from tfkit.layers.preprocessing import text as preprocessing_text

if TYPE_CHECKING:
    import pandas as pd

CHUNK_ROWS = 4096  # texts processed at a time, and sampled to infer the kind of token

MIN_ROWS = 20  # from which on repeated texts are categories

MIN_DISTINCT_FRACTION = 0.05  # of texts

MAX_CODE_FRACTION = 0.8  # of texts that are addresses, paths or codes

# An address of the web or of mail, a path, a hash or another code: one run without blanks, of ASCII characters, with a
# slash, a digit, or an at sign. Words of other alphabets have no blanks either.
_CODE_CHARACTER = r"[A-Za-z0-9_.:{}+/=-]"
_NO_TEXT = (
    rf"(?:(?:https?://|www\.)\S+|[!-~]+@[!-~]+|[!-~]*[/\\][!-~]+|{_CODE_CHARACTER}*[0-9]{_CODE_CHARACTER}*"
    r"|[0-9a-fA-F-]{16,})"
)

SAMPLE_ROWS = 4096  # rows from which the type of a column is inferred


def text_array(column: "pd.Series") -> np.ndarray:
    """Convert a column to strings `(rows,)`, "" where missing."""
    return columns_values.to_strings(columns_values.normalize_dtype(column))


def normalize_for_comparison(texts: "pd.Series") -> "pd.Series":
    """Normalize texts so that duplicates compare equal: lower case, single spaces."""
    return texts.str.lower().str.split().str.join(" ")


def clean_texts(
    frame: "pd.DataFrame",
    text_column: str,
    target: str,
    missing_counts: Mapping[str, Any],
    table_name: str = "",
) -> tuple["pd.DataFrame", list[str]]:
    """Drop rows without a target or a text; also return messages about it.

    Args:
        frame: The rows of the table.
        text_column: The column of texts.
        target: The column to predict.
        missing_counts: Counts of the cells that were read as missing, by column, of `read_text_frame`.
        table_name: What messages call the table, such as "test table"; "" for the training table.
    """
    rows = len(frame)
    check_is_text(frame[text_column])
    frame, messages = drop_unusable_rows(
        frame, target, duplicates="keep", table_name=table_name, missing_counts=missing_counts.get(target)
    )
    frame = frame.assign(**{text_column: text_array(frame[text_column])})
    is_empty = (frame[text_column].str.strip() == "").to_numpy()
    if is_empty.all():
        raise UserError(f"The text column must have texts. Received: {text_column!r}, empty in every row with a target")
    if is_empty.any():
        of_table = f" of the {table_name}" if table_name else ""
        messages.append(f"{int(is_empty.sum()):,} of {rows:,} rows{of_table} dropped: no {text_column}")
    return frame[~is_empty], messages


def infer_text_column(frame: "pd.DataFrame", target: str) -> tuple[str, list[str]]:
    """Return the name of the column with the longest texts on average, and a message if there are other columns.

    Numbers, dates, addresses, paths, codes and repeated categories are chosen only if there are no other texts.
    """
    scores: dict[Any, tuple[bool, float]] = {}
    for name, column in frame.items():
        values = columns_values.normalize_dtype(column.head(SAMPLE_ROWS))
        if name != target and values.dtype.kind not in "fM" and values.notna().any():
            present = values.dropna()
            scores[name] = (not _is_no_text(present), float(present.str.len().mean()))
    if not scores:
        raise UserError(
            f"The table must have a column of texts; name it with text_column=. Received: {format_list(frame)}"
        )
    name = max(scores, key=lambda name: scores[name])
    unused = [column for column in frame if column not in (name, target)]
    return name, [f"text column: {name}; not used: {format_list(unused)}"] if unused else []


def _is_no_text(values: "pd.Series") -> bool:
    """Return whether strings are numbers, dates, addresses, paths or codes, or few different ones."""
    distinct = values.drop_duplicates()
    if len(values) >= MIN_ROWS and len(distinct) < MIN_DISTINCT_FRACTION * len(values):
        return True
    if distinct.str.fullmatch(_NO_TEXT).mean() > MAX_CODE_FRACTION:
        return True
    rule = infer_type.infer_column_type(values)
    return "number_format" in rule or rule["kind"] in ("date", "empty")


def check_is_text(column: "pd.Series") -> None:
    """Raise an error for a column of numbers or dates, or an empty one."""
    rule = infer_type.infer_column_type(column.head(SAMPLE_ROWS))
    if "number_format" in rule or rule["kind"] in ("date", "empty"):
        content = "no values" if rule["kind"] == "empty" else "dates" if rule["kind"] == "date" else "numbers"
        raise UserError(
            f"The text column must have texts; name it with text_column=, or train on other columns with "
            f"`tfkit train tabular`. Received: {column.name!r}, which has {content}"
        )


def truncate_in_chunks(texts: np.ndarray, length: int) -> np.ndarray:
    """Truncate texts exactly as the saved model does, chunk by chunk.

    So vocabularies are built from the same characters that the model reads.
    """
    import tensorflow as tf

    chunks = [texts[start : start + CHUNK_ROWS] for start in range(0, len(texts), CHUNK_ROWS)]
    return np.concatenate([preprocessing_text.truncate(tf.constant(chunk), length).numpy() for chunk in chunks])
