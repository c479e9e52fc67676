"""Read Feather, Arrow IPC and ORC files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tfkit.errors import UserError, first_line

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def read(raw: bytes, path: Path) -> pd.DataFrame:
    """Read a file or a stream of Arrow, or a Feather file.

    Raises:
        UserError: If the file is damaged.
    """
    import pyarrow as pa
    from pyarrow import feather, ipc

    def load(buffer: pa.Buffer) -> pa.Table:
        if raw.startswith((b"ARROW1", b"FEA1")):
            return feather.read_table(pa.BufferReader(buffer))
        return ipc.open_stream(buffer).read_all()

    try:
        return load(pa.py_buffer(raw)).to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"A file of Arrow must be complete. Received: {path}, {first_line(error)}") from error


def read_orc(raw: bytes, path: Path) -> pd.DataFrame:
    """Read an ORC file.

    Raises:
        UserError: If the file is damaged.
    """
    import pyarrow as pa
    from pyarrow import orc

    try:
        return orc.ORCFile(pa.BufferReader(raw)).read().to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"A .orc file must be complete. Received: {path}, {first_line(error)}") from error
