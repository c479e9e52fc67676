"""The `.ts` files of the UCR and UEA archives: a header of @lines, then a line for each series."""

from pathlib import Path
from typing import Any

import numpy as np

from tfkit.data.series_values import finite
from tfkit.errors import UserError


def is_ts(text: bytes, name: str) -> bool:
    """Whether a file is a .ts file, by its name or by its first line that is no comment."""
    if Path(name).suffix.lower() == ".ts":
        return True
    lines = (line.strip() for line in text[:65536].splitlines())
    return next((line for line in lines if line and not line.startswith(b"#")), b"").lower().startswith(b"@problemname")


def read(text: str, path: Path, target: str) -> tuple[Any, list[np.ndarray], str | None]:
    """A table with the label of each series, values `(steps, channels)` float32 with NaN where missing, and its kind.

    Channels are delimited by `:`, steps by `,`; `?` and `NaN` are missing values; the label is last. A channel that is
    shorter than another of its series is missing at the end. The kind is "class", "number", or None without labels.

    Args:
        text: What the file holds.
        path: Its path, for messages.
        target: What the column of labels is called.

    Raises:
        UserError: If the header is not one, or a line does not fit it.
    """
    import pandas as pd

    header, lines = _header(text, path)
    kinds = {"classlabel": "class", "targetlabel": "number"}
    labelled = next((kind for key, kind in kinds.items() if _says(header, key)), None)
    if _says(header, "timestamps"):
        raise UserError(
            f"A .ts file must be without time stamps (@timeStamps false); a table with a row for each step "
            f"may have them, with id_column= and time_column=. Received: {path}"
        )
    labels, values, dims = [], [], None
    for number, line in lines:
        parts = line.split(":")
        if labelled:
            labels.append(parts.pop().strip())
        dims = dims or len(parts)
        if len(parts) != dims or not dims:
            raise UserError(
                f"Every series of a .ts file must have the same channels{' and a label' * bool(labelled)}. "
                f"Received: {path}, {len(parts)} in line {number}, {dims} before"
            )
        values.append(_series(parts, path, number))
    told = header.get("dimensions") or (["1"] if _says(header, "univariate") else None)
    if told and told[0] != str(dims):
        raise UserError(
            f"The header of a .ts file must say how many channels there are. Received: {path}, @dimensions "
            f"{told[0]} and series of {dims}"
        )
    frame = pd.DataFrame({target: labels} if labelled else {"series": range(1, len(values) + 1)})
    return frame, values, labelled


def _says(header: dict[str, list[str]], key: str) -> bool:
    """Whether the header has this line, and says yes."""
    return header.get(key, ["false"])[0].lower() == "true"


def _header(text: str, path: Path) -> tuple[dict[str, list[str]], list[tuple[int, str]]]:
    """Key -> words of the @lines, and the numbered lines of data."""
    header: dict[str, list[str]] = {}
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line and not line.startswith(("#", "%"))]
    for place, (number, line) in enumerate(lines):
        if not line.startswith("@"):
            raise UserError(
                f"A .ts file must begin with lines such as @classLabel true a b, then @data. "
                f"Received: {path}, {line[:40]!r} in line {number}"
            )
        key, *words = line[1:].split() or [""]
        if key.lower() == "data":
            if not lines[place + 1 :]:
                raise UserError(f"A .ts file must have series after @data. Received: {path}, with none")
            return header, lines[place + 1 :]
        header[key.lower()] = words or [""]
    raise UserError(f"A .ts file must have a line @data, and series after it. Received: {path}, without")


def _series(parts: list[str], path: Path, number: int) -> np.ndarray:
    """One line's values `(steps, channels)`."""
    try:
        rows = [[np.nan if word.strip() in ("?", "") else float(word) for word in part.split(",")] for part in parts]
    except ValueError as error:
        word = str(error).rpartition(":")[2].strip()
        raise UserError(
            f"Values of a .ts file must be numbers, or ? where missing. Received: {path}, {word[:40]} in line {number}"
        ) from error
    values = np.full((max(map(len, rows)), len(rows)), np.nan)
    for channel, row in enumerate(rows):
        values[: len(row), channel] = row
    return finite(values)
