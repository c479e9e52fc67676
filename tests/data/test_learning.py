import json

import numpy as np
import pandas as pd
import pytest

from tfkit.data.learning import BINS, learn_table
from tfkit.data.splitting import split_table
from tfkit.data.targets import learn_target
from tfkit.errors import UserError


def table(rows=200, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "n": rng.normal(size=rows),
            "hole": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(size=rows)),
            "money": [f"${value:,.2f}" for value in rng.random(rows) * 1e4],
            "c": rng.choice(["x", "y", "z"], rows),
            "flag": rng.choice(["yes", "no"], rows),
            "d": pd.date_range("2024-01-01", periods=rows, freq="25h").strftime("%d/%m/%Y"),
            "id": np.arange(rows),
            "empty": None,
            "y": rng.choice(["u", "v"], rows, p=[0.7, 0.3]),
        }
    )


def learnt(frame, target=None, **options):
    return learn_table(frame, target or learn_target(frame["y"]), **{"kinds": {}} | options)


def test_what_is_learnt_of_each_column():
    info = learnt(table(), said=["done"], reading={"missing": ["?"]})
    assert info["task"] == "binary"
    assert {name: rule["kind"] for name, rule in info["columns"].items()} == {
        "n": "number",
        "hole": "number",
        "money": "number",
        "c": "category",
        "flag": "yes/no",
        "d": "date",
        "id": "identifier",
        "empty": "empty",
    }
    assert info["columns"]["id"]["treatment"] == "left out: an identifier, different in nearly every row"
    assert info["columns"]["d"]["treatment"] == "read as %d/%m/%Y, month, day, weekday, days", "the year never changes"
    assert list(info["inputs"]) == ["n", "hole", "money", "c", "flag", "d_month", "d_day", "d_weekday", "d_days"]
    assert [
        name for place, name in enumerate(n for n in info["inputs"] if n not in "c flag") if place in info["missing"]
    ] == ["hole"]
    assert info["sizes"] == [5, 4]
    assert len(info["edges"]) == 7
    assert (info["cleaning"], info["reading"]) == (["done"], {"missing": ["?"]})


@pytest.mark.parametrize("scale", ["robust", "quantile"])
def test_what_is_learnt_is_plain_json(scale):
    info = learnt(table(), scale=scale)
    assert json.loads(json.dumps(info, allow_nan=False)) == info
    assert all(type(value) is float for edges in info["edges"] for value in edges)


@pytest.mark.parametrize("options", [{}, {"time_column": "n"}, {"group_column": "g"}])
def test_all_is_learnt_from_the_training_rows(options):
    frame = table().assign(g=[number % 17 for number in range(200)])
    target, shares = learn_target(frame["y"]), {"test": None, "val_fraction": 0.2, "test_fraction": 0.2, "seed": 0}
    train, val, test = split_table(frame, target, **shares, **options)
    other = frame.copy()
    others = val.index.union(test.index)
    other.loc[others, ["hole", "money", "c", "flag", "d"]] = [1e9, "$9", "new", "maybe", "unknown"]
    again, _, _ = split_table(other, target, **shares, **options)
    assert train.equals(again)
    assert learnt(other.loc[train.index], target) == learnt(train, target)
    assert learnt(train, target) != learnt(frame, target), "the test can fail"


def test_the_targets_counts_and_scale_are_those_of_the_training_rows():
    frame = table()
    target = learn_target(frame["y"])
    assert learnt(frame[frame["y"] == "u"], target)["target"]["counts"] == {"u": int((frame["y"] == "u").sum()), "v": 0}
    train = frame.assign(y=frame["n"]).head(50)
    info = learnt(train, learn_target(frame["n"].rename("y")))
    assert (info["target"]["mean"], info["target"]["scale"]) == pytest.approx(
        (train["y"].mean(), train["y"].std(ddof=0))
    )


