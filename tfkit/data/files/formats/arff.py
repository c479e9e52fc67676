"""Read ARFF files of Weka: a header of @attribute lines, then rows."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tfkit.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

_ATTRIBUTE = re.compile(r"@attribute\s+(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|(\S+))\s+\S", re.IGNORECASE)


def read(text: str, path: Path) -> pd.DataFrame:
    """Read the rows as strings, None where `?`.

    Raises:
        UserError: If the header is not complete, a row is sparse, or a row does not have a cell for each attribute.
    """
    import pandas as pd

    names: list[str] = []
    rows: list[list[str | None]] = []
    in_data = False
    for number, raw_line in enumerate(text.splitlines(), 1):
        line = raw_line.strip()
        if not line or line.startswith("%"):
            continue
        if in_data:
            rows.append(_row(line, number, len(names), path))
        elif match := _ATTRIBUTE.match(line):
            names.append(re.sub(r"\\(.)", r"\1", next(group for group in match.groups() if group is not None)))
        elif line.lower().startswith("@data"):
            in_data = True
        elif not line.lower().startswith("@relation"):
            raise UserError(
                f"A .arff file must begin with lines of @relation, @attribute and @data. "
                f"Received: {path}, {line[:40]!r} in line {number}"
            )
    if not rows or not names:
        raise UserError(
            f"A .arff file must have attributes and rows after @data. Received: {path}, {len(names)} attributes and "
            f"{len(rows)} rows"
        )
    return pd.DataFrame(rows, columns=names)


def _row(line: str, number: int, width: int, path: Path) -> list[str | None]:
    if line.startswith("{"):
        raise UserError(f"A .arff file must not be sparse; save it with all cells. Received: {path}, line {number}")
    quote = "'" if re.search(r"(^|,)\s*'", line) else '"'
    cells = next(csv.reader([line], quotechar=quote, escapechar="\\", skipinitialspace=True))
    if len(cells) != width:
        raise UserError(
            f"Each row of a .arff file must have a cell for each attribute. Received: {path}, {len(cells)} cells in "
            f"line {number}, {width} attributes"
        )
    return [None if cell.strip() == "?" else cell.strip() for cell in cells]
