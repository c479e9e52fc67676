"""Tests of loading, splitting, fitting, preparing and reading series."""

import json

import numpy as np
import pandas as pd
import pytest

from tfkit.data.columns.target import infer_target
from tfkit.data.series.dataset import series_rows
from tfkit.data.series.loading import load_series, split_series
from tfkit.data.series.minirocket import fit_minirocket
from tfkit.data.series.preprocessing import PADDING, prepare_series
from tfkit.data.series.reading import read_series
from tfkit.data.series.schema import learn_series
from tfkit.datasets.batch_predict import predict
from tfkit.errors import UserError

RANDOM = np.random.default_rng(0)
NAN = np.nan


def table(rows=40, steps=20, seed=0):
    """A wide table of increasing and decreasing series."""
    random = np.random.default_rng(seed)
    is_increasing = random.random(rows) < 0.5
    values = np.where(is_increasing, 1, -1)[:, None] * np.arange(steps) + random.normal(size=(rows, steps))
    frame = pd.DataFrame(values, columns=[f"t{step}" for step in range(steps)])
    frame.insert(0, "label", np.where(is_increasing, "up", "down"))
    return frame


def fit_schema(frame, **settings):
    """The schema fitted to all rows of a frame, and its series."""
    series, _, messages = load_series(frame, lengths=settings.get("lengths", "auto"))
    target = infer_target(series.frame["label"])
    reading = {
        "series_id_column": None,
        "time_column": None,
        "value_columns": [],
        "exclude_columns": [],
        "delimiter": None,
        "encoding": None,
        "na_values": None,
    }
    return learn_series(series, target, said=messages, reading=reading, **settings), series


def truncate_every_second(frame):
    """Remove the last 1 to 8 steps of every second series."""
    frame = frame.copy()
    for row in range(0, len(frame), 2):
        frame.iloc[row, -(row % 8 + 1) :] = None
    return frame


# loading and splitting


def test_unusable_series_are_dropped_with_a_message():
    frame = table()
    frame.loc[3, "label"] = None
    frame.iloc[5, 1:] = NAN
    series, test, messages = load_series(frame)
    assert test is None
    assert len(series) == 38
    assert messages == ["1 of 40 series left out: no label", "1 of 40 series left out: no value"]


def test_series_of_the_test_table_are_dropped_from_training():
    frame, test_frame = table(), table(seed=1)
    series, test, messages = load_series(frame, test_table=pd.concat([test_frame, frame.head(2)]))
    assert (len(series), len(test)) == (38, 42)
    assert messages == ["2 of 40 series left out: they are in the test table too"]
    with pytest.raises(UserError, match=r"must have series that are not in the test table. Received: 40, all in both"):
        load_series(frame, test_table=frame)


def test_duplicate_series_stay_in_one_split():
    frame = pd.concat([table(30)] * 3)
    series, _, _ = load_series(frame)
    splits = split_series(series, infer_target(series.frame["label"]), val_fraction=0.2, test_fraction=0.2, seed=0)
    distinct = [{values.tobytes() for values in split.each()} for split in splits]
    assert sum(map(len, distinct)) == 30
    assert sum(map(len, splits)) == 90


def test_test_series_have_the_values_of_the_test_table():
    """Both tables have the same row index, and must not be confused."""
    frame, test_frame = table(), table(seed=1)
    series, test, _ = load_series(frame, test_table=test_frame)
    target = infer_target(series.frame["label"])
    splits = split_series(series, target, test=test, val_fraction=0.2, test_fraction=0, seed=0)
    np.testing.assert_allclose(np.stack(splits[2].each())[..., 0], test_frame.iloc[:, 1:], rtol=1e-6)
    assert len(splits[0]) + len(splits[1]) == 40


# the schema


def test_schema_is_json_and_fitted_to_the_training_series():
    info, series = fit_schema(table())
    info = fit_minirocket(series, info, features=200, seed=0)
    assert json.loads(json.dumps(info, allow_nan=False)) == info
    values = np.stack(series.each())
    assert info["series"]["mean"] == pytest.approx([values.mean()], abs=1e-5)
    assert info["series"]["spread"] == pytest.approx([values.std()], rel=1e-5)
    assert not info["series"]["variable_length"]
    assert info["inputs"] == {"series": {"dtype": "float32", "shape": [20, 1]}}
    assert info["target"]["counts"] == series.frame["label"].value_counts().to_dict()


