import numpy as np
import pandas as pd
import pytest

from tfkit.data.forecasts import (
    choose_horizon,
    history_windows,
    learn_history,
    load_history,
    prepare_windows,
    split_history,
)
from tfkit.data.history_files import read_history
from tfkit.errors import UserError

SHARES = {"val_fraction": 0.2, "test_fraction": 0.2}


def table(days=100, first="2024-01-01"):
    """Values that say where they stand: day 7 of the second series is 1007."""
    day = pd.date_range(first, periods=days)
    return pd.DataFrame({"day": day, "a": np.arange(days) * 1.0, "b": 1000 + np.arange(days) * 1.0})


def learnt(source, horizon=5, past=10, shares=SHARES, **settings):
    told, present, rules = load_history(source, **settings)
    splits = split_history(told, horizon, **shares)
    return told, present, learn_history(told, present, rules, splits, horizon=horizon, past=past)


def test_a_window_is_of_the_split_in_which_its_targets_lie():
    told, present, info = learnt(table())
    assert info["splits"] == {"train": [0, 60], "val": [60, 80], "test": [80, 100]}
    ends = {"train": (10, 60), "val": (60, 80), "test": (80, 100), "train+val": (10, 80)}
    for split, (begin, end) in ends.items():
        windows = history_windows(told, present, info, split)
        x, y, _ = windows.take(np.arange(len(windows)))
        first = np.asarray(y)[::2, 0, 0]  # of the first series, those of the second between
        np.testing.assert_array_equal(first, np.arange(begin, end - 4))
        np.testing.assert_array_equal(np.asarray(y)[1::2, 0, 0], first + 1000)
        np.testing.assert_array_equal(x["values"][::2, -1], first - 1)  # the past may lie before the split
        np.testing.assert_array_equal(np.asarray(y)[:, -1, 0], np.asarray(y)[:, 0, 0] + 4)


def test_splits_may_be_told_in_steps_and_what_is_over_is_left_out():
    told, _, _ = load_history(table())
    found = split_history(told, 5, **SHARES, train_steps=40, val_steps=10, test_steps=20)
    assert found == {"train": [0, 40], "val": [40, 50], "test": [50, 70]}
    assert split_history(told, 5, **SHARES, test_steps=30)["test"] == [70, 100]
    assert split_history(told, 12, val_fraction=0.01, test_fraction=0)["val"] == [76, 88]  # a horizon at least


def test_nothing_is_learnt_of_what_comes_after_training():
    info = learnt(table())[2]
    spoilt = table()
    spoilt.loc[60:, ["a", "b"]] = -1e6
    again = learnt(spoilt)[2]
    assert again == info
    assert info["series"]["mean"] == [29.5, 1029.5]
    assert info["series"]["scale"] == pytest.approx([np.arange(60).std()] * 2)
    assert info["series"]["naive_error"] == [7.0, 7.0]  # a week later it is seven more


def test_series_count_the_same_in_any_unit():
    source = table().assign(b=lambda frame: 1000 * frame["a"])
    told, present, info = learnt(source)
    for power in (1, 2):
        windows = history_windows(told, present, info, "train", power=power)
        _, _, weight = windows.take([0, 1])
        assert float(weight[0, 0] / weight[1, 0]) == pytest.approx(1000**power, rel=1e-5)


def test_missing_values_are_no_targets():
    source = table()
    source.loc[70, "a"], source.loc[40:49, "b"] = None, None
    told, present, info = learnt(source)
    windows = history_windows(told, present, info, "val")
    _, y, weight = windows.take(np.arange(len(windows)))
    truth = windows.truth()["values"]
    np.testing.assert_array_equal(np.asarray(weight) == 0, np.isnan(truth))
    assert np.isnan(truth).sum() == 5  # one missing day stands in five windows
    assert not np.isnan(y).any()
    train = history_windows(told, present, info, "train")
    begins = {int(told.ticks[o]) for o in train.origins if told.series[o] == 1}
    assert begins.isdisjoint(range(40, 46))  # windows of nothing but missing targets
    assert 39 in begins


def test_the_calendar_and_what_is_known_reach_over_past_and_horizon():
    source = table(days=400).assign(price=lambda frame: frame["a"] * 2)
    told, present, info = learnt(source, known=["price"], target=["b"])  # a past of ten days holds one week
    windows = history_windows(told, present, info, "test", prepare_windows(info))
    raw, (x, _, _) = windows.raw([0]), windows.take([0])
    origin = 320
    np.testing.assert_array_equal(raw["known"][0, :, 0], 2 * np.arange(origin - 10, origin + 5))
    assert info["inputs"]["calendar"]["parts"] == ["weekday"]  # not the year: training holds less than two
    days = pd.date_range("2024-01-01", periods=400).dayofweek[origin - 10 : origin + 5]
    np.testing.assert_array_equal(raw["calendar"][0, :, 0], days)
    np.testing.assert_allclose(x["calendar"][0, :, 0], np.sin(2 * np.pi * days / 7), atol=1e-5)
    seen = 2 * np.arange(240)
    np.testing.assert_allclose(x["known"][0, :, 0], (raw["known"][0, :, 0] - seen.mean()) / seen.std(), rtol=1e-4)


