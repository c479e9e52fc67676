"""Read a table of an SQLite file: `sqlite:///file.db?table=name`, or a file with one table."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote

from tfkit.errors import UserError, did_you_mean, first_line, format_list

if TYPE_CHECKING:
    import pandas as pd

SCHEME = "sqlite:"


def read(address: str) -> pd.DataFrame:
    """Read a table or a view.

    Args:
        address: `sqlite:///` and a path, with `?table=` if there are several tables; or the path of a file. The path is
            relative, or absolute with a fourth slash.

    Raises:
        UserError: If the file or the table does not exist, or the file is damaged.
    """
    import pandas as pd

    path, table = _parse(address)
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
        try:
            kinds = "('table', 'view') AND name NOT LIKE 'sqlite_%'"
            query = f"SELECT name FROM sqlite_master WHERE type IN {kinds} ORDER BY name"
            names = [name for (name,) in connection.execute(query)]
            name = _select(names, table, path)
            quoted = name.replace('"', '""')
            return pd.read_sql_query(f'SELECT * FROM "{quoted}"', connection)
        finally:
            connection.close()
    except (sqlite3.Error, pd.errors.DatabaseError) as error:
        raise UserError(f"An SQLite file must be complete. Received: {path}, {first_line(error)}") from error


def _parse(address: str) -> tuple[Path, str | None]:
    """Return the path of the file and the name of the table; `pathlib` may have removed double slashes."""
    location, _, query = address.partition("?")
    table = parse_qs(query).get("table", [None])[0]
    location = location.removeprefix(SCHEME)
    if location.startswith("///"):
        path = Path(unquote(location[3:]))
    else:
        path = Path(unquote(location))
        relative = Path(str(path).removeprefix("/")) if address.startswith(SCHEME) else path
        path = relative if relative.is_file() else path
    path = path.expanduser()
    if not path.is_file():
        siblings = [sibling.name for sibling in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UserError(f"The file must exist.{did_you_mean(path.name, siblings)} Received: {path}, no such file")
    return path, table


def _select(names: list[str], table: str | None, path: Path) -> str:
    if table is None and len(names) == 1:
        return names[0]
    if table not in names or table is None:
        hint = did_you_mean(table, names) if table else ""
        raise UserError(
            f"Name a table of an SQLite file: sqlite:///{path}?table=NAME.{hint} Received: "
            f"{table or 'no name'}, and the tables are {format_list(names)}"
        )
    return table
