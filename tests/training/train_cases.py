"""Table, settings and model that the tests of training share."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

import tfkit

FAST = {"epochs": 2, "units": 16, "ensemble_size": 2, "num_bins": 8, "batch_size": 64, "refit": False}


def to_arguments(settings: dict[str, Any]) -> list[str]:
    """Format settings as command-line arguments."""
    return [f"{name}={value}" for name, value in settings.items()]


def write_table(path: Path) -> Path:
    """Write a table of 600 rows with missing cells and two targets; return the path.

    The class `bought` depends on a number, a category and noise; the number `price` too.
    """
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"size": random.normal(50, 20, 600).round(2), "kind of": random.choice(["a", "b", "c"], 600)})
    probability = 1 / (1 + np.exp(-(frame["size"] - 50) / 8 - (frame["kind of"] == "a")))
    frame["bought"] = np.where(random.random(600) < probability, "yes", "no")
    frame["price"] = (frame["size"] * 3 + (frame["kind of"] == "b") * 40 + random.normal(0, 5, 600)).round(1)
    frame.loc[::17, "size"] = np.nan
    frame.loc[::23, "kind of"] = None
    frame.to_csv(path, index=False)
    return path


def single_member_model(config: tfkit.Config, data: tfkit.Data) -> keras.Model:
    """Build the tabular model with an ensemble of one member."""
    return tfkit.load_recipe("tabular").model(config.model_copy(update={"members": 1}), data)
