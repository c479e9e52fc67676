"""Series learnt from, prepared and read again."""

import json

import numpy as np
import pandas as pd
import pytest

from tfkit.data.series import load_series, read_series, split_series
from tfkit.data.series_learning import PADDING, learn_series, prepare_series, series_rows, with_kernels
from tfkit.data.targets import learn_target
from tfkit.errors import UserError
from tfkit.loop import predict

RANDOM = np.random.default_rng(0)
NAN = np.nan


def table(rows=40, steps=20, seed=0):
    """Series that go up or down."""
    random = np.random.default_rng(seed)
    up = random.random(rows) < 0.5
    values = np.where(up, 1, -1)[:, None] * np.arange(steps) + random.normal(size=(rows, steps))
    frame = pd.DataFrame(values, columns=[f"t{step}" for step in range(steps)])
    frame.insert(0, "label", np.where(up, "up", "down"))
    return frame


def learnt(frame, **settings):
    """What is learnt of a whole frame, and its series."""
    found, _, said = load_series(frame, lengths=settings.get("lengths", "auto"))
    target = learn_target(found.frame["label"])
    reading = {
        "id_column": None,
        "time_column": None,
        "value_columns": [],
        "leave_out": [],
        "delimiter": None,
        "encoding": None,
        "missing": None,
    }
    return learn_series(found, target, said=said, reading=reading, **settings), found


def unequal(frame):
    """The same with ends cut off, 1 to 8 steps of every other."""
    frame = frame.copy()
    for row in range(0, len(frame), 2):
        frame.iloc[row, -(row % 8 + 1) :] = None
    return frame


# loading and splitting


def test_what_cannot_be_learnt_from_is_left_out_and_said():
    frame = table()
    frame.loc[3, "label"] = None
    frame.iloc[5, 1:] = NAN
    found, test, said = load_series(frame)
    assert test is None
    assert len(found) == 38
    assert said == ["1 of 40 series left out: no label", "1 of 40 series left out: no value"]


def test_series_of_the_test_table_are_not_learnt_from():
    some, more = table(), table(seed=1)
    found, test, said = load_series(some, test_table=pd.concat([more, some.head(2)]))
    assert (len(found), len(test)) == (38, 42)
    assert said == ["2 of 40 series left out: they stand in the test table too"]
    with pytest.raises(UserError, match=r"must have series that are not in the test table. Received: 40, all in both"):
        load_series(some, test_table=some)


def test_equal_series_stay_in_one_split():
    frame = pd.concat([table(30)] * 3)
    found, _, _ = load_series(frame)
    parts = split_series(found, learn_target(found.frame["label"]), val_fraction=0.2, test_fraction=0.2, seed=0)
    seen = [{one.tobytes() for one in part.each()} for part in parts]
    assert sum(map(len, seen)) == 30
    assert sum(map(len, parts)) == 90


def test_test_series_keep_their_own_values():
    """Their rows are numbered as those of the table are, and must not be taken for them."""
    some, more = table(), table(seed=1)
    found, test, _ = load_series(some, test_table=more)
    target = learn_target(found.frame["label"])
    parts = split_series(found, target, test=test, val_fraction=0.2, test_fraction=0, seed=0)
    np.testing.assert_allclose(np.stack(parts[2].each())[..., 0], more.iloc[:, 1:], rtol=1e-6)
    assert len(parts[0]) + len(parts[1]) == 40


# what is learnt


def test_all_that_is_learnt_is_json_and_of_the_training_series():
    info, found = learnt(table())
    info = with_kernels(found, info, features=200, seed=0)
    assert json.loads(json.dumps(info, allow_nan=False)) == info
    values = np.stack(found.each())
    assert info["series"]["mean"] == pytest.approx([values.mean()], abs=1e-5)
    assert info["series"]["spread"] == pytest.approx([values.std()], rel=1e-5)
    assert info["series"]["lengths"] == "equal"
    assert info["inputs"] == {"series": {"dtype": "float32", "shape": [20, 1]}}
    assert info["target"]["counts"] == found.frame["label"].value_counts().to_dict()


