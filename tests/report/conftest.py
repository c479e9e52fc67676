import numpy as np
import pandas as pd
import pytest

import tfkit

RARE = '<script>alert("1")</script> & ü'
SMALL = {
    "epochs": 3,
    "learning_rate": 0.03,
    "body": "mlp",
    "units": 8,
    "depth": 1,
    "batch_size": 64,
    "refit": "false",
    "embedding_dim": 0,
}


def table(rows=1200, seed=0):
    """Rows whose class follows from one column, with names that no page may take for its own."""
    random = np.random.default_rng(seed)
    a, noise = random.normal(size=rows), random.normal(size=rows)
    word = random.choice(["<b>x</b>", "y", "z"], rows)
    wrong = (word == "z") & (random.random(rows) < 0.5)
    label = np.where((a > 0) ^ wrong, RARE, "no")
    return pd.DataFrame({"a <i>": a, "noise": noise, "word": word, "label": label})


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Two finished runs of one table with their reports; the table is gone."""
    folder = tmp_path_factory.mktemp("runs")
    path = folder / "table.csv"
    table().to_csv(path, index=False)
    how = {"table": str(path), "target": "label", "positive": RARE, "out": folder / "runs", "quiet": True}
    made = [
        tfkit.train("tabular", report=True, slices=["word"], **how, **SMALL),
        tfkit.train("tabular", report=True, **how, **SMALL | {"epochs": 1, "learning_rate": 1e-5}),
    ]
    path.unlink()
    return made
