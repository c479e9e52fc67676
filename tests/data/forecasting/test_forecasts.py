"""Tests of forecasting data: splits, schema, windows and new files."""

import json

import numpy as np
import pandas as pd
import pytest

from tfkit.data import forecasting, load_metadata
from tfkit.errors import UserError

FRACTIONS = {"val_fraction": 0.2, "test_fraction": 0.2}


def table(days=100, first="2024-01-01"):
    """Daily values that encode series and day: day 7 of the second series is 1007."""
    day = pd.date_range(first, periods=days)
    return pd.DataFrame({"day": day, "a": np.arange(days) * 1.0, "b": 1000 + np.arange(days) * 1.0})


def fit_schema(source, horizon=5, context_length=10, splits=FRACTIONS, **settings):
    grid, rules = forecasting.load(source, **settings)
    splits = forecasting.split(grid, horizon, **splits)
    return grid, forecasting.fit_schema(grid, rules, splits, horizon=horizon, context_length=context_length)


def test_a_window_belongs_to_the_split_of_its_targets():
    grid, metadata = fit_schema(table())
    assert metadata.splits == {"train": (0, 60), "val": (60, 80), "test": (80, 100)}
    bounds = {"train": (10, 60), "val": (60, 80), "test": (80, 100), "train+val": (10, 80)}
    for split, (begin, end) in bounds.items():
        windows = forecasting.make_dataset(grid, metadata, split)
        x, y, _ = windows.take(np.arange(len(windows)))
        first = np.asarray(y)[::2, 0, 0]  # of the first series; the two series alternate
        np.testing.assert_array_equal(first, np.arange(begin, end - 4))
        np.testing.assert_array_equal(np.asarray(y)[1::2, 0, 0], first + 1000)
        np.testing.assert_array_equal(x["values"][::2, -1], first - 1)  # the past may be before the split
        np.testing.assert_array_equal(np.asarray(y)[:, -1, 0], np.asarray(y)[:, 0, 0] + 4)


def test_concatenated_splits_have_the_windows_across_their_boundary_too():
    grid, metadata = fit_schema(table())
    train, val, expected = (forecasting.make_dataset(grid, metadata, split) for split in ("train", "val", "train+val"))
    concatenated = train.concatenate(val)
    np.testing.assert_array_equal(concatenated.forecast_starts, expected.forecast_starts)
    assert len(concatenated) == len(train) + len(val) + 2 * 4


def test_metadata_is_json():
    source = table(days=400).assign(price=lambda frame: frame["a"] * 2)
    _, metadata = fit_schema(source, known_covariates=["price"])
    assert load_metadata(json.loads(json.dumps(metadata.to_dict(), allow_nan=False))) == metadata
    assert metadata.task == "forecasting"


def test_splits_can_be_numbers_of_steps_and_the_remainder_is_unused():
    grid, _ = forecasting.load(table())
    splits = forecasting.split(grid, 5, **FRACTIONS, train_steps=40, val_steps=10, test_steps=20)
    assert splits == {"train": (0, 40), "val": (40, 50), "test": (50, 70)}
    assert forecasting.split(grid, 5, **FRACTIONS, test_steps=30)["test"] == (70, 100)
    assert forecasting.split(grid, 12, val_fraction=0.01, test_fraction=0)["val"] == (76, 88)  # at least one horizon


def test_the_schema_does_not_depend_on_steps_after_training():
    metadata = fit_schema(table())[1]
    modified = table()
    modified.loc[60:, ["a", "b"]] = -1e6
    assert fit_schema(modified)[1] == metadata
    assert metadata.series.mean == [29.5, 1029.5]
    assert metadata.series.scale == pytest.approx([np.arange(60).std()] * 2)
    assert metadata.series.naive_error == [7.0, 7.0]  # the value increases by 7 per week


