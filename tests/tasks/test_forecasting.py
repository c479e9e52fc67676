"""Tests of the forecasting task: predictions are written and read again."""

import numpy as np
import pandas as pd
import pytest

from tfkit.data import forecasting as kind
from tfkit.tasks import get_task
from tfkit.training import evaluate

DAYS = 40
NARROW, WIDE = "Prediction intervals are too narrow:", "Prediction intervals are too wide:"


def write_and_read(frame, path, **settings):
    """Write random predictions of the test windows; return them, and those that are read again."""
    grid, rules = kind.load(frame, **settings)
    splits = kind.split(grid, 3, val_fraction=0.2, test_fraction=0.3)
    metadata = kind.fit_schema(grid, rules, splits, horizon=3, context_length=4, quantiles=[0.1, 0.5, 0.9])
    dataset = kind.make_dataset(grid, metadata, "test")
    y_true = dataset.targets()
    y_pred = np.sort(np.random.default_rng(0).normal(size=(len(dataset), 3, 3)).astype("float32"), axis=-1)
    get_task("forecasting").test_frame(dataset, y_true, y_pred, metadata).to_csv(path, index=False)
    return (y_true, y_pred), get_task("forecasting").read_test_frame(path, metadata), pd.read_csv(path, dtype=str)


def table(**columns):
    days = pd.date_range("2024-01-01", periods=DAYS).astype(str)
    return pd.DataFrame({"ds": days, "y": np.random.default_rng(1).normal(size=DAYS), **columns})


@pytest.mark.parametrize(
    "ids",
    [
        ["0001", "0100"],
        ["NA", "null"],
        ["007", "7"],
        ["1e3", "1000"],
        ["a,b", "a"],
        ["True", "False"],
        ["", "x"][1:] * 2,
    ],
)
def test_ids_are_read_as_they_were_written(tmp_path, ids):
    frame = pd.concat([table(shop=name).assign(y=lambda rows: rows["y"] + 1) for name in dict.fromkeys(ids)])
    expected, result, text = write_and_read(frame, tmp_path / "p.csv", series_id_column="shop", na_values=[])
    np.testing.assert_array_equal(result[0]["series"], expected[0]["series"])
    np.testing.assert_allclose(result[0]["values"], expected[0]["values"], rtol=1e-6)
    np.testing.assert_allclose(result[1], expected[1], rtol=1e-6)
    assert set(text["shop"].fillna("")) | {"NA", "null"} >= set(ids)


def test_every_window_has_its_origin(tmp_path):
    frame = table().assign(y=lambda rows: rows["y"].where(rows.index != DAYS - 2))
    expected, result, text = write_and_read(frame, tmp_path / "p.csv")
    assert len(text) == 3 * len(expected[0])
    np.testing.assert_array_equal(np.isnan(result[0]["values"]), np.isnan(expected[0]["values"]))
    origins, times = pd.to_datetime(text["forecast_origin"]), pd.to_datetime(text["ds"])
    assert (times - origins).dt.days.tolist() == [1, 2, 3] * len(expected[0])
    assert list(text)[:3] == ["forecast_origin", "ds", "actual"]


def test_a_time_in_two_columns_is_written_in_two(tmp_path):
    months = pd.date_range("1999-11-01", periods=DAYS, freq="MS")
    frame = pd.DataFrame({"year": months.year, "month": months.month, "y": np.arange(DAYS) % 7})
    _, _, text = write_and_read(frame, tmp_path / "p.csv")
    assert text.iloc[0, :3].tolist() == ["2002 2", "2002", "3"]


@pytest.mark.parametrize(
    ("scores", "texts"),
    [
        ({"coverage_80": 0.7, "coverage_95": 0.9}, []),
        (
            {"coverage_80": 0.67},
            [f"{NARROW} the 80% interval covers 67% of the test values"],
        ),
        ({"coverage_80": 0.93}, [f"{WIDE} the 80% interval covers 93% of the test values"]),
        (
            {"coverage_95": 0.5, "coverage_80": 0.4},
            [
                f"{NARROW} the 95% interval covers 50% of the test values, "
                "the 80% interval covers 40% of the test values"
            ],
        ),
        ({"mase": 0.4}, []),
    ],
)
def test_coverage_far_from_nominal_is_one_warning(scores, texts):
    metadata = kind.ForecastingMetadata(quantiles=[0.025, 0.1, 0.5, 0.9, 0.975])
    assert get_task("forecasting").score_warnings(scores, metadata) == texts


def test_many_predictions_are_written_with_the_same_cells(tmp_path, monkeypatch):
    frame = table(shop=["0001", "a,b", 'q"x', ""] * (DAYS // 4)).assign(y=lambda rows: rows["y"].where(rows.index > 3))
    evaluate.write_predictions(frame, tmp_path / "few.csv")
    monkeypatch.setattr(evaluate, "ARROW_ROWS", 10)
    evaluate.write_predictions(frame, tmp_path / "many.csv")
    frames = [pd.read_csv(tmp_path / name, dtype={"shop": str}) for name in ("few.csv", "many.csv")]
    pd.testing.assert_frame_equal(*frames)
