"""Tests of loading, splitting, fitting, preparing and reading series."""

import json

import numpy as np
import pandas as pd
import pytest

from tfkit.data import load_metadata, series
from tfkit.data.series.dataset import pad_series
from tfkit.data.series.files import SeriesCollection
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
    collection, _, messages = series.load(frame, variable_length=settings.get("variable_length", "auto"))
    read_options = dict.fromkeys(series.READ_OPTIONS) | {"value_columns": [], "exclude_columns": []}
    target = series.infer_target(collection)
    return series.fit_schema(collection, target, messages=messages, read_options=read_options, **settings), collection


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
    collection, test, messages = series.load(frame)
    assert test is None
    assert len(collection) == 38
    assert messages == ["1 of 40 series left out: no label", "1 of 40 series left out: no value"]


def test_series_of_the_test_table_are_dropped_from_training():
    frame, test_frame = table(), table(seed=1)
    collection, test, messages = series.load(frame, test_data=pd.concat([test_frame, frame.head(2)]))
    assert (len(collection), len(test)) == (38, 42)
    assert messages == ["2 of 40 series left out: they are in the test table too"]
    with pytest.raises(UserError, match=r"must have series that are not in the test table. Received: 40, all in both"):
        series.load(frame, test_data=frame)


def test_duplicate_series_stay_in_one_split():
    frame = pd.concat([table(30)] * 3)
    collection, _, _ = series.load(frame)
    splits = series.split(collection, series.infer_target(collection), val_fraction=0.2, test_fraction=0.2, seed=0)
    distinct = [{values.tobytes() for values in split.arrays()} for split in splits]
    assert sum(map(len, distinct)) == 30
    assert sum(map(len, splits)) == 90


def test_test_series_have_the_values_of_the_test_table():
    """Both tables have the same row index, and must not be confused."""
    frame, test_frame = table(), table(seed=1)
    collection, test, _ = series.load(frame, test_data=test_frame)
    target = series.infer_target(collection)
    splits = series.split(collection, target, test_data=test, val_fraction=0.2, test_fraction=0, seed=0)
    np.testing.assert_allclose(np.stack(splits[2].arrays())[..., 0], test_frame.iloc[:, 1:], rtol=1e-6)
    assert len(splits[0]) + len(splits[1]) == 40


# the schema


def test_schema_is_json_and_fitted_to_the_training_series():
    metadata, collection = fit_schema(table())
    metadata = series.fit_minirocket(collection, metadata, num_features=200, seed=0)
    assert load_metadata(json.loads(json.dumps(metadata.to_dict(), allow_nan=False))) == metadata
    assert metadata.task == "classification"
    values = np.stack(collection.arrays())
    assert metadata.series.mean == pytest.approx([values.mean()], abs=1e-5)
    assert metadata.series.std == pytest.approx([values.std()], rel=1e-5)
    assert not metadata.series.variable_length
    assert metadata.inputs == {"series": {"dtype": "float32", "shape": [20, 1]}}
    assert metadata.target.counts == collection.frame["label"].value_counts().to_dict()


def test_lengths_end_at_the_last_finite_value():
    metadata, _ = fit_schema(truncate_every_second(table()))
    assert metadata.series.variable_length
    assert metadata.series.length == 20
    assert metadata.inputs["series"]["shape"] == [None, 1]
    assert "training series have 13 to 20 steps" in metadata.notes[0]
    metadata, _ = fit_schema(truncate_every_second(table()), variable_length=False)  # ends count as missing values
    assert not metadata.series.variable_length
    assert "training values are missing" in metadata.notes[0]


def test_one_series_of_different_length_in_any_split_requires_padding():
    frame = table()
    frame.iloc[39, -1] = NAN
    collection, _, _ = series.load(frame)
    target = series.infer_target(collection)
    train, val = collection.with_frame(collection.frame[:30]), collection.with_frame(collection.frame[30:])
    assert not series.fit_schema(train, target).series.variable_length
    assert series.fit_schema(train, target, other_splits=[val]).series.variable_length