def test_the_weight_of_a_series_does_not_depend_on_its_unit():
    source = table().assign(b=lambda frame: 1000 * frame["a"])
    grid, metadata = fit_schema(source)
    for power in (1, 2):
        windows = forecasting.make_dataset(grid, metadata, "train", power=power)
        _, _, weight = windows.take([0, 1])
        assert float(weight[0, 0] / weight[1, 0]) == pytest.approx(1000**power, rel=1e-5)


LEVELS = {"joule": 3.6e9, "unix seconds": 1.7e9, "rate with many digits": 1e5, "below zero": -5e9}


@pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS)
@pytest.mark.reading("Precision", "read")
def test_steps_of_a_large_level_stay_distinct(level):
    unit = abs(level) / 1e9
    steps = np.random.default_rng(0).integers(-20, 20, 100) * unit
    grid, metadata = fit_schema(table()[["day"]].assign(value=level + steps))
    assert metadata.inputs["values"]["dtype"] == "float64"
    assert "read as float64, relative to the last known value: float32 would round the steps" in metadata.notes
    preprocessor = forecasting.make_preprocessor(metadata)
    windows = forecasting.make_dataset(grid, metadata, "train", preprocessor)
    x, y, _ = windows.take(np.arange(3))
    start, values = 10, level + steps
    for row in range(3):
        origin = values[start + row - 1]
        np.testing.assert_allclose(x["values"][row], values[row : start + row] - origin, atol=1e-5 * unit)
        np.testing.assert_allclose(y[row, :, 0], values[start + row : start + row + 5] - origin, atol=1e-5 * unit)
        assert float(x["origin"][row, 0]) == origin
    raw = windows.raw_inputs(np.arange(3))["values"]
    np.testing.assert_array_equal(raw, np.lib.stride_tricks.sliding_window_view(values, 10)[:3])
    quantiles = forecasting.make_postprocessor(metadata)(
        {"outputs": y, **{name: x[name] for name in ("values", "origin")}}
    )
    assert quantiles.dtype == "float64"
    np.testing.assert_allclose(quantiles[0, :, 0], values[10:15], rtol=0, atol=1e-5 * unit)


def test_missing_values_are_not_targets():
    source = table()
    source.loc[70, "a"], source.loc[40:49, "b"] = None, None
    grid, metadata = fit_schema(source)
    windows = forecasting.make_dataset(grid, metadata, "val")
    _, y, weight = windows.take(np.arange(len(windows)))
    y_true = windows.targets()["values"]
    np.testing.assert_array_equal(np.asarray(weight) == 0, np.isnan(y_true))
    assert np.isnan(y_true).sum() == 5  # one missing day is in five windows
    assert not np.isnan(y).any()
    train = forecasting.make_dataset(grid, metadata, "train")
    starts = {int(grid.time_index[origin]) for origin in train.forecast_starts if grid.series_index[origin] == 1}
    assert starts.isdisjoint(range(40, 46))  # windows whose targets are all missing
    assert 39 in starts


def test_calendar_features_and_known_covariates_cover_past_and_horizon():
    source = table(days=400).assign(price=lambda frame: frame["a"] * 2)
    grid, metadata = fit_schema(
        source, known_covariates=["price"], target=["b"]
    )  # a past of ten days contains one week
    windows = forecasting.make_dataset(grid, metadata, "test", forecasting.make_preprocessor(metadata))
    raw, (x, _, _) = windows.raw_inputs([0]), windows.take([0])
    origin = 320
    np.testing.assert_array_equal(raw["known"][0, :, 0], 2 * np.arange(origin - 10, origin + 5))
    assert metadata.inputs["calendar"]["features"] == [
        "weekday"
    ]  # not the day of the year: training has less than two years
    days = pd.date_range("2024-01-01", periods=400).dayofweek[origin - 10 : origin + 5]
    np.testing.assert_array_equal(raw["calendar"][0, :, 0], days)
    np.testing.assert_allclose(x["calendar"][0, :, 0], np.sin(2 * np.pi * days / 7), atol=1e-5)
    train = 2 * np.arange(240)
    np.testing.assert_allclose(x["known"][0, :, 0], (raw["known"][0, :, 0] - train.mean()) / train.std(), rtol=1e-4)


