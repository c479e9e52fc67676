import numpy as np
import pandas as pd
import pytest

import tfkit


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """Small run on a table with numbers, categories, missing values, and column names that exports do not support."""
    random = np.random.default_rng(2)
    frame = pd.DataFrame({"a/b": random.normal(size=200), "Age": random.integers(18, 90, 200)})
    frame["age"] = random.choice(["young", "old", None], 200)
    frame["y"] = frame["a/b"] * 2 + (frame["age"] == "old")
    frame.loc[::9, "a/b"] = np.nan
    frame = frame.dropna(subset="y")
    folder = tmp_path_factory.mktemp("run")
    frame.to_csv(folder / "t.csv", index=False)
    settings = {
        "epochs": 1,
        "units": 8,
        "ensemble_size": 2,
        "num_bins": 8,
        "batch_size": 64,
        "refit": False,
        "quiet": True,
    }
    return tfkit.train("tabular", data=folder / "t.csv", target="y", out=folder / "runs", skip_test=True, **settings)
