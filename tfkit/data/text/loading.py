"""Load, split, preprocess and read labeled texts; the vocabulary is built from the training rows only."""

import logging
from collections.abc import Iterable
from typing import Any

from tfkit.data.columns.names import require_columns
from tfkit.data.rows.splits import train_val_test_split
from tfkit.data.text.columns import (
    clean_texts,
    longest_text_column,
    normalize_for_comparison,
)
from tfkit.data.text.files import read_text_frame
from tfkit.errors import UserError

log = logging.getLogger("tfkit")


def load_texts(
    table: Any,
    text: str | None,
    target: str,
    *,
    test_table: Any = None,
    keep: Iterable[str | None] = (),
    **reading: Any,
) -> tuple[Any, Any, str, list[str]]:
    """Read a table of texts and targets, and optionally a test table.

    Args:
        table, test_table: Any source that `read_text_frame` accepts.
        text: The column of texts; None for the one with the longest texts.
        target: The column to predict.
        keep: More columns to keep, needed for splitting.
        reading: delimiter, encoding, missing of `read_frame`.

    Returns:
        The rows with a text and a target, those of the test table or None, the name of the text column, and messages
        about what was dropped.

    Raises:
        UserError: If there are no texts, a column does not exist, or the text column has numbers.
    """
    frame, marked = read_text_frame(table, text=text, target=target, **reading)
    require_columns(frame, [target, *([text] if text else [])])
    name = text or longest_text_column(frame, target)
    columns = list(dict.fromkeys([name, target, *(column for column in keep if column)]))
    require_columns(frame, columns)
    frame, messages = clean_texts(frame[columns], name, target, marked)
    if test_table is None:
        return frame, None, name, messages
    test, marked = read_text_frame(test_table, text=name, target=target, **reading)
    require_columns(test, [name, target], "test table")
    test, test_messages = clean_texts(test[[name, target]], name, target, marked, "test table")
    in_test = normalize_for_comparison(frame[name]).isin(normalize_for_comparison(test[name])).to_numpy()
    if in_test.all():
        raise UserError(
            f"The table must have texts that are not in the test table. Received: {len(frame):,} rows, all in both"
        )
    if in_test.any():
        test_messages.append(
            f"{int(in_test.sum()):,} of {len(frame):,} rows dropped: their text is in the test table too"
        )
    return frame[~in_test], test, name, messages + test_messages


def split_texts(frame: Any, text: str, target: dict[str, Any], **settings: Any) -> tuple[Any, Any, Any]:
    """Split rows as `split_table` does; all rows with the same text stay in one split.

    Texts that differ only in upper and lower case and white space count as the same.
    """
    normalized = normalize_for_comparison(frame[text])
    splits = train_val_test_split(frame[~normalized.duplicated()], target, **settings)
    train, val, test = (
        split if split is settings["test"] else frame[normalized.isin(normalize_for_comparison(split[text]))]
        for split in splits
    )
    return train, val, test