@pytest.mark.reading("Precision", "read")
def test_covariates_of_a_large_level_stay_distinct():
    meter = 3.6e9 + np.random.default_rng(0).integers(0, 50, 100)
    grid, metadata = fit_schema(table().assign(meter=meter), known_covariates=["meter"], target=["b"])
    windows = forecasting.make_dataset(grid, metadata, "train", forecasting.make_preprocessor(metadata))
    scaled = windows.take(np.arange(1))[0]["known"][0, :, 0]
    np.testing.assert_allclose(scaled, (meter[:15] - meter[:60].mean()) / meter[:60].std(), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(windows.raw_inputs(np.arange(1))["known"][0, :, 0], meter[:15])


@pytest.mark.parametrize(
    ("days", "horizon", "context_length"), [(100, 5, 21), (100, 20, 14), (4000, 168, 588), (30, 5, 6)]
)
def test_the_default_context_length(days, horizon, context_length):
    """The training steps are 60% of the days.

    The past is at least 3.5 horizons, two weeks and 24 days, at most half of the training steps, and whole weeks.
    """
    assert fit_schema(table(days), horizon=horizon, context_length="auto")[1].context_length == context_length


@pytest.mark.parametrize(("days", "freq", "horizon"), [(100, "D", 7), (50, "D", 5), (4000, "s", 168), (200, "YE", 10)])
def test_the_default_horizon_is_a_season(days, freq, horizon):
    source = table(days).assign(day=pd.date_range("1800-01-01", periods=days, freq=freq))
    grid, rules = forecasting.load(source)
    assert forecasting.default_horizon(grid, rules) == horizon


@pytest.mark.reading("Steps of a forecast", "stated")
def test_short_and_constant_series_are_excluded_with_a_message():
    source = table().assign(c=3.0).melt("day", var_name="shop", value_name="sold")
    short = source[source["shop"] == "a"].iloc[-20:].assign(shop="late")
    grid, metadata = fit_schema(pd.concat([source, short]), series_id_column="shop")
    assert metadata.series.excluded == ["late", "c"]
    assert metadata.notes == [
        "1 of 4 series excluded from training: too short for one window in training: 'late'",
        "1 of 4 series excluded from training: constant in training: 'c'",
        "values are never negative: forecasts and prediction intervals are at least 0",
    ]
    assert set(grid.series_index[forecasting.make_dataset(grid, metadata, "test").forecast_starts]) == {0, 1}


def test_a_file_is_forecast_from_its_last_value():
    _, metadata = fit_schema(table())
    new = table(20, "2024-06-01")
    new.loc[18:, "a"] = None
    raw, timestamps = forecasting.read(new, metadata, with_columns=True)
    np.testing.assert_array_equal(raw["values"], [np.arange(8, 18), np.arange(1010, 1020)])
    days = pd.date_range("2024-06-01", periods=30).strftime("%Y-%m-%d")
    assert timestamps["day"].dtype == new["day"].dtype  # so that it can be joined with the table
    assert timestamps["day"].astype(str).tolist() == [*days[18:23], *days[20:25]]
    assert timestamps["series"].tolist() == ["a"] * 5 + ["b"] * 5
    np.testing.assert_array_equal(raw["calendar"][0, 10:, 0], pd.to_datetime(days[18:23]).dayofweek)


def test_a_file_with_targets_gives_all_windows():
    _, metadata = fit_schema(table())
    raw, y_true, timestamps = forecasting.read(table(20, "2024-06-01"), metadata, with_targets=True, with_columns=True)
    assert (len(raw["values"]), len(y_true), len(timestamps)) == (12, 12, 60)
    np.testing.assert_array_equal(y_true["values"][:, 0], raw["values"][:, -1] + 1)
    np.testing.assert_array_equal(y_true["series"], [0, 1] * 6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizon": 60}, "each have enough steps for the horizon.* horizon=60, and of 100 steps 0 to train"),
        (
            {"context_length": 57},
            "at least one window of past and horizon.* context_length=57, horizon=5, and 60 steps",
        ),
        ({"splits": {**FRACTIONS, "train_steps": 90}}, "90 to train, 20 to validate, 20 to test"),
        ({"fill_missing": "error"}, "With fill_missing=error no value may be missing. Received: 1 of 200 steps"),
    ],
)
@pytest.mark.reading("Steps of a forecast", "refused")
def test_unsuitable_settings_are_refused(settings, message):
    source = table()
    source.loc[3, "a"] = None
    with pytest.raises(UserError, match=message):
        fit_schema(source, **settings)


