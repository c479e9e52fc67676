"""Check before training that a batch fits into memory."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.errors import UserError
from tfkit.recipe import Data

TRACE_ROWS = 2  # rows of the batch that the model is traced with

COPIES_PER_WEIGHT = 4  # the weight, its gradient, two moments of the optimizer

NVIDIA_SMI_TIMEOUT_SECONDS = 5

OPS_WITHOUT_MEMORY = {  # operations whose output is a constant, a weight or a view
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


def check_memory(model: Any, data: Data, batch_size: int, free_bytes: int | None = None) -> None:
    """Raise an error if the activations of a batch need more than the free memory.

    The estimate is the size of every tensor of one forward pass. The backward pass needs more memory, so a rejected
    batch cannot be trained, and an accepted one may still be too large.

    Args:
        model: A built model.
        data: Its data.
        batch_size: Rows per step.
        free_bytes: Free memory in bytes; None to query the device.

    Raises:
        UserError: With the largest batch size that fits, rounded down to a power of 2.
    """
    free_bytes = free_memory_bytes() if free_bytes is None else free_bytes
    if free_bytes is None:
        return
    weight_bytes = COPIES_PER_WEIGHT * sum(4 * int(np.prod(variable.shape)) for variable in model.trainable_variables)
    row_bytes = forward_bytes_per_row(model, data)
    if weight_bytes + row_bytes * batch_size <= free_bytes:
        return
    max_rows = (free_bytes - weight_bytes) // max(row_bytes, 1)
    remedy = f"set batch_size={2 ** (int(max_rows).bit_length() - 1)}" if max_rows >= 1 else "make the model smaller"
    raise UserError(
        f"A batch must fit into memory; {remedy}. Received: batch_size={batch_size}, which needs at least "
        f"{(weight_bytes + row_bytes * batch_size) / 1e9:,.1f} GB of {free_bytes / 1e9:,.1f} GB free memory"
    )


def forward_bytes_per_row(model: Any, data: Data) -> int:
    """Compute the size in bytes of all tensors of a forward pass for one row."""
    import keras
    import tensorflow as tf

    x, _, _ = data.train.take(np.arange(1))
    specs = keras.tree.map_structure(lambda tensor: tf.TensorSpec((TRACE_ROWS, *tensor.shape[1:]), tensor.dtype), x)
    graph = tf.function(lambda inputs: model(inputs), autograph=False).get_concrete_function(specs).graph
    tensors = [tensor for op in graph.get_operations() if op.type not in OPS_WITHOUT_MEMORY for tensor in op.outputs]
    sizes = [
        tensor.dtype.size * int(np.prod(tensor.shape))
        for tensor in tensors
        if tensor.dtype.size and tensor.shape.is_fully_defined()
    ]
    return sum(size for size in sizes if size % TRACE_ROWS == 0) // TRACE_ROWS


def free_memory_bytes() -> int | None:
    """Return the free memory of the first GPU, else of the machine; None if unknown."""
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        command = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
        try:
            output = subprocess.run(
                command, capture_output=True, text=True, timeout=NVIDIA_SMI_TIMEOUT_SECONDS, check=True
            ).stdout
            return int(output.split()[0]) * 2**20
        except (OSError, subprocess.SubprocessError, ValueError, IndexError):
            return None
    try:
        match = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"))
        return int(match[1]) * 1024 if match else None
    except OSError:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None
