"""Read the `.ts` files of the UCR and UEA archives: a header of @lines, then one line per series."""

from pathlib import Path
from typing import Any

import numpy as np

from tfkit.data.series.values import to_finite
from tfkit.errors import UserError


def is_ts(text: bytes, name: str) -> bool:
    """Return whether a file is a .ts file, by its name or its first line that is not a comment."""
    if Path(name).suffix.lower() == ".ts":
        return True
    lines = (line.strip() for line in text[:65536].splitlines())
    return next((line for line in lines if line and not line.startswith(b"#")), b"").lower().startswith(b"@problemname")


def read(text: str, path: Path, target: str) -> tuple[Any, list[np.ndarray], str | None]:
    """Parse the text of a .ts file.

    Channels are separated by `:`, steps by `,`; `?` and `NaN` are missing values; the label is last. If the channels of
    a series differ in length, the shorter ones are padded with missing values at the end.

    Args:
        text: Content of the file.
        path: Path of the file, for error messages.
        target: Name of the label column to create.

    Returns:
        A DataFrame with the label of each series, values `(steps, channels)` float64 of each series with NaN where
        missing, and the task of the labels: "classification", "regression", or None without labels.

    Raises:
        UserError: If the header is invalid, or a line does not match it.
    """
    import pandas as pd

    header, lines = _header(text, path)
    tasks = {"classlabel": "classification", "targetlabel": "regression"}
    label_task = next((task for key, task in tasks.items() if _is_true(header, key)), None)
    if _is_true(header, "timestamps"):
        raise UserError(
            f"A .ts file must not have timestamps (@timeStamps false); for series with timestamps use a table with "
            f"one row per step, with series_id_column= and time_column=. Received: {path}"
        )
    labels, values, num_channels = [], [], None
    for line_number, line in lines:
        channels = line.split(":")
        if label_task:
            labels.append(channels.pop().strip())
        num_channels = num_channels or len(channels)
        if len(channels) != num_channels or not num_channels:
            raise UserError(
                f"Every series of a .ts file must have the same channels{' and a label' * bool(label_task)}. "
                f"Received: {path}, {len(channels)} in line {line_number}, {num_channels} before"
            )
        values.append(_parse_channels(channels, path, line_number))
    dimensions = header.get("dimensions") or (["1"] if _is_true(header, "univariate") else None)
    if dimensions and dimensions[0] != str(num_channels):
        raise UserError(
            f"The header of a .ts file must state the number of channels. Received: {path}, @dimensions "
            f"{dimensions[0]} and series of {num_channels}"
        )
    frame = pd.DataFrame({target: labels} if label_task else {"series": range(1, len(values) + 1)})
    return frame, values, label_task


def _is_true(header: dict[str, list[str]], key: str) -> bool:
    """Return whether the header has this key with the value "true"."""
    return header.get(key, ["false"])[0].lower() == "true"


def _header(text: str, path: Path) -> tuple[dict[str, list[str]], list[tuple[int, str]]]:
    """Split the text into the header, key -> values, and the numbered data lines."""
    header: dict[str, list[str]] = {}
    lines = [(line_number, line.strip()) for line_number, line in enumerate(text.splitlines(), 1)]
    lines = [(line_number, line) for line_number, line in lines if line and not line.startswith(("#", "%"))]
    for index, (line_number, line) in enumerate(lines):
        if not line.startswith("@"):
            raise UserError(
                f"A .ts file must begin with lines such as @classLabel true a b, then @data. "
                f"Received: {path}, {line[:40]!r} in line {line_number}"
            )
        key, *values = line[1:].split() or [""]
        if key.lower() == "data":
            if not lines[index + 1 :]:
                raise UserError(f"A .ts file must have series after @data. Received: {path}, with none")
            return header, lines[index + 1 :]
        header[key.lower()] = values or [""]
    raise UserError(f"A .ts file must have a line @data, and series after it. Received: {path}, without")


def _parse_channels(channels: list[str], path: Path, line_number: int) -> np.ndarray:
    """Convert the channels of one line to values `(steps, channels)`."""
    try:
        rows = [
            [np.nan if cell.strip() in ("?", "") else float(cell) for cell in channel.split(",")]
            for channel in channels
        ]
    except ValueError as error:
        cell = str(error).rpartition(":")[2].strip()
        raise UserError(
            f"Values of a .ts file must be numbers, or ? where missing. Received: {path}, {cell[:40]} in "
            f"line {line_number}"
        ) from error
    values = np.full((max(map(len, rows)), len(rows)), np.nan)
    for channel_index, row in enumerate(rows):
        values[: len(row), channel_index] = row
    return to_finite(values)