def test_lengths_are_those_up_to_the_last_known_value():
    info, _ = learnt(unequal(table()))
    assert info["series"]["lengths"] == "pad"
    assert info["series"]["length"] == 20
    assert info["inputs"]["series"]["shape"] == [None, 1]
    assert "training series have 13 to 20 steps" in info["cleaning"][0]
    info, _ = learnt(unequal(table()), lengths="equal")  # in a table, missing values at the end
    assert info["series"]["lengths"] == "equal"
    assert "training values are missing" in info["cleaning"][0]


def test_one_series_of_another_length_is_enough_wherever_it_is():
    frame = table()
    frame.iloc[39, -1] = NAN
    found, _, _ = load_series(frame)
    target = learn_target(found.frame["label"])
    train, val = found.having(found.frame[:30]), found.having(found.frame[30:])
    assert learn_series(train, target)["series"]["lengths"] == "equal"
    assert learn_series(train, target, others=[val])["series"]["lengths"] == "pad"


def test_missing_and_constant_series_are_counted():
    frame = table()
    frame.iloc[0, 3:6] = NAN
    frame.iloc[1, 1:] = 5.0
    said = learnt(frame)[0]["cleaning"]
    assert said == [
        "3 of 800 training values are missing; they are filled along a straight line between their neighbours",
        "1 of 40 training series are constant",
    ]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (table().assign(**{f"t{step}": 1.5 for step in range(20)}), "must change in the course of time.*40 training"),
        (table()[["label", "t0"]], "A series must have two steps or more; .*`tfkit train tabular`"),
        (table().assign(**{f"t{step}": NAN for step in range(20)}), "must have values. Received: 40 series, all"),
        (table().assign(label=None), "The target must be there in some series at least"),
        (table().assign(label="up"), "The target must have at least two classes"),
    ],
)
def test_series_that_say_nothing_are_refused(frame, message):
    with pytest.raises(UserError, match=message) as caught:
        learnt(frame)
    assert "\n" not in str(caught.value)


def test_unequal_lengths_are_refused_where_they_must_be_equal():
    some = pd.DataFrame({"who": [1, 1, 2, 2, 2], "label": list("aabbb"), "x": [1.0, 2, 3, 4, 5]})
    with pytest.raises(UserError, match=r"lengths=pad takes any. Received: 2 to 3 steps"):
        load_series(some, id_column="who", lengths="equal")


# what the model takes


@pytest.mark.parametrize("scale", ["train", "each", "none"])
def test_values_are_filled_scaled_and_padded(scale):
    frame = unequal(table())
    frame.iloc[1, 3] = NAN
    info, found = learnt(frame, scale=scale)
    [rows] = series_rows([found], info, prepare_series(info))
    x = rows.arrays[0]["series"]
    told = info["series"]
    for row, one in enumerate(frame.iloc[:, 1:].to_numpy("float32")):
        steps = np.flatnonzero(np.isfinite(one))[-1] + 1
        one = one[:steps].copy()
        one[np.isnan(one)] = (one[1] + one[3]) / 2
        mean, spread = {"train": (told["mean"], told["spread"]), "each": (one.mean(), one.std()), "none": (0, 1)}[scale]
        np.testing.assert_allclose(x[row, :steps, 0], (one - mean) / spread, atol=2e-5)
        assert (x[row, steps:] == np.float32(PADDING)).all()