@pytest.mark.parametrize(("days", "horizon", "past"), [(100, 5, 21), (100, 20, 14), (4000, 168, 588), (30, 5, 6)])
def test_the_past_is_as_long_as_there_is_room_for(days, horizon, past):
    """Of 60% of the days: 3.5 horizons, two weeks and 24 days at least, half of what is there at most, whole weeks."""
    assert learnt(table(days), horizon=horizon, past="auto")[2]["past"] == past


@pytest.mark.parametrize(("days", "freq", "horizon"), [(100, "D", 7), (50, "D", 5), (4000, "s", 168), (200, "YE", 10)])
def test_the_horizon_is_a_season(days, freq, horizon):
    source = table(days).assign(day=pd.date_range("1800-01-01", periods=days, freq=freq))
    told, _, rules = load_history(source)
    assert choose_horizon(told, rules) == horizon


def test_series_that_teach_nothing_are_left_out_and_said():
    source = table().assign(c=3.0).melt("day", var_name="shop", value_name="sold")
    short = source[source["shop"] == "a"].iloc[-20:].assign(shop="late")
    told, present, info = learnt(pd.concat([source, short]), series_column="shop")
    assert info["series"]["left_out"] == ["late", "c"]
    assert info["cleaning"] == [
        "1 of 4 series are not learnt from: too short for one window in training: 'late'",
        "1 of 4 series are not learnt from: constant in training: 'c'",
    ]
    assert set(told.series[history_windows(told, present, info, "test").origins]) == {0, 1}


def test_a_file_is_gone_on_with_from_its_last_value():
    _, _, info = learnt(table())
    later = table(20, "2024-06-01")
    later.loc[18:, "a"] = None
    raw, stamps = read_history(later, info, own=True)
    np.testing.assert_array_equal(raw["values"], [np.arange(8, 18), np.arange(1010, 1020)])
    days = pd.date_range("2024-06-01", periods=30).strftime("%Y-%m-%d")
    assert stamps["day"].tolist() == [*days[18:23], *days[20:25]]
    assert stamps["series"].tolist() == ["a"] * 5 + ["b"] * 5
    np.testing.assert_array_equal(raw["calendar"][0, 10:, 0], pd.to_datetime(days[18:23]).dayofweek)


def test_a_file_with_its_truth_gives_every_window():
    _, _, info = learnt(table())
    raw, truth, stamps = read_history(table(20, "2024-06-01"), info, target=True, own=True)
    assert (len(raw["values"]), len(truth), len(stamps)) == (12, 12, 60)
    np.testing.assert_array_equal(truth["values"][:, 0], raw["values"][:, -1] + 1)
    np.testing.assert_array_equal(truth["series"], [0, 1] * 6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizon": 60}, "each have steps enough for the horizon.* horizon=60, and of 100 steps 0 to train"),
        ({"past": 57}, "one window at least, past and horizon.* past=57, horizon=5, and 60 steps"),
        ({"shares": {**SHARES, "train_steps": 90}}, "90 to train, 20 to validate, 20 to test"),
        ({"gaps": "refuse"}, "With gaps=refuse no value may be missing. Received: 1 of 200 steps"),
    ],
)
def test_what_does_not_fit_is_refused(settings, message):
    source = table()
    source.loc[3, "a"] = None
    with pytest.raises(UserError, match=message):
        learnt(source, **settings)


def test_a_split_without_a_window_is_refused():
    """The one series that is long enough to learn from ends before the test."""
    long = table(60).melt("day", var_name="shop", value_name="sold")
    late = table(20, "2024-04-01").iloc[:, :2].rename(columns={"a": "sold"}).assign(shop="late")
    told, present, info = learnt(pd.concat([long, late]), series_column="shop", horizon=5, past=18)
    with pytest.raises(UserError, match=r"Received: past=18, horizon=5, none for test"):
        history_windows(told, present, info, "test")


def test_plain_numbers_have_no_calendar():
    told, present, rules = load_history(table().assign(day=range(100)), time_column="day")
    splits = split_history(told, 5, **SHARES)
    with pytest.raises(UserError, match=r"Plain numbers have no calendar.* Received: 'hour'"):
        learn_history(told, present, rules, splits, horizon=5, calendar=["hour"])


def test_a_file_without_values_or_too_short_is_refused():
    _, _, info = learnt(table())
    with pytest.raises(UserError, match=r"values in some rows at least\. Received: 'a', 'b', missing in every"):
        read_history(table(20).assign(a=None, b=None), info)
    with pytest.raises(UserError, match="at most 4, where 10 are needed"):
        read_history(table(4), info)


def test_constant_series_are_refused():
    with pytest.raises(UserError, match=r"must vary before it can be foretold\. Received: 'a', 'b', the same in all"):
        learnt(table().assign(a=1.0, b=0.1))


def test_of_very_many_windows_some_times_are_tested(monkeypatch):
    told, present, info = learnt(table())
    monkeypatch.setattr("tfkit.data.forecasts.MOST", 12)
    windows = history_windows(told, present, info, "test")  # of 32, of two series
    assert told.ticks[windows.origins].tolist() == [80, 80, 83, 83, 86, 86, 89, 89, 92, 92, 95, 95]
    assert len(history_windows(told, present, info, "train")) == 2 * 46
