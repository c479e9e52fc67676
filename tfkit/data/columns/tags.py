"""Cells with several tags: `red|round`, `red, round`, `["red", "round"]`."""

import ast
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tfkit.errors import UserError

LISTS = "list"  # instead of a delimiter: cells are lists

DELIMITERS = ("|", ";", ",")

MIN_SHARED = 0.5  # of the cells with several tags: all their tags must occur in other cells, too


def split_tags(cell: str, delimiter: str) -> list[str]:
    """Split a cell into its tags; equal tags count once.

    Args:
        cell: The text of a cell.
        delimiter: One of `DELIMITERS`, or `LISTS`; a list is written as in JSON or Python.

    Raises:
        UserError: If the cell should be a list, and is not one of strings, numbers or booleans.

    Example:
        >>> split_tags("red| round|red", "|"), split_tags("['red', 2]", LISTS), split_tags("[]", LISTS)
        (['red', 'round'], ['red', '2'], [])
    """
    if delimiter != LISTS:
        return list(dict.fromkeys(tag for part in cell.split(delimiter) if (tag := part.strip())))
    values = parse_list(cell)
    if values is None:
        raise UserError(f"A cell must be a list of tags, as in the training data. Received: {cell!r}")
    return list(dict.fromkeys(tag for value in values if (tag := str(value).strip())))


def join_tags(tags: Sequence[Any], delimiter: str) -> str:
    """Write tags as a cell that `split_tags` reads.

    Example:
        >>> join_tags(["red", "round"], "|"), join_tags(["red", 2], LISTS)
        ('red|round', '["red", 2]')
    """
    return json.dumps(list(tags), ensure_ascii=False) if delimiter == LISTS else delimiter.join(map(str, tags))


def parse_list(cell: str) -> list[Any] | None:
    """The values of a list of strings, numbers or booleans in JSON or Python; None if the text is not one.

    Example:
        >>> parse_list('["a", 1, null]'), parse_list("['a']"), parse_list("[a]")
        (['a', 1], ['a'], None)
    """
    if not (cell.startswith("[") and cell.endswith("]")):
        return None
    try:
        values = json.loads(cell)
    except (ValueError, RecursionError):
        try:
            values = ast.literal_eval(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return None
    values = [value for value in values if value is not None]
    return values if all(isinstance(value, str | int | float) for value in values) else None


def infer_delimiter(labels: Sequence[str]) -> str | None:
    """The delimiter of the tags in a column, or None if its distinct labels are classes.

    Labels are tags if all are lists. They are tags with a delimiter if it joins some of them, most of the joined tags
    occur in other labels too, there are fewer tags than labels, and one of these holds: each joined tag also is a label
    of its own; the joined labels have different numbers of tags; a tag occurs in different places. So `Paris, France`
    and `yes; of course` are classes, and so are all pairs of two properties, such as `female, young`.

    Example:
        >>> infer_delimiter(["red|round", "red", "round"]), infer_delimiter(["Paris, France", "Lyon, France", "Rome"])
        ('|', None)
    """
    if labels and all(parse_list(label) is not None for label in labels):
        return LISTS
    for delimiter in DELIMITERS:
        joined = combined_labels(labels, delimiter)
        tags = [split_tags(label, delimiter) for label in joined]
        num_tags = len({tag for label in labels for tag in split_tags(label, delimiter)})
        positions = {(tag, position) for parts in tags for position, tag in enumerate(parts)}
        joined_tags = {tag for tag, _ in positions}
        is_varied = len({len(parts) for parts in tags}) > 1 or len(positions) > len(joined_tags)
        if joined and num_tags < len(labels) and (is_varied or joined_tags <= set(labels)):
            return delimiter
    return None


def combined_labels(labels: Sequence[str], delimiter: str) -> list[str]:
    """Return the labels that join tags of other labels by a delimiter; empty if they are ordinary text.

    In ordinary text with commas, such as "Paris, France", most parts occur in one label only.

    Example:
        >>> combined_labels(["red|round", "red", "round"], "|")
        ['red|round']
    """
    tags = {label: [tag.strip() for tag in label.split(delimiter)] for label in labels}
    counts = Counter(tag for parts in tags.values() for tag in set(parts))
    joined = [label for label, parts in tags.items() if len(parts) > 1 and all(parts)]
    shared = [label for label in joined if all(counts[tag] > 1 for tag in tags[label])]
    return joined if shared and len(shared) >= MIN_SHARED * len(joined) else []
