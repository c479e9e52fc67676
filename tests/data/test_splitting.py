import numpy as np
import pandas as pd
import pytest

from tfkit.data.splitting import split_rows, split_table
from tfkit.data.targets import learn_target
from tfkit.errors import UserError

SEEDS = range(5)


def parted(splits, rows):
    """The part of each row; every row is in one split and no other."""
    assert sorted(np.concatenate(splits).tolist()) == list(range(rows))
    part = np.empty(rows, int)
    for number, split in enumerate(splits):
        assert (np.diff(split) > 0).all(), "ascending"
        part[split] = number
    return part


def table(rows=200, seed=0, **columns):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"a": rng.normal(size=rows), "y": rng.choice(["u", "v", "w"], rows, p=[0.7, 0.25, 0.05]), **columns}
    )


def parts_of(frame, **options):
    shares = {"test": None, "val_fraction": 0.15, "test_fraction": 0.15, "seed": 0}
    return split_table(frame, learn_target(frame["y"]), **shares | options)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_class_is_shared_out_to_less_than_one_row(seed):
    classes = np.random.default_rng(seed).choice(50, 3000, p=np.arange(1, 51) / 1275)
    part = parted(split_rows(3000, val=0.1, test=0.25, seed=seed, classes=classes), 3000)
    for code in np.unique(classes):
        counts = np.bincount(part[classes == code], minlength=3)
        assert abs(counts[2] - 0.25 * counts.sum()) < 1, code
        assert abs(counts[1] - 0.1 * counts.sum()) < 1, code
    assert abs(np.bincount(part)[1] - 300) <= 1, "what small classes lack or have too much evens out"
    assert abs(np.bincount(part)[2] - 750) <= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_rare_classes(seed):
    classes = np.repeat([0, 1, 2, 3], [1, 2, 3, 500])
    part = parted(split_rows(506, val=0.15, test=0.15, seed=seed, classes=classes), 506)
    for code in range(4):
        assert (part[classes == code] == 0).any(), "a class that training has not cannot be predicted"
    assert set(part[classes == 1]) <= {0, 1, 2}
    many = np.repeat(np.arange(100), 3)
    counts = np.bincount(parted(split_rows(300, val=0.15, test=0.15, seed=seed, classes=many), 300))
    assert counts.tolist() == [210, 45, 45], "rare classes take turns, so that training does not starve"


def test_the_rarest_class_of_three_is_in_each_split():
    classes = np.repeat([0, 1], [3, 500])
    part = parted(split_rows(503, val=0.15, test=0.15, seed=0, classes=classes), 503)
    assert sorted(part[:3]) == [0, 1, 2]


def test_the_seed_decides_and_nothing_else():
    rows = {seed: split_rows(100, val=0.2, test=0.2, seed=seed)[2].tolist() for seed in SEEDS}
    assert len({str(found) for found in rows.values()}) == len(rows)
    assert rows[3] == split_rows(100, val=0.2, test=0.2, seed=3)[2].tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_times_are_split_in_order_and_ties_stay_together(seed):
    times = np.random.default_rng(seed).integers(0, 60, 500)
    part = parted(split_rows(500, val=0.15, test=0.15, seed=seed, times=times), 500)
    assert times[part == 0].max() < times[part == 1].min()
    assert times[part == 1].max() < times[part == 2].min()
    np.testing.assert_allclose(np.bincount(part) / 500, [0.7, 0.15, 0.15], atol=0.03)


@pytest.mark.parametrize("seed", SEEDS)
def test_groups_stay_together(seed):
    groups = np.random.default_rng(seed).integers(0, 80, 800).astype(str)
    part = parted(split_rows(800, val=0.15, test=0.15, seed=seed, groups=groups), 800)
    assert all(len(set(part[groups == group])) == 1 for group in set(groups))
    np.testing.assert_allclose(np.bincount(part) / 800, [0.7, 0.15, 0.15], atol=0.03)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_group_larger_than_a_split_trains(seed):
    groups = np.repeat(np.arange(11), [900, *[10] * 10])
    part = parted(split_rows(1000, val=0.15, test=0.15, seed=seed, groups=groups), 1000)
    assert np.bincount(part).tolist() == [900, 50, 50]


@pytest.mark.parametrize("name", ["times", "groups"])
def test_three_units_are_enough(name):
    part = parted(split_rows(30, val=0.1, test=0.1, seed=0, **{name: np.repeat([1, 2, 3], 10)}), 30)
    assert np.bincount(part).tolist() == [10, 10, 10]