def test_a_split_without_a_window_is_refused():
    """The only series that is long enough for training ends before the test split."""
    long = table(60).melt("day", var_name="shop", value_name="sold")
    late = table(20, "2024-04-01").iloc[:, :2].rename(columns={"a": "sold"}).assign(shop="late")
    grid, metadata = fit_schema(pd.concat([long, late]), series_id_column="shop", horizon=5, context_length=18)
    with pytest.raises(UserError, match=r"Received: context_length=18, horizon=5, none for test"):
        forecasting.make_dataset(grid, metadata, "test")


def test_numeric_times_have_no_calendar_features():
    grid, rules = forecasting.load(table().assign(day=range(100)), time_column="day")
    splits = forecasting.split(grid, 5, **FRACTIONS)
    with pytest.raises(UserError, match=r"plain numbers have no calendar features.* Received: 'hour'"):
        forecasting.fit_schema(grid, rules, splits, horizon=5, calendar_features=["hour"])


@pytest.mark.reading("Steps of a forecast", "refused")
def test_a_file_without_values_or_too_short_is_refused():
    _, metadata = fit_schema(table())
    with pytest.raises(UserError, match=r"At least one series must have values\. Received: 'a', 'b', missing in every"):
        forecasting.read(table(20).assign(a=None, b=None), metadata)
    with pytest.raises(UserError, match="at most 4, where 10 are needed"):
        forecasting.read(table(4), metadata)


@pytest.mark.reading("Steps of a forecast", "refused")
def test_constant_series_are_refused():
    with pytest.raises(UserError, match=r"must vary in training\. Received: 'a', 'b', constant in all"):
        fit_schema(table().assign(a=1.0, b=0.1))


def test_the_number_of_evaluated_windows_is_limited(monkeypatch):
    grid, metadata = fit_schema(table())
    monkeypatch.setattr("tfkit.data.forecasting.dataset.MAX_EVAL_WINDOWS", 12)
    windows = forecasting.make_dataset(grid, metadata, "test")  # 32 windows of two series without the limit
    assert grid.time_index[windows.forecast_starts].tolist() == [80, 80, 83, 83, 86, 86, 89, 89, 92, 92, 95, 95]
    assert len(forecasting.make_dataset(grid, metadata, "train")) == 2 * 46


@pytest.mark.parametrize(
    ("values", "minimum"),
    [
        (np.arange(100) % 5, 0.0),
        (np.arange(100) % 5 + 0.5, None),
        (np.where(np.arange(100) % 3 == 0, 0, 1.5 + np.arange(100)), 0.0),
        (np.arange(100) % 5 - 1, None),
        (10 + np.sin(np.arange(100)), None),
        (1000 + np.arange(100) % 5, None),  # counts, and 0 is far
        (np.r_[np.arange(60) % 5, -np.arange(1, 41)], 0.0),  # learned on the training steps
    ],
)
def test_the_bound_of_counts_is_learned(values, minimum):
    metadata = fit_schema(table()[["day"]].assign(a=values))[1]
    assert metadata.minimum == minimum
    assert ("values are never negative: forecasts and prediction intervals are at least 0" in metadata.notes) == (
        minimum is not None
    )
