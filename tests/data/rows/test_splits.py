"""Tests of the split into training, validation and test rows."""

import numpy as np
import pandas as pd
import pytest

from tfkit.data.columns.targets import infer_target
from tfkit.data.rows.splits import split_indices, train_val_test_split
from tfkit.errors import UserError

SEEDS = range(5)


def split_codes(splits, rows):
    """Return the split of each row, 0, 1 or 2; every row is in exactly one split."""
    assert sorted(np.concatenate(splits).tolist()) == list(range(rows))
    codes = np.empty(rows, int)
    for code, indices in enumerate(splits):
        assert (np.diff(indices) > 0).all(), "ascending"
        codes[indices] = code
    return codes


def table(rows=200, seed=0, **columns):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"a": rng.normal(size=rows), "y": rng.choice(["u", "v", "w"], rows, p=[0.7, 0.25, 0.05]), **columns}
    )


def split(frame, **options):
    fractions = {"test_data": None, "val_fraction": 0.15, "test_fraction": 0.15, "seed": 0}
    return train_val_test_split(frame, infer_target(frame["y"]), **fractions | options)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_split_has_its_fraction_of_each_class_to_less_than_one_row(seed):
    classes = np.random.default_rng(seed).choice(50, 3000, p=np.arange(1, 51) / 1275)
    split_of_row = split_codes(split_indices(3000, val=0.1, test=0.25, seed=seed, classes=classes), 3000)
    for code in np.unique(classes):
        counts = np.bincount(split_of_row[classes == code], minlength=3)
        assert abs(counts[2] - 0.25 * counts.sum()) < 1, code
        assert abs(counts[1] - 0.1 * counts.sum()) < 1, code
    assert abs(np.bincount(split_of_row)[1] - 300) <= 1, "rounding errors of small classes cancel out"
    assert abs(np.bincount(split_of_row)[2] - 750) <= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_rare_classes(seed):
    classes = np.repeat([0, 1, 2, 3], [1, 2, 3, 500])
    split_of_row = split_codes(split_indices(506, val=0.15, test=0.15, seed=seed, classes=classes), 506)
    for code in range(4):
        assert (split_of_row[classes == code] == 0).any(), "a class that is not in training cannot be predicted"
    assert set(split_of_row[classes == 1]) <= {0, 1, 2}
    small_classes = np.repeat(np.arange(100), 3)
    counts = np.bincount(split_codes(split_indices(300, val=0.15, test=0.15, seed=seed, classes=small_classes), 300))
    assert counts.tolist() == [210, 45, 45], (
        "not every rare class loses rows to each split, so that training keeps its fraction"
    )


def test_rarest_class_with_three_rows_is_in_each_split():
    classes = np.repeat([0, 1], [3, 500])
    split_of_row = split_codes(split_indices(503, val=0.15, test=0.15, seed=0, classes=classes), 503)
    assert sorted(split_of_row[:3]) == [0, 1, 2]


def test_split_depends_only_on_the_seed():
    rows = {seed: split_indices(100, val=0.2, test=0.2, seed=seed)[2].tolist() for seed in SEEDS}
    assert len({str(indices) for indices in rows.values()}) == len(rows)
    assert rows[3] == split_indices(100, val=0.2, test=0.2, seed=3)[2].tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_times_are_split_in_order_and_ties_stay_together(seed):
    times = np.random.default_rng(seed).integers(0, 60, 500)
    split_of_row = split_codes(split_indices(500, val=0.15, test=0.15, seed=seed, times=times), 500)
    assert times[split_of_row == 0].max() < times[split_of_row == 1].min()
    assert times[split_of_row == 1].max() < times[split_of_row == 2].min()
    np.testing.assert_allclose(np.bincount(split_of_row) / 500, [0.7, 0.15, 0.15], atol=0.03)


@pytest.mark.parametrize("seed", SEEDS)
def test_groups_stay_together(seed):
    groups = np.random.default_rng(seed).integers(0, 80, 800).astype(str)
    split_of_row = split_codes(split_indices(800, val=0.15, test=0.15, seed=seed, groups=groups), 800)
    assert all(len(set(split_of_row[groups == group])) == 1 for group in set(groups))
    np.testing.assert_allclose(np.bincount(split_of_row) / 800, [0.7, 0.15, 0.15], atol=0.03)


@pytest.mark.parametrize("seed", SEEDS)
def test_group_larger_than_a_split_is_in_training(seed):
    groups = np.repeat(np.arange(11), [900, *[10] * 10])
    split_of_row = split_codes(split_indices(1000, val=0.15, test=0.15, seed=seed, groups=groups), 1000)
    assert np.bincount(split_of_row).tolist() == [900, 50, 50]


@pytest.mark.parametrize("name", ["times", "groups"])
def test_three_units_are_enough(name):
    split_of_row = split_codes(split_indices(30, val=0.1, test=0.1, seed=0, **{name: np.repeat([1, 2, 3], 10)}), 30)
    assert np.bincount(split_of_row).tolist() == [10, 10, 10]


