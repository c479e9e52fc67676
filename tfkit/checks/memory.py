"""A batch that cannot fit into memory is refused before training, with one that can."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.errors import UserError
from tfkit.recipe import Data

TRIED = 2  # rows that the model is traced with
COPIES = 4  # of each weight: itself, its gradient, two moments
VIEWS = {
    "Const",
    "Identity",
    "Placeholder",
    "ReadVariableOp",
    "Reshape",
    "ExpandDims",
    "Squeeze",
    "NoOp",
    "StopGradient",
}


def check_memory(model: Any, data: Data, batch: int, room: int | None = None) -> None:
    """Refuse a batch whose activations alone are larger than the memory that is free.

    What is counted is what a forward pass makes, each tensor once; the way back needs more, so what is refused here
    cannot be trained, and what passes may still be too large.

    Args:
        model: A built model.
        data: Its data.
        batch: Rows of a step.
        room: Bytes that are free; None to ask the device.

    Raises:
        UserError: With the largest batch that fits.
    """
    room = memory() if room is None else room
    if room is None:
        return
    weights = COPIES * sum(4 * int(np.prod(variable.shape)) for variable in model.trainable_variables)
    row = row_bytes(model, data)
    if weights + row * batch <= room:
        return
    fits = (room - weights) // max(row, 1)
    remedy = f"give batch_size={2 ** (int(fits).bit_length() - 1)}" if fits >= 1 else "make the model smaller"
    raise UserError(
        f"A batch must fit into memory; {remedy}. Received: batch_size={batch}, which needs at least "
        f"{(weights + row * batch) / 1e9:,.1f} GB where {room / 1e9:,.1f} GB are free"
    )


def row_bytes(model: Any, data: Data) -> int:
    """Bytes of all that a forward pass makes of one row."""
    import keras
    import tensorflow as tf

    x, _, _ = data.train.take(np.arange(1))
    specs = keras.tree.map_structure(lambda t: tf.TensorSpec((TRIED, *t.shape[1:]), t.dtype), x)
    graph = tf.function(lambda rows: model(rows), autograph=False).get_concrete_function(specs).graph
    made = [t for op in graph.get_operations() if op.type not in VIEWS for t in op.outputs]
    sizes = [t.dtype.size * int(np.prod(t.shape)) for t in made if t.dtype.size and t.shape.is_fully_defined()]
    return sum(size for size in sizes if size % TRIED == 0) // TRIED


def memory() -> int | None:
    """Bytes that are free for training: of the first GPU, else of the machine; None where that is not known."""
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        ask = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
        try:
            said = subprocess.run(ask, capture_output=True, text=True, timeout=5, check=True).stdout
            return int(said.split()[0]) * 2**20
        except (OSError, subprocess.SubprocessError, ValueError, IndexError):
            return None
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"))
        return int(found[1]) * 1024 if found else None
    except OSError:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None