def test_lengths_end_at_the_last_finite_value():
    info, _ = fit_schema(truncate_every_second(table()))
    assert info["series"]["variable_length"]
    assert info["series"]["length"] == 20
    assert info["inputs"]["series"]["shape"] == [None, 1]
    assert "training series have 13 to 20 steps" in info["cleaning"][0]
    info, _ = fit_schema(truncate_every_second(table()), variable_length=False)  # ends count as missing values
    assert not info["series"]["variable_length"]
    assert "training values are missing" in info["cleaning"][0]


def test_one_series_of_different_length_in_any_split_requires_padding():
    frame = table()
    frame.iloc[39, -1] = NAN
    series, _, _ = load_series(frame)
    target = infer_target(series.frame["label"])
    train, val = series.with_frame(series.frame[:30]), series.with_frame(series.frame[30:])
    assert not learn_series(train, target)["series"]["variable_length"]
    assert learn_series(train, target, others=[val])["series"]["variable_length"]


def test_missing_and_constant_series_are_counted():
    frame = table()
    frame.iloc[0, 3:6] = NAN
    frame.iloc[1, 1:] = 5.0
    messages = fit_schema(frame)[0]["cleaning"]
    assert messages == [
        "3 of 800 training values are missing; they are filled by linear interpolation",
        "1 of 40 training series are constant",
    ]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (table().assign(**{f"t{step}": 1.5 for step in range(20)}), "must change over time.*40 training"),
        (table()[["label", "t0"]], "A series must have at least two steps; .*`tfkit train tabular`"),
        (table().assign(**{f"t{step}": NAN for step in range(20)}), "must have values. Received: 40 series, all"),
        (table().assign(label=None), "At least one series must have a target"),
        (table().assign(label="up"), "The target must have at least two classes"),
    ],
)
def test_unusable_tables_are_refused(frame, message):
    with pytest.raises(UserError, match=message) as error:
        fit_schema(frame)
    assert "\n" not in str(error.value)


def test_unequal_lengths_are_refused_where_they_must_be_equal():
    frame = pd.DataFrame({"who": [1, 1, 2, 2, 2], "label": list("aabbb"), "x": [1.0, 2, 3, 4, 5]})
    with pytest.raises(UserError, match=r"variable_length=true to allow any length. Received: 2 to 3 steps"):
        load_series(frame, id_column="who", variable_length=False)


# model inputs


@pytest.mark.parametrize("scale", ["dataset", "instance", "none"])
def test_values_are_filled_scaled_and_padded(scale):
    frame = truncate_every_second(table())
    frame.iloc[1, 3] = NAN
    info, series = fit_schema(frame, scale=scale)
    [rows] = series_rows([series], info, prepare_series(info))
    x = rows.arrays[0]["series"]
    schema = info["series"]
    for row, padded in enumerate(frame.iloc[:, 1:].to_numpy("float32")):
        steps = np.flatnonzero(np.isfinite(padded))[-1] + 1
        values = padded[:steps].copy()
        values[np.isnan(values)] = (values[1] + values[3]) / 2
        moments = {
            "dataset": (schema["mean"], schema["spread"]),
            "instance": (values.mean(), values.std()),
            "none": (0, 1),
        }
        mean, std = moments[scale]
        np.testing.assert_allclose(x[row, :steps, 0], (values - mean) / std, atol=2e-5)
        assert (x[row, steps:] == np.float32(PADDING)).all()


