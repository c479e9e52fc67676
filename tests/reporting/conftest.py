import numpy as np
import pandas as pd
import pytest

import tfkit

POSITIVE = '<script>alert("1")</script> & ü'
FAST_SETTINGS = {
    "epochs": 3,
    "learning_rate": 0.03,
    "architecture": "mlp",
    "units": 8,
    "num_layers": 1,
    "batch_size": 64,
    "refit": "false",
    "embedding_dim": 0,
}


def table(rows=1200, seed=0):
    """A table whose class depends on one column, with names that must be escaped in HTML."""
    random = np.random.default_rng(seed)
    a, noise = random.normal(size=rows), random.normal(size=rows)
    category = random.choice(["<b>x</b>", "y", "z"], rows)
    flipped = (category == "z") & (random.random(rows) < 0.5)
    label = np.where((a > 0) ^ flipped, POSITIVE, "no")
    return pd.DataFrame({"a <i>": a, "noise": noise, "word": category, "label": label})


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Two finished runs on the same table with reports; the table is deleted afterwards."""
    folder = tmp_path_factory.mktemp("runs")
    path = folder / "table.csv"
    table().to_csv(path, index=False)
    settings = {"data": str(path), "target": "label", "positive_class": POSITIVE, "out": folder / "runs", "quiet": True}
    finished_runs = [
        tfkit.train("tabular", report=True, slice_columns=["word"], **settings, **FAST_SETTINGS),
        tfkit.train("tabular", report=True, **settings, **FAST_SETTINGS | {"epochs": 1, "learning_rate": 1e-5}),
    ]
    path.unlink()
    return finished_runs
