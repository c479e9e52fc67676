"""Read `.npy` and `.npz` files as tables."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.errors import UserError, first_line

if TYPE_CHECKING:
    import pandas as pd


def read(raw: bytes, path: Path) -> pd.DataFrame:
    """Read arrays as columns: those of one axis, fields, and the columns of a matrix, such as `x_1`, `x_2`.

    Raises:
        UserError: If the file has Python objects, arrays of more than two axes or of different numbers of rows.
    """
    import pandas as pd

    try:
        content = np.load(io.BytesIO(raw), allow_pickle=False)
        arrays: Mapping[str, np.ndarray] = (
            {name: content[name] for name in content.files} if hasattr(content, "files") else {"": content}
        )
    except (ValueError, OSError, EOFError, KeyError) as error:
        raise UserError(
            f"A file of NumPy must be complete and without Python objects. Received: {path}, {first_line(error)}"
        ) from error
    columns: dict[str, Any] = {}
    for name, array in arrays.items():
        if array.dtype.names and array.ndim == 1:
            columns |= {field: array[field] for field in array.dtype.names}
        elif array.ndim == 1 and array.dtype.names is None:
            columns[name or "column_1"] = array
        elif array.ndim == 2:
            prefix = f"{name}_" if name else "column_"
            columns |= {f"{prefix}{index}": array[:, index - 1] for index in range(1, array.shape[1] + 1)}
        else:
            raise UserError(
                f"An array must have one or two axes to be a table. Received: {path}, {name or 'the array'} of shape "
                f"{array.shape}"
            )
    if len({len(column) for column in columns.values()}) > 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise UserError(f"Arrays must have the same number of rows to be a table. Received: {path}, {shapes}")
    decoded = {name: np.char.decode(column) if column.dtype.kind == "S" else column for name, column in columns.items()}
    return pd.DataFrame(decoded)