@pytest.mark.parametrize(
    ("rows", "units", "received"),
    [
        (2, {}, "2 different rows, of which none is left for validation"),
        (4, {"classes": np.arange(4)}, "4 different rows, of which none is left for validation"),
        (4, {"times": np.array([1, 1, 2, 2])}, "4 different rows of 2 times, of which none is left for validation"),
        (4, {"groups": np.array(["a"] * 4)}, "4 different rows of 1 groups, of which none is left for validation"),
    ],
)
def test_an_empty_split_is_refused(rows, units, received):
    with pytest.raises(UserError, match=f"There must be rows for training, validation and test.*Received: {received}"):
        split_rows(rows, val=0.15, test=0.15, seed=0, **units)


def test_without_a_share_there_is_no_test():
    train, val, test = split_rows(10, val=0.2, test=0.0, seed=0)
    assert (len(train), len(val), len(test)) == (8, 2, 0)


def test_a_table_is_stratified_by_its_classes():
    frame = table()
    splits = parts_of(frame)
    parted([split.index.to_numpy() for split in splits], len(frame))
    for label, count in frame["y"].value_counts().items():
        assert abs((splits[2]["y"] == label).sum() - 0.15 * count) < 1


def test_the_split_is_the_same_whatever_the_dtype():
    classes = np.random.default_rng(1).choice([3, 10, 7], 200)
    rows = [
        parts_of(table(y=cells))[2].index.tolist()
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
    for words in (times.dt.strftime("%d.%m.%Y %H:%M"), times.astype("int64").astype("float64")):
        one, other = (parts_of(table(t=cells), time_column="t")[2].index.tolist() for cells in (times, words))
        assert one == other


def test_a_split_by_time_is_not_stratified():
    frame = table(100, y=["u"] * 85 + ["v"] * 15, t=range(100))
    train, val, test = parts_of(frame, time_column="t")
    assert (set(train["y"]), set(val["y"]), set(test["y"])) == ({"u"}, {"u"}, {"v"})


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("options", [{}, {"time_column": "t"}, {"group_column": "g"}])
def test_copies_of_a_row_stay_together(seed, options):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.integers(0, 500, 400), "y": rng.choice(["u", "v"], 400)})
    frame["t"], frame["g"] = frame["a"] % 20, frame["a"] % 25
    frame.loc[:20, "a"] = np.nan
    splits = parts_of(frame, seed=seed, **options)
    parted([split.index.to_numpy() for split in splits], len(frame))
    assert frame.duplicated().sum() > 20
    keys = [{repr(row) for row in split.itertuples(index=False)} for split in splits]
    assert not keys[0] & keys[1]
    assert not (keys[0] | keys[1]) & keys[2]


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_that_differ_in_their_number_alone_stay_together(seed):
    rng = np.random.default_rng(seed)
    a = np.concatenate([np.arange(300), rng.integers(0, 300, 30)])
    frame = pd.DataFrame({"id": np.arange(1, 331), "a": a / 7, "said": rng.normal(size=330)})
    frame["y"] = np.where(frame["a"] * 7 % 3 > 1, "u", "v")
    splits = parts_of(frame, seed=seed, leave_out=["said"])
    parted([split.index.to_numpy() for split in splits], len(frame))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not set(splits[one]["a"]) & set(splits[other]["a"])
    apart = parts_of(frame, seed=seed)
    assert any(set(apart[one]["a"]) & set(apart[other]["a"]) for one, other in ((0, 1), (0, 2), (1, 2)))


def test_a_test_table_is_the_test():
    frame, own = table(), table(7, seed=1)
    train, val, test = parts_of(frame, test=own)
    assert test is own
    assert (len(train), len(val)) == (170, 30)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_column": "t", "group_column": "g"}, "by time or by group, not by both"),
        ({"time_column": "tt"}, r"the column to split by. Did you mean 't'\? Received: time_column=tt; there are"),
        ({"group_column": "zzz"}, "the column to split by. Received: group_column=zzz; there are 'a', 'y', 't', 'g'"),
        ({"group_column": "y"}, "by what is to be predicted. Received: group_column=y, which is the target"),
        ({"time_column": "g"}, "`time_column` must hold dates or numbers in every row. Received: 'g', a category"),
        ({"time_column": "hole"}, "Received: 'hole', missing or something else in 1 rows"),
        ({"val_fraction": 0.0}, "must be above 0, and below 1 together.*: val_fraction=0.0, test_fraction=0.15"),
        ({"test_fraction": 0.0}, "Received: val_fraction=0.15, test_fraction=0.0"),
        ({"test_fraction": 0.85}, "Received: val_fraction=0.15, test_fraction=0.85"),
    ],
)
def test_what_cannot_be_split_by_is_refused(options, message):
    frame = table(t=np.arange(200.0), g=["a", "b"] * 100, hole=[*np.arange(199.0), None])
    with pytest.raises(UserError, match=message):
        parts_of(frame[["a", "y", "t", "g"]] if "group_column" in options else frame, **options)
