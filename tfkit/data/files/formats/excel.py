"""Read a sheet of a spreadsheet; needs the extra `excel`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkit.errors import UserError, did_you_mean, first_line, format_list

if TYPE_CHECKING:
    import pandas as pd


def read(raw: bytes, path: Path, sheet: str | None = None) -> pd.DataFrame:
    """Read a sheet, by default the first that is not empty; the messages name the other sheets.

    Raises:
        UserError: If the extra is not installed, the file is damaged or empty, or it has no such sheet.
    """
    import pandas as pd

    try:
        import python_calamine
    except ImportError as error:
        raise UserError(
            'A spreadsheet needs the extra `excel`: pip install "keras-recipes[excel]"; or save the sheet as CSV or '
            f"Parquet. Received: {path}"
        ) from error
    try:
        workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(raw))
        rows = {name: workbook.get_sheet_by_name(name).to_python() for name in workbook.sheet_names}
    except Exception as error:  # calamine has its own exceptions for each format
        raise UserError(
            f"A spreadsheet must be complete and have no password. Received: {path}, {first_line(error)}"
        ) from error
    if sheet is not None and sheet not in rows:
        raise UserError(
            f"The part after ? must be a sheet of the spreadsheet.{did_you_mean(sheet, rows)} "
            f"Received: {path}?{sheet}; it has {format_list(rows)}"
        )
    name = sheet or next((name for name, cells in rows.items() if len(cells) > 1), None)
    if name is None or len(rows[name]) < 2:
        raise UserError(f"A table needs a header and rows; this spreadsheet is empty. Received: {path}")
    header, *body = rows[name]
    frame = pd.DataFrame(
        [[None if cell == "" else cell for cell in row] for row in body], columns=[_name(cell) for cell in header]
    )
    frame = frame.loc[
        :, [bool(label) or not column.isna().all() for label, (_, column) in zip(header, frame.items(), strict=True)]
    ]
    unused = [label for label in rows if label != name]
    choice = next((f"; choose one with '{path}?{label}'" for label in unused if len(rows[label]) > 1), "")
    hint = f"; not used: {format_list(unused)}{choice}" if unused else ""
    frame.attrs["messages"] = [f"sheet {name!r} is read{'' if sheet else hint}"]
    return frame


def _name(cell: Any) -> str:
    """Return the name of a column; a number without a fraction has no decimal point."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
