"""Names of columns."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tfkit.errors import UserError, did_you_mean, format_list

_MAX_NAMES = 5  # duplicate names in a message


def unique_column_names(labels: Iterable[Any], source: str) -> list[str]:
    """Strip column names; an empty name becomes `column_N`.

    Raises:
        UserError: If two columns have the same name.
    """
    stripped = ["" if label is None else str(label).strip() for label in labels]
    columns = [name or f"column_{position}" for position, name in enumerate(stripped, 1)]
    duplicates = [name for name, count in Counter(columns).items() if count > 1]
    if duplicates:
        more = f" and {len(duplicates) - _MAX_NAMES} more" if len(duplicates) > _MAX_NAMES else ""
        raise UserError(
            f"Column names must differ; rename one. Received: {source}, more than one "
            f"{', '.join(map(repr, duplicates[:_MAX_NAMES]))}{more}"
        )
    return columns


def require_columns(frame: Any, names: Iterable[str], table_name: str = "table") -> None:
    """Raise if a table lacks one of the columns, and suggest the nearest name."""
    available = dict.fromkeys(str(column) for column in frame.columns)
    absent = [name for name in dict.fromkeys(names) if name not in available]
    if absent:
        columns = f"the column {absent[0]!r}" if len(absent) == 1 else f"the columns {format_list(absent)}"
        hint = did_you_mean(absent[0], available) or (
            " If it has more than one column, give delimiter=." if len(available) == 1 and _is_text_file(frame) else ""
        )
        messages = "; ".join(getattr(frame, "attrs", {}).get("messages", ()))  # about how the file was read
        reading = f" ({messages})" if messages else ""
        raise UserError(f"The {table_name} must have {columns}.{hint} Received: {format_list(available)}{reading}")


def _is_text_file(frame: Any) -> bool:
    return getattr(frame, "attrs", {}).get("file", {}).get("kind") in ("csv", "tsv")
