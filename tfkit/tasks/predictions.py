"""Model outputs as a table of predictions."""

from typing import Any

import numpy as np


def predictions_to_frame(outputs: np.ndarray, info: dict[str, Any]) -> Any:
    """Predictions as a table: `predicted`, for classes `probability_CLASS`, for forecasts `low_80` and `high_80`.

    A forecast has one row for each step of each window.
    """
    import pandas as pd

    if info["task"] == "forecast":
        return pd.DataFrame(_quantile_columns(outputs.reshape(-1, outputs.shape[-1]), info["quantiles"]))
    classes = info["target"]["classes"]
    if not classes:
        return pd.DataFrame({"predicted": outputs})
    label = np.array(classes, object)[outputs.argmax(axis=1)]
    return pd.DataFrame({"predicted": label} | {f"probability_{name}": outputs[:, i] for i, name in enumerate(classes)})


def _quantile_columns(outputs: np.ndarray, quantiles: list[float]) -> dict[str, np.ndarray]:
    """The median, then the ends of each interval, the narrowest first."""
    columns = {"predicted": outputs[:, len(quantiles) // 2]}
    for i in reversed(range(len(quantiles) // 2)):
        percent = f"{100 * (quantiles[-1 - i] - quantiles[i]):.0f}"
        columns |= {f"low_{percent}": outputs[:, i], f"high_{percent}": outputs[:, -1 - i]}
    return columns
