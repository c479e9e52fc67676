"""Training rows of the last steps, for the report of a diverged training."""

from typing import Any

import numpy as np

from tfkit.recipe import Data

MAX_LISTED_ROWS = 4096


def recent_batch_rows(position: Any, data: Data, *, seed: int, batch: int) -> dict[str, Any]:
    """List the steps and rows of the last compiled call, and their largest values.

    Args:
        position: The `tfkit.training.fit.EpochPosition` of the training.
        data: Its data.
        seed: Seed of the row order.
        batch: Rows per step.

    Returns:
        `steps`, the first and the last step of the call, counted from 1 in their epoch; `rows`, the indices of the
        rows in the training split; `furthest`, for each input and the target the largest absolute value, or
        "not finite", and the row index of it.
    """
    import keras

    from tfkit.training.fit import epoch_permutation

    indices = epoch_permutation(seed, position.epoch, len(data.train))[position.rows_done_before : position.rows_done][
        :MAX_LISTED_ROWS
    ]
    if not len(indices):
        return {}
    x, y, _ = data.train.take(indices)
    largest_values = {}
    for path, tensor in keras.tree.flatten_with_path({"inputs": x, "target": y}):
        magnitudes = np.abs(np.asarray(tensor, "float64").reshape(len(indices), -1))
        row_maxima = np.where(np.isfinite(magnitudes), magnitudes, np.inf).max(axis=1)
        row = int(row_maxima.argmax())
        value = float(row_maxima[row])
        largest_values["/".join(map(str, path))] = {
            "row": int(indices[row]),
            "value": value if np.isfinite(value) else "not finite",
        }
    return {
        "steps": [position.rows_done_before // batch + 1, -(-position.rows_done // batch)],
        "rows": indices.tolist(),
        "furthest": largest_values,
    }
