"""Load and split labeled texts."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tfkit.data.columns.names import require_columns
from tfkit.data.files.read import read_messages
from tfkit.data.rows.splits import train_val_test_split
from tfkit.data.text.columns import clean_texts, infer_text_column, normalize_for_comparison
from tfkit.data.text.files import read_text_frame, split_sources
from tfkit.errors import UserError
from tfkit.metadata import Target

if TYPE_CHECKING:
    import pandas as pd

UNLABELED_PREFIXES = ("unsup", "unlabel")  # of folders of texts without labels, beside those of the classes

# settings of a recipe that `split` takes
SPLIT_SETTINGS = frozenset({"val_fraction", "test_fraction", "time_column", "group_column"})


def load(
    data: Any,
    text_column: str | None,
    target: str,
    *,
    test_data: Any = None,
    extra_columns: Iterable[str | None] = (),
    **read_options: Any,
) -> tuple["pd.DataFrame", "pd.DataFrame | None", str, list[str]]:
    """Read a table of texts and targets, and optionally a test table.

    Args:
        data, test_data: Any source that `read_text_frame` accepts. If `data` is a folder of `train` and `test`, these
            are used.
        text_column: The column of texts; None for the one with the longest texts.
        target: The column to predict.
        extra_columns: More columns to keep, needed for splitting; None is ignored.
        read_options: delimiter, encoding, na_values of `read_frame`.

    Returns:
        The rows with a text and a target, those of the test table or None, the name of the text column, and messages
        about what was dropped.

    Raises:
        UserError: If there are no texts, a column does not exist, or the text column has numbers.
    """
    splits = split_sources(data)
    data, default_test_data, split_messages = splits or (data, None, [])
    test_data = default_test_data if test_data is None else test_data
    frame, missing_counts = read_text_frame(data, text_column=text_column, target=target, **read_options)
    require_columns(frame, [target, *([text_column] if text_column else [])])
    text_column = text_column or frame.attrs.get("text_column")
    name, column_messages = (text_column, []) if text_column else infer_text_column(frame, target)
    columns = list(dict.fromkeys([name, target, *(column for column in extra_columns if column)]))
    require_columns(frame, columns)
    messages = split_messages + read_messages(frame) + column_messages
    frame, clean_messages = clean_texts(frame[columns], name, target, missing_counts)
    messages += clean_messages
    if test_data is None:
        return frame, None, name, messages
    test, missing_counts = read_text_frame(test_data, text_column=name, target=target, **read_options)
    require_columns(test, [name, target], "test table")
    test_messages = [f"test table: {message}" for message in read_messages(test)]
    test, clean_messages = clean_texts(test[[name, target]], name, target, missing_counts, "test table")
    test_messages += clean_messages
    if splits:
        frame, class_messages = _drop_unlabeled(frame, test, target)
        messages += class_messages
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


def _drop_unlabeled(frame: "pd.DataFrame", test: "pd.DataFrame", target: str) -> tuple["pd.DataFrame", list[str]]:
    """Drop texts in a training folder without labels, and name the other classes that the test folder lacks."""
    messages = []
    for label, count in frame.loc[~frame[target].isin(test[target]), target].value_counts().items():
        if str(label).lower().startswith(UNLABELED_PREFIXES):
            frame = frame[frame[target] != label]
            messages.append(f"{count:,} texts of the folder {label!r} dropped: no labels, and not in the test folder")
        else:
            messages.append(f"class {label}: {count:,} texts for training, none for testing")
    return frame, messages


def split(
    frame: "pd.DataFrame", text_column: str, target: Target, *, test_data: "pd.DataFrame | None" = None, **options: Any
) -> tuple["pd.DataFrame", "pd.DataFrame", "pd.DataFrame"]:
    """Split into training, validation and test rows; all rows with the same text stay in one split.

    Texts that differ only in upper and lower case and white space count as the same.

    Args:
        frame: Rows of `load`.
        text_column: The column of texts.
        target: Result of `infer_target`.
        test_data: Separate test rows, or None to take a fraction of `frame`.
        options: val_fraction, test_fraction, seed, time_column and group_column of `train_val_test_split`.
    """
    normalized = normalize_for_comparison(frame[text_column])
    splits = train_val_test_split(frame[~normalized.duplicated()], target, test_data=test_data, **options)
    train, val, test = (
        rows if rows is test_data else frame[normalized.isin(normalize_for_comparison(rows[text_column]))]
        for rows in splits
    )
    return train, val, test
