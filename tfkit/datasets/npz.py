"""NPZ files of arrays, written atomically."""

import io
from pathlib import Path

import numpy as np

from tfkit.atomic_files import atomic_file


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays atomically, as a compressed `.npz` file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    with atomic_file(path, "wb") as file:
        file.write(buffer.getvalue())