def test_missing_and_constant_series_are_counted():
    frame = table()
    frame.iloc[0, 3:6] = NAN
    frame.iloc[1, 1:] = 5.0
    messages = fit_schema(frame)[0].notes
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
        series.load(frame, series_id_column="who", variable_length=False)


# model inputs


@pytest.mark.parametrize("normalization", ["dataset", "instance", "none"])
def test_values_are_filled_scaled_and_padded(normalization):
    frame = truncate_every_second(table())
    frame.iloc[1, 3] = NAN
    metadata, collection = fit_schema(frame, normalization=normalization)
    [rows] = series.make_dataset([collection], metadata, series.make_preprocessor(metadata))
    x = rows.arrays[0]["series"]
    schema = metadata.series
    for row, padded in enumerate(frame.iloc[:, 1:].to_numpy("float32")):
        steps = np.flatnonzero(np.isfinite(padded))[-1] + 1
        values = padded[:steps].copy()
        values[np.isnan(values)] = (values[1] + values[3]) / 2
        moments = {
            "dataset": (schema.mean, schema.std),
            "instance": (values.mean(), values.std()),
            "none": (0, 1),
        }
        mean, std = moments[normalization]
        np.testing.assert_allclose(x[row, :steps, 0], (values - mean) / std, atol=2e-5)
        assert (x[row, steps:] == np.float32(series.PADDING_VALUE)).all()


def test_padding_has_no_effect_and_longer_series_are_truncated():
    metadata, collection = fit_schema(truncate_every_second(table()))
    metadata = series.fit_minirocket(collection, metadata, num_features=200, seed=0)
    preprocessor = series.make_preprocessor(metadata)
    raw = np.stack(collection.arrays())
    padded = np.pad(raw, [(0, 0), (0, 7), (0, 0)], constant_values=NAN)
    long = np.concatenate([raw, np.ones((40, 7, 1), "float32")], axis=1)
    features, of_padded, of_short = (
        predict(preprocessor, {"series": values})["features"] for values in (raw, padded, raw[:, :5])
    )
    np.testing.assert_allclose(features, of_padded, atol=1e-4)
    is_full = np.isfinite(raw[:, -1, 0])
    np.testing.assert_allclose(
        predict(preprocessor, {"series": long})["features"][is_full], features[is_full], atol=1e-4
    )
    assert np.isfinite(of_short).all()


def test_a_constant_series_becomes_zeros_with_instance_normalization():
    frame = table()
    frame.iloc[1, 1:] = 5.1
    metadata, collection = fit_schema(frame, normalization="instance")
    [rows] = series.make_dataset([collection], metadata, series.make_preprocessor(metadata))
    np.testing.assert_allclose(rows.arrays[0]["series"][1], 0, atol=1e-5)


def test_features_are_standardized():
    metadata, collection = fit_schema(table())
    metadata = series.fit_minirocket(collection, metadata, num_features=200, seed=0)
    [rows] = series.make_dataset([collection], metadata, series.make_preprocessor(metadata))
    features = rows.arrays[0]["features"]
    assert features.shape == (40, 168)
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-4)
    deviations = features.std(axis=0)
    assert ((np.abs(deviations - 1) < 1e-3) | (deviations == 0)).all()


LEVELS = {
    "joule": 3.6e9,
    "unix seconds": 1.7e9,
    "nanoseconds": 1.7e18,
    "below sea level": -5e8,
    "one large": [2e9, 0.0],
}


@pytest.mark.parametrize("normalization", ["dataset", "instance"])
@pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS)
@pytest.mark.parametrize("lengths", [(20, 20), (12, 20)], ids=["equal", "unequal"])
@pytest.mark.reading("Precision", "read")
def test_steps_of_a_large_level_stay_distinct(level, normalization, lengths):
    random, size = np.random.default_rng(0), 2**20 if np.max(level) > 1e15 else 1
    small = [size * random.integers(-50, 50, (length, 2)).astype("float64") for length in lengths * 20]
    features = []
    for values in (small, [array + np.asarray(level) for array in small]):
        frame = pd.DataFrame({"label": ["u", "v"] * 20})
        collection = SeriesCollection(frame, values, "label", ["x", "y"])
        metadata = series.fit_schema(collection, series.infer_target(collection), normalization=normalization)
        [dataset] = series.make_dataset([collection], metadata, series.make_preprocessor(metadata))
        features.append(dataset.arrays[0]["series"])
        raw = pad_series(values, metadata)
        np.testing.assert_array_equal(raw[0, : lengths[0]], values[0], "raw rows have all digits")
    assert metadata.inputs["series"]["dtype"] == "float64"
    assert "read as float64 and centered: float32 would round the steps" in metadata.notes
    np.testing.assert_allclose(*features, rtol=1e-4, atol=1e-5)


