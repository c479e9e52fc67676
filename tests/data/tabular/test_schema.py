"""Tests of the schema of a table."""

import json

import numpy as np
import pandas as pd
import pytest

from tfkit.data import load_metadata, tabular
from tfkit.data.tabular import infer_target
from tfkit.data.tabular.schema import MAX_TOTAL_BINS
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


def fit_schema(frame, target=None, **options):
    return tabular.fit_schema(frame, target or infer_target(frame["y"]), **options)


def test_schema_of_each_column():
    metadata = fit_schema(table(), messages=["1 row dropped"], read_options={"na_values": ["?"]})
    assert (metadata.kind, metadata.task) == ("tabular", "classification")
    assert {name: rule["kind"] for name, rule in metadata.columns.items()} == {
        "n": "number",
        "hole": "number",
        "money": "number",
        "c": "category",
        "flag": "yes/no",
        "d": "date",
        "id": "identifier",
        "empty": "empty",
    }
    assert metadata.columns["id"]["treatment"] == (
        "excluded: an identifier (an integer of its own in every row, without large gaps); "
        "to use it, set numeric_columns=id"
    )
    assert metadata.columns["d"]["treatment"] == "parsed as %d/%m/%Y, month, day, weekday, days", "the year is constant"
    assert list(metadata.inputs) == ["n", "hole", "money", "c", "flag", "d_month", "d_day", "d_weekday", "d_days"]
    assert [
        name for index, name in enumerate(n for n in metadata.inputs if n not in "c flag") if index in metadata.missing
    ] == ["hole"]
    assert metadata.sizes == [5, 4]
    assert len(metadata.edges) == 7
    assert metadata.read_options == {"na_values": ["?"]}
    assert metadata.notes == ["1 row dropped", "columns that are not used: id (identifier), empty (empty)"]


@pytest.mark.parametrize("scaling", ["robust", "quantile"])
def test_schema_is_plain_json(scaling):
    metadata = fit_schema(table(), scaling=scaling)
    content = json.loads(json.dumps(metadata.to_dict(), allow_nan=False))
    assert content == metadata.to_dict()
    assert load_metadata(content) == metadata
    assert all(type(value) is float for edges in metadata.edges for value in edges)


@pytest.mark.parametrize("options", [{}, {"time_column": "n"}, {"group_column": "g"}])
def test_schema_depends_only_on_training_rows(options):
    frame = table().assign(g=[number % 17 for number in range(200)])
    target, fractions = (
        infer_target(frame["y"]),
        {"test_data": None, "val_fraction": 0.2, "test_fraction": 0.2, "seed": 0},
    )
    train, val, test = tabular.split(frame, target, **fractions, **options)
    changed = frame.copy()
    held_out = val.index.union(test.index)
    changed.loc[held_out, ["hole", "money", "c", "flag", "d"]] = [1e9, "$9", "new", "maybe", "unknown"]
    train_of_changed, _, _ = tabular.split(changed, target, **fractions, **options)
    assert train.equals(train_of_changed)
    assert fit_schema(changed.loc[train.index], target) == fit_schema(train, target)
    assert fit_schema(train, target) != fit_schema(frame, target), "the test can fail"


def test_target_statistics_are_those_of_the_training_rows():
    frame = table()
    target = infer_target(frame["y"])
    assert fit_schema(frame[frame["y"] == "u"], target).target.counts == {
        "u": int((frame["y"] == "u").sum()),
        "v": 0,
    }
    train = frame.assign(y=frame["n"]).head(50)
    metadata = fit_schema(train, infer_target(frame["n"].rename("y")))
    assert (metadata.target.mean, metadata.target.scale) == pytest.approx((train["y"].mean(), train["y"].std(ddof=0)))


def test_parts_of_a_date_share_one_missing_indicator():
    frame = table()
    frame.loc[:50, "d"] = None
    metadata = fit_schema(frame[["d", "y"]])
    assert metadata.missing == [0]


def test_constant_date_with_missing_cells_has_a_missing_indicator():
    metadata = fit_schema(pd.DataFrame({"d": ["2024-01-31", None] * 10, "y": ["u", "v"] * 10}))
    assert list(metadata.inputs) == ["d_days"]
    assert metadata.missing == [0]


def test_user_sets_column_kinds():
    columns = {"numeric_columns": ["flag"], "categorical_columns": ["id", "empty"], "exclude_columns": ["n"]}
    frame = table().assign(flag=[0, 1] * 100)
    metadata = fit_schema(frame, **columns)
    assert [metadata.columns[name]["kind"] for name in ("flag", "id", "empty", "n")] == [
        "number",
        "category",
        "category",
        "excluded",
    ]
    assert metadata.columns["n"]["treatment"] == "excluded by the user"
    assert metadata.columns["empty"]["treatment"] == "0 categories, 200 missing: encoded as a separate category"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"numeric_columns": ["c"]},
            "must fit the kind that is set for it. Received: numeric_columns=c, which does not contain numbers",
        ),
        (
            {"date_columns": ["c"]},
            "Received: date_columns=c, which does not contain dates in a known format; for example",
        ),
        ({"numeric_columns": ["nn"]}, r"must have the column 'nn'. Did you mean 'n'\? Received: 'n', 'hole'"),
        (
            {"categorical_columns": ["y"]},
            "The kind of the target is set with task=classification or task=regression. "
            "Received: categorical_columns=y",
        ),
        (
            {"numeric_columns": ["n"], "exclude_columns": ["n"]},
            "A column can have one kind. Received: numeric_columns=n and exclude_columns=n",
        ),
        (
            {"exclude_columns": ["n", "hole", "money", "c", "flag", "d"]},
            r"At least one feature column must remain.*Received: n \(excluded\), hole \(excluded\)",
        ),
    ],
)
def test_invalid_column_kinds_are_rejected(columns, message):
    with pytest.raises(UserError, match=message):
        fit_schema(table(), **columns)


def test_treatment_reports_unreadable_cells():
    frame = table().assign(n=[np.inf, "x", *np.arange(198) / 2])
    assert (
        fit_schema(frame)
        .columns["n"]["treatment"]
        .startswith("2 cells that are not finite numbers count as missing, such as 'inf' in row 1, 0 to 98.5")
    )


def test_number_of_bins_is_limited_over_all_columns():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 300)), columns=[f"x{number}" for number in range(300)])
    metadata = fit_schema(frame.assign(y=["u", "v"] * 150), scaling="quantile")
    assert sum(len(edges) - 1 for edges in metadata.edges) <= MAX_TOTAL_BINS
    assert sum(len(rule["quantiles"]) - 1 for rule in metadata.inputs.values()) <= MAX_TOTAL_BINS


@pytest.mark.parametrize(
    ("column_names", "inputs"),
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
def test_input_names_are_valid_in_every_export_format(column_names, inputs):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, len(column_names))), columns=column_names)
    metadata = fit_schema(frame.assign(y=["u", "v"] * 10))
    assert list(metadata.inputs) == inputs
    assert [rule["column"] for rule in metadata.inputs.values()] == column_names
