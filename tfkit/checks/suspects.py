"""Which rows training had just seen, and the furthest values in them, for the bundle that a stopped training leaves."""

from typing import Any

import numpy as np

from tfkit.recipe import Data

ROWS = 4096  # that are named at most


def last_rows(place: Any, data: Data, *, seed: int, batch: int) -> dict[str, Any]:
    """The steps of the last compiled call, the numbers of their training rows, and where the furthest values are.

    Args:
        place: The `tfkit.loop.Place` of the training.
        data: Its data.
        seed, batch: What the order of the rows is drawn from, and rows of a step.

    Returns:
        `steps`, the first and the last of the call, counted from 1 in their epoch; `rows`, the numbers of the rows in
        the training split; `furthest`, for each input and the target the value that is furthest from 0, or one that is
        not finite, and the row that it stands in.
    """
    import keras

    from tfkit.loop import drawn

    numbers = drawn(seed, place.epoch, len(data.train))[place.before : place.done][:ROWS]
    if not len(numbers):
        return {}
    x, y, _ = data.train.take(numbers)
    furthest = {}
    for path, tensor in keras.tree.flatten_with_path({"inputs": x, "target": y}):
        values = np.abs(np.asarray(tensor, "float64").reshape(len(numbers), -1))
        strange = np.where(np.isfinite(values), values, np.inf).max(axis=1)
        row = int(strange.argmax())
        value = float(strange[row])
        furthest["/".join(map(str, path))] = {
            "row": int(numbers[row]),
            "value": value if np.isfinite(value) else "not finite",
        }
    return {
        "steps": [place.before // batch + 1, -(-place.done // batch)],
        "rows": numbers.tolist(),
        "furthest": furthest,
    }