@pytest.mark.reading("Precision", "stated")
def test_rounded_steps_are_reported_without_normalization():
    frame = table()
    columns = frame.columns[1:]
    frame[columns] = frame[columns] + 2e9
    metadata, _ = fit_schema(frame, normalization="none")
    assert metadata.inputs["series"]["dtype"] == "float32"
    assert any("normalization=dataset keeps them" in note for note in metadata.notes)


# reading new data


def test_the_training_file_is_read_unchanged(tmp_path):
    frame = table()
    metadata, collection = fit_schema(frame)
    frame.to_csv(tmp_path / "series.csv", index=False)
    raw, y_true, columns = series.read(tmp_path / "series.csv", metadata, with_targets=True, with_columns=True)
    np.testing.assert_array_equal(raw["series"], np.stack(collection.arrays()).astype("float32"))
    assert np.array(metadata.target.classes)[y_true].tolist() == frame["label"].tolist()
    assert list(columns) == list(frame)
    raw = series.read(frame.drop(columns="label"), metadata)
    np.testing.assert_array_equal(raw["series"], np.stack(collection.arrays()).astype("float32"))


def test_series_without_a_target_are_not_scored(caplog):
    metadata, _ = fit_schema(table())
    frame = table(seed=2)
    frame.loc[:4, "label"] = None
    raw, y_true = series.read(frame, metadata, with_targets=True)
    assert len(raw["series"]) == len(y_true) == 35
    assert "5 of 40 series left out: no label" in caplog.text


def test_empty_and_long_series_are_logged(caplog):
    metadata, _ = fit_schema(truncate_every_second(table()))
    long = table(steps=25)
    long.iloc[0, 1:] = NAN
    assert series.read(long, metadata)["series"].shape == (40, 25, 1)
    assert "1 of 40 series have no value" in caplog.text
    assert "39 of 40 series are longer than any in training; they are truncated to 20 steps" in caplog.text


@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        (np.zeros((2, 19)), {}, "must have 20 steps, as all had in training; .* Received: 19 steps in series 1"),
        (np.zeros((2, 20, 3)), {}, "must have the same number of channels as in training, 1. Received: 3"),
        (table().drop(columns="label"), {"with_targets": True}, "must have the column 'label'"),
        (table().assign(label=None), {"with_targets": True}, "There must be series with a target to score"),
        (table().assign(label="left"), {"with_targets": True}, "must be one of the training classes, 'down', 'up'"),
        (table().assign(t3="much"), {}, "Received: 'much' in 't3', row 1"),
    ],
)
def test_series_that_do_not_fit_are_refused(source, settings, message):
    metadata, _ = fit_schema(table())
    with pytest.raises(UserError, match=message) as error:
        series.read(source, metadata, **settings)
    assert "\n" not in str(error.value)


def test_a_missing_step_column_is_named():
    metadata, _ = fit_schema(table())
    with pytest.raises(UserError, match=r"must have all step columns .* Received: 19 of 20 columns, without 't7'"):
        series.read(table().drop(columns="t7"), metadata)


def test_step_columns_are_selected_by_name_and_unknown_columns_ignored(tmp_path):
    metadata, collection = fit_schema(table())
    frame = table()[["label", *reversed([f"t{step}" for step in range(20)])]].assign(note="words")
    np.testing.assert_array_equal(
        series.read(frame, metadata)["series"], np.stack(collection.arrays()).astype("float32")
    )