def test_a_date_has_one_flag_for_all_its_parts():
    frame = table()
    frame.loc[:50, "d"] = None
    info = learnt(frame[["d", "y"]])
    assert info["missing"] == [0]


def test_a_date_that_is_the_same_or_missing_keeps_its_flag():
    info = learnt(pd.DataFrame({"d": ["2024-01-31", None] * 10, "y": ["u", "v"] * 10}))
    assert list(info["inputs"]) == ["d_days"]
    assert info["missing"] == [0]


def test_the_user_sets_kinds():
    kinds = {"number": ["flag"], "category": ["id", "empty"], "leave_out": ["n"]}
    frame = table().assign(flag=[0, 1] * 100)
    info = learnt(frame, kinds=kinds)
    assert [info["columns"][name]["kind"] for name in ("flag", "id", "empty", "n")] == [
        "number",
        "category",
        "category",
        "left out",
    ]
    assert info["columns"]["n"]["treatment"] == "left out, as set"
    assert info["columns"]["empty"]["treatment"] == "0 words, 200 missing: a word of its own"


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"number": ["c"]}, "must fit the kind that is set for it. Received: number=c, which does not contain numbers"),
        ({"date": ["c"]}, "Received: date=c, which does not contain dates in a known format; for example"),
        ({"number": ["nn"]}, r"must have the column 'nn'. Did you mean 'n'\? Received: 'n', 'hole'"),
        ({"category": ["y"]}, "The target's kind is set with kind=class or kind=number. Received: category=y"),
        ({"number": ["n"], "leave_out": ["n"]}, "A column can have one kind. Received: number=n and leave_out=n"),
        (
            {"leave_out": ["n", "hole", "money", "c", "flag", "d"]},
            r"At least one column must be left to learn from.*Received: n \(left out\), hole \(left out\)",
        ),
    ],
)
def test_kinds_that_cannot_be_are_refused(kinds, message):
    with pytest.raises(UserError, match=message):
        learnt(table(), kinds=kinds)


def test_cells_that_do_not_fit_are_said():
    frame = table().assign(n=[np.inf, "x", *np.arange(198) / 2])
    assert learnt(frame)["columns"]["n"]["treatment"].startswith(
        "2 cells that are not finite numbers count as missing, 0 to 98.5"
    )


def test_very_many_columns_have_fewer_bins():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 300)), columns=[f"x{number}" for number in range(300)])
    info = learnt(frame.assign(y=["u", "v"] * 150), scale="quantile")
    assert sum(len(edges) - 1 for edges in info["edges"]) <= BINS
    assert sum(len(rule["quantiles"]) - 1 for rule in info["inputs"].values()) <= BINS


@pytest.mark.parametrize(
    ("columns", "inputs"),
    [
        (["a/b", "a b", "a_b", "a-b"], ["a_b", "a_b_2", "a_b_3", "a_b_4"]),
        (["Age", "age", "AGE"], ["Age", "age_2", "AGE_3"]),
        (["年龄", "%", " "], ["column", "column_2", "column_3"]),
        (["größe", "1st", "_x_"], ["gr_e", "column_1st", "x"]),
        (["self", "class", "None", "inputs"], ["column_self", "column_class", "column_None", "column_inputs"]),
        (
            ["prepare", "tabular", "Scale", "words_0", "concatenate_1"],
            ["column_prepare", "column_tabular", "column_Scale", "column_words_0", "column_concatenate_1"],
        ),
        (["x" * 500, "x" * 501], ["x" * 60, "x" * 60 + "_2"]),
        (["predicted", "probability_u", "Y"], ["predicted", "probability_u", "Y"]),
    ],
)
def test_inputs_have_names_that_every_export_takes(columns, inputs):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, len(columns))), columns=columns)
    info = learnt(frame.assign(y=["u", "v"] * 10))
    assert list(info["inputs"]) == inputs
    assert [rule["column"] for rule in info["inputs"].values()] == columns