@pytest.mark.parametrize(
    ("rows", "units", "received"),
    [
        (2, {}, "2 distinct rows, none of them for validation"),
        (4, {"classes": np.arange(4)}, "4 distinct rows, none of them for validation"),
        (4, {"times": np.array([1, 1, 2, 2])}, "4 distinct rows of 2 times, none of them for validation"),
        (4, {"groups": np.array(["a"] * 4)}, "4 distinct rows of 1 groups, none of them for validation"),
    ],
)
def test_empty_split_is_rejected(rows, units, received):
    with pytest.raises(
        UserError, match=f"Training, validation and test must each have at least one row.*Received: {received}"
    ):
        split_indices(rows, val=0.15, test=0.15, seed=0, **units)


def test_zero_test_fraction_gives_no_test_split():
    train, val, test = split_indices(10, val=0.2, test=0.0, seed=0)
    assert (len(train), len(val), len(test)) == (8, 2, 0)


def test_table_is_stratified_by_class():
    frame = table()
    splits = split(frame)
    split_codes([rows.index.to_numpy() for rows in splits], len(frame))
    for label, count in frame["y"].value_counts().items():
        assert abs((splits[2]["y"] == label).sum() - 0.15 * count) < 1


def test_split_does_not_depend_on_the_dtype():
    classes = np.random.default_rng(1).choice([3, 10, 7], 200)
    rows = [
        split(table(y=cells))[2].index.tolist()
        for cells in (
            classes,
            classes.astype(float),
            classes.astype(str),
            pd.Series(classes, dtype="Int64").astype("category"),
        )
    ]
    assert rows[1:] == rows[:1] * 3
    times = pd.Series(pd.date_range("2024", periods=200, freq="37min")).sample(
        frac=1, random_state=0, ignore_index=True
    )
    for cells in (times.dt.strftime("%d.%m.%Y %H:%M"), times.astype("int64").astype("float64")):
        expected, actual = (split(table(t=column), time_column="t")[2].index.tolist() for column in (times, cells))
        assert actual == expected


def test_split_by_time_is_not_stratified():
    frame = table(100, y=["u"] * 85 + ["v"] * 15, t=range(100))
    train, val, test = split(frame, time_column="t")
    assert (set(train["y"]), set(val["y"]), set(test["y"])) == ({"u"}, {"u"}, {"v"})


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("options", [{}, {"time_column": "t"}, {"group_column": "g"}])
def test_duplicated_rows_stay_together(seed, options):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.integers(0, 500, 400), "y": rng.choice(["u", "v"], 400)})
    frame["t"], frame["g"] = frame["a"] % 20, frame["a"] % 25
    frame.loc[:20, "a"] = np.nan
    splits = split(frame, seed=seed, **options)
    split_codes([rows.index.to_numpy() for rows in splits], len(frame))
    assert frame.duplicated().sum() > 20
    keys = [{repr(row) for row in rows.itertuples(index=False)} for rows in splits]
    assert not keys[0] & keys[1]
    assert not (keys[0] | keys[1]) & keys[2]


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_that_differ_only_in_an_identifier_stay_together(seed):
    rng = np.random.default_rng(seed)
    a = np.concatenate([np.arange(300), rng.integers(0, 300, 30)])
    frame = pd.DataFrame({"id": np.arange(1, 331), "a": a / 7, "note": rng.normal(size=330)})
    frame["y"] = np.where(frame["a"] * 7 % 3 > 1, "u", "v")
    splits = split(frame, seed=seed, exclude_columns=["note"])
    split_codes([rows.index.to_numpy() for rows in splits], len(frame))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert not set(splits[i]["a"]) & set(splits[j]["a"])
    splits = split(frame, seed=seed)
    assert any(set(splits[i]["a"]) & set(splits[j]["a"]) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_test_table_is_the_test_split():
    frame, test_frame = table(), table(7, seed=1)
    train, val, test = split(frame, test_data=test_frame)
    assert test is test_frame
    assert (len(train), len(val)) == (170, 30)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_column": "t", "group_column": "g"}, "by time or by group, not by both"),
        ({"time_column": "tt"}, r"the column to split by. Did you mean 't'\? Received: time_column=tt; there are"),
        ({"group_column": "zzz"}, "the column to split by. Received: group_column=zzz; there are 'a', 'y', 't', 'g'"),
        ({"group_column": "y"}, "must not be the target. Received: group_column=y, which is the target"),
        ({"time_column": "g"}, "`time_column` must contain dates or numbers in every row. Received: 'g', a category"),
        ({"time_column": "hole"}, "Received: 'hole', missing or unreadable in 1 rows"),
        ({"val_fraction": 0.0}, "must be above 0, and below 1 together.*: val_fraction=0.0, test_fraction=0.15"),
        ({"test_fraction": 0.0}, "Received: val_fraction=0.15, test_fraction=0.0"),
        ({"test_fraction": 0.85}, "Received: val_fraction=0.15, test_fraction=0.85"),
    ],
)
def test_invalid_split_columns_are_rejected(options, message):
    frame = table(t=np.arange(200.0), g=["a", "b"] * 100, hole=[*np.arange(199.0), None])
    with pytest.raises(UserError, match=message):
        split(frame[["a", "y", "t", "g"]] if "group_column" in options else frame, **options)