def test_padding_has_no_effect_and_longer_series_are_truncated():
    info, series = fit_schema(truncate_every_second(table()))
    info = fit_minirocket(series, info, features=200, seed=0)
    prepare = prepare_series(info)
    raw = np.stack(series.each())
    padded = np.pad(raw, [(0, 0), (0, 7), (0, 0)], constant_values=NAN)
    long = np.concatenate([raw, np.ones((40, 7, 1), "float32")], axis=1)
    features, of_padded, of_short = (
        predict(prepare, {"series": values})["features"] for values in (raw, padded, raw[:, :5])
    )
    np.testing.assert_allclose(features, of_padded, atol=1e-4)
    is_full = np.isfinite(raw[:, -1, 0])
    np.testing.assert_allclose(predict(prepare, {"series": long})["features"][is_full], features[is_full], atol=1e-4)
    assert np.isfinite(of_short).all()


def test_a_constant_series_becomes_zeros_with_scale_each():
    frame = table()
    frame.iloc[1, 1:] = 5.1
    info, series = fit_schema(frame, scale="instance")
    [rows] = series_rows([series], info, prepare_series(info))
    np.testing.assert_allclose(rows.arrays[0]["series"][1], 0, atol=1e-5)


def test_features_are_standardized():
    info, series = fit_schema(table())
    info = fit_minirocket(series, info, features=200, seed=0)
    [rows] = series_rows([series], info, prepare_series(info))
    features = rows.arrays[0]["features"]
    assert features.shape == (40, 168)
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-4)
    deviations = features.std(axis=0)
    assert ((np.abs(deviations - 1) < 1e-3) | (deviations == 0)).all()


# reading new data


def test_the_training_file_is_read_unchanged(tmp_path):
    frame = table()
    info, series = fit_schema(frame)
    frame.to_csv(tmp_path / "series.csv", index=False)
    raw, y_true, columns = read_series(tmp_path / "series.csv", info, target=True, own=True)
    np.testing.assert_array_equal(raw["series"], np.stack(series.each()))
    assert np.array(info["target"]["classes"])[y_true].tolist() == frame["label"].tolist()
    assert list(columns) == list(frame)
    raw = read_series(frame.drop(columns="label"), info)
    np.testing.assert_array_equal(raw["series"], np.stack(series.each()))


def test_series_without_a_target_are_not_scored(caplog):
    info, _ = fit_schema(table())
    frame = table(seed=2)
    frame.loc[:4, "label"] = None
    raw, y_true = read_series(frame, info, target=True)
    assert len(raw["series"]) == len(y_true) == 35
    assert "5 of 40 series left out: no label" in caplog.text


def test_empty_and_long_series_are_logged(caplog):
    info, _ = fit_schema(truncate_every_second(table()))
    long = table(steps=25)
    long.iloc[0, 1:] = NAN
    assert read_series(long, info)["series"].shape == (40, 25, 1)
    assert "1 of 40 series have no value" in caplog.text
    assert "39 of 40 series are longer than any in training; they are truncated to 20 steps" in caplog.text


@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        (np.zeros((2, 19)), {}, "must have 20 steps, as all had in training; .* Received: 19 steps in series 1"),
        (np.zeros((2, 20, 3)), {}, "must have the same number of channels as in training, 1. Received: 3"),
        (table().drop(columns="label"), {"target": True}, "must have the column 'label'"),
        (table().assign(label=None), {"target": True}, "There must be series with a target to score"),
        (table().assign(label="left"), {"target": True}, "must be one of the training classes, 'down', 'up'"),
        (table().assign(t3="much"), {}, "Received: 'much' in 't3', row 1"),
    ],
)
def test_series_that_do_not_fit_are_refused(source, settings, message):
    info, _ = fit_schema(table())
    with pytest.raises(UserError, match=message) as error:
        read_series(source, info, **settings)
    assert "\n" not in str(error.value)


def test_a_missing_step_column_is_named():
    info, _ = fit_schema(table())
    with pytest.raises(UserError, match=r"must have all step columns .* Received: 19 of 20 columns, without 't7'"):
        read_series(table().drop(columns="t7"), info)


def test_step_columns_are_selected_by_name_and_unknown_columns_ignored(tmp_path):
    info, series = fit_schema(table())
    frame = table()[["label", *reversed([f"t{step}" for step in range(20)])]].assign(note="words")
    np.testing.assert_array_equal(read_series(frame, info)["series"], np.stack(series.each()))
