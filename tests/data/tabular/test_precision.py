"""Numbers whose level is large and whose spread is small keep their digits, from the cells to the predictions."""

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies

from tfkit.data import tabular
from tfkit.data.columns.numeric import SCALINGS, fit_numeric
from tfkit.datasets.batch_predict import predict
from tfkit.tasks import get_task

STEPS = np.arange(400.0)
LARGE_LEVELS = {
    "unix seconds": 1_700_000_000 + 9 * STEPS,
    "unix milliseconds": 1.7e12 + 1000 * STEPS,
    "identifiers": 76_561_198_000_000_000 + 128 * STEPS,
    "pressure in pascal": 10_132_500 + 0.01 * STEPS,
    "coordinates": -5_934_217.25 + 0.05 * STEPS,
    "julian days": 2_459_000.5 + STEPS / 1440,
}
ORDINARY = {
    "integers": STEPS,
    "decimals": STEPS / 7,
    "years": 1900 + STEPS % 100,
    "money": 184_750 + 12.25 * STEPS,
    "many orders": 10 ** (STEPS / 20 - 10),
    "one value": np.full(400, 16_777_217.0),
}


def table(values):
    return pd.DataFrame({"x": values, "y": ["u", "v"] * (len(values) // 2)})


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("values", LARGE_LEVELS.values(), ids=LARGE_LEVELS)
@pytest.mark.reading("Precision", "read")
def test_distinct_cells_stay_distinct(values, scaling):
    frame = table(values)
    metadata = tabular.fit_schema(frame, tabular.infer_target(frame["y"]), numeric_columns=["x"], scaling=scaling)
    dataset = tabular.make_dataset(frame, metadata, tabular.make_preprocessor(metadata))
    scaled = dataset.arrays[0]["numbers"]
    assert scaled.dtype == "float32"
    assert len(np.unique(scaled)) >= 0.99 * len(np.unique(values))
    assert (np.diff(scaled[np.argsort(values, kind="stable"), 0]) >= 0).all(), "in the order of the cells"
    assert metadata.inputs["x"]["dtype"] == dataset.raw_arrays["x"].dtype == "float64"
    assert "read as float64 and centered at" in metadata.columns["x"]["treatment"]


@pytest.mark.parametrize("values", ORDINARY.values(), ids=ORDINARY)
@pytest.mark.reading("Precision", "read")
def test_other_numbers_are_float32(values):
    params, messages = fit_numeric(values)
    assert (params["dtype"], params["offset"]) == ("float32", 0.0)
    assert "float64" not in " ".join(messages)


def test_missing_cells_of_a_float64_column_are_imputed_and_flagged():
    frame = table(np.where(STEPS % 5 == 0, np.nan, LARGE_LEVELS["unix seconds"]))
    metadata = tabular.fit_schema(frame, tabular.infer_target(frame["y"]))
    x = predict(tabular.make_preprocessor(metadata), tabular.read(frame[["x"]], metadata))
    assert x["missing"][:, 0].tolist() == frame["x"].isna().astype(float).tolist()
    assert (x["numbers"][::5] == 0).all(), "the median"


@pytest.mark.reading("Precision", "read")
def test_seconds_of_a_day_are_distinct():
    times = pd.Series(pd.date_range("2024-03-01", periods=400, freq="7s").astype(str))
    frame = table(times)
    metadata = tabular.fit_schema(frame, tabular.infer_target(frame["y"]))
    x = predict(tabular.make_preprocessor(metadata), tabular.read(frame[["x"]], metadata))["numbers"]
    parts = [rule["part"] for rule in metadata.inputs.values()]
    assert len(np.unique(x[:, parts.index("days")])) == 400


@pytest.mark.parametrize("mean", [1e9, -3e11, 1.7e9, 2.5e12, 123_456_789.125])
@pytest.mark.reading("Precision", "read")
def test_targets_of_a_large_level_return_to_full_precision(mean):
    y = mean + np.random.default_rng(0).normal(size=400).round(3)
    frame = pd.DataFrame({"x": STEPS, "y": y})
    metadata = tabular.fit_schema(frame, tabular.infer_target(frame["y"]), numeric_columns=["x"])
    dataset = tabular.make_dataset(frame, metadata, tabular.make_preprocessor(metadata))
    predictions = predict(get_task("regression").make_postprocessor(metadata), dataset.arrays[1].reshape(-1, 1))[:, 0]
    np.testing.assert_allclose(predictions, y, rtol=0, atol=max(1e-6, 4 * np.spacing(abs(mean))))


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(strategies.lists(strategies.integers(-(10**11), 10**11), min_size=11, max_size=30, unique=True))
@pytest.mark.reading("Precision", "read")
def test_test_rows_hold_the_cells_of_the_user(cents):
    frame = pd.DataFrame({"x": [str(i % 3) for i in range(len(cents))], "y": [value / 100 for value in cents]})
    metadata = tabular.fit_schema(frame, tabular.infer_target(frame["y"], task="regression"), categorical_columns=["x"])
    dataset = tabular.make_dataset(frame, metadata, lambda raw, training: raw)
    task = get_task("regression")
    y_true = task.targets(dataset, metadata)
    assert task.test_frame(dataset, y_true, y_true, metadata)["actual"].tolist() == frame["y"].tolist()