def test_more_padding_changes_nothing_and_longer_series_are_cut():
    info, found = learnt(unequal(table()))
    info = with_kernels(found, info, features=200, seed=0)
    prepare = prepare_series(info)
    raw = np.stack(found.each())
    wide = np.pad(raw, [(0, 0), (0, 7), (0, 0)], constant_values=NAN)
    long = np.concatenate([raw, np.ones((40, 7, 1), "float32")], axis=1)
    one, two, short = (predict(prepare, {"series": part})["features"] for part in (raw, wide, raw[:, :5]))
    np.testing.assert_allclose(one, two, atol=1e-4)
    full = np.isfinite(raw[:, -1, 0])
    np.testing.assert_allclose(predict(prepare, {"series": long})["features"][full], one[full], atol=1e-4)
    assert np.isfinite(short).all()


def test_a_constant_series_is_zeros_where_each_is_scaled_by_itself():
    frame = table()
    frame.iloc[1, 1:] = 5.1
    info, found = learnt(frame, scale="each")
    [rows] = series_rows([found], info, prepare_series(info))
    np.testing.assert_allclose(rows.arrays[0]["series"][1], 0, atol=1e-5)


def test_features_stand_on_one_scale():
    info, found = learnt(table())
    info = with_kernels(found, info, features=200, seed=0)
    [rows] = series_rows([found], info, prepare_series(info))
    features = rows.arrays[0]["features"]
    assert features.shape == (40, 168)
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-4)
    deviations = features.std(axis=0)
    assert ((np.abs(deviations - 1) < 1e-3) | (deviations == 0)).all()


# reading again


def test_what_is_read_is_what_was_learnt_from(tmp_path):
    frame = table()
    info, found = learnt(frame)
    frame.to_csv(tmp_path / "some.csv", index=False)
    raw, truth, own = read_series(tmp_path / "some.csv", info, target=True, own=True)
    np.testing.assert_array_equal(raw["series"], np.stack(found.each()))
    assert np.array(info["target"]["classes"])[truth].tolist() == frame["label"].tolist()
    assert list(own) == list(frame)
    raw = read_series(frame.drop(columns="label"), info)
    np.testing.assert_array_equal(raw["series"], np.stack(found.each()))


def test_series_without_a_target_are_not_scored(caplog):
    info, _ = learnt(table())
    frame = table(seed=2)
    frame.loc[:4, "label"] = None
    raw, truth = read_series(frame, info, target=True)
    assert len(raw["series"]) == len(truth) == 35
    assert "5 of 40 series left out: no label" in caplog.text


def test_what_training_did_not_have_is_said(caplog):
    info, _ = learnt(unequal(table()))
    long = table(steps=25)
    long.iloc[0, 1:] = NAN
    assert read_series(long, info)["series"].shape == (40, 25, 1)
    assert "1 of 40 series have no value" in caplog.text
    assert "39 of 40 series are longer than any in training; they are cut to 20 steps" in caplog.text


@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        (np.zeros((2, 19)), {}, "must have 20 steps, as all had in training; .* Received: 19 steps in series 1"),
        (np.zeros((2, 20, 3)), {}, "must have the channels that they had in training, 1. Received: 3"),
        (table().drop(columns="label"), {"target": True}, "must have the column 'label'"),
        (table().assign(label=None), {"target": True}, "There must be series with a target to score"),
        (table().assign(label="left"), {"target": True}, "must be one of the training classes, 'down', 'up'"),
        (table().assign(t3="much"), {}, "Received: 'much' in 't3', row 1"),
    ],
)
def test_series_that_do_not_fit_are_refused(source, settings, message):
    info, _ = learnt(table())
    with pytest.raises(UserError, match=message) as caught:
        read_series(source, info, **settings)
    assert "\n" not in str(caught.value)


def test_a_column_that_is_missing_is_named():
    info, _ = learnt(table())
    with pytest.raises(UserError, match=r"must have all steps .* Received: 19 of 20 columns, without 't7'"):
        read_series(table().drop(columns="t7"), info)


def test_columns_are_found_by_their_names_and_others_are_left(tmp_path):
    info, found = learnt(table())
    frame = table()[["label", *reversed([f"t{step}" for step in range(20)])]].assign(note="words")
    np.testing.assert_array_equal(read_series(frame, info)["series"], np.stack(found.each()))
