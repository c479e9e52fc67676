"""The tabular recipe from end to end."""

import numpy as np
import pandas as pd
import pytest

import tfkit
from tests.data.rows.test_out_of_core import in_folder
from tests.data.rows.test_out_of_core import table as table_with_all_kinds
from tfkit.data.files.formats import parquet
from tfkit.data.rows import out_of_core
from tfkit.errors import UserError

FAST = {"epochs": 4, "units": 16, "num_bins": 8, "batch_size": 32, "learning_rate": 0.01, "refit": False}


def table(rows=400, seed=0):
    """Two features that decide the class and the number, a group and a time."""
    random = np.random.default_rng(seed)
    size, color = random.normal(size=rows), random.choice(["red", "green", "blue"], rows)
    score = 2 * size + (color == "red")
    return pd.DataFrame(
        {
            "size": size.round(4),
            "color": color,
            "group": random.integers(0, 40, rows).astype(str),
            "day": pd.date_range("2024-01-01", periods=rows).strftime("%Y-%m-%d"),
            "label": np.where(score + random.normal(size=rows) / 4 > 0, "yes", "no"),
            "price": (100 + 10 * score + random.normal(size=rows)).round(3),
        }
    )


def train(frame, out, target="label", **settings):
    path = out / "table.csv"
    frame.to_csv(path, index=False)
    return tfkit.train("tabular", data=path, target=target, out=out / "runs", quiet=True, **{**FAST, **settings})


def test_classes_are_predicted_better_than_by_the_dummy_baseline(tmp_path):
    run = train(table().drop(columns="price"), tmp_path, epochs=12)
    assert run.metrics["test"]["accuracy"] > 0.8 > run.metrics["baselines"]["dummy"]["accuracy"]
    assert (run.metadata["kind"], run.metadata["target"]["classes"]) == ("tabular", ["no", "yes"])
    frame = table(20, seed=1)
    predictions = run.predict(frame)
    assert list(predictions) == ["predicted", "probability_no", "probability_yes"]
    assert (predictions["predicted"] == frame["label"]).mean() > 0.7
    saved = pd.read_csv(run.folder / "predictions.csv")
    assert (saved["actual"] == saved["predicted"]).mean() == pytest.approx(run.metrics["test"]["accuracy"])


@pytest.mark.parametrize(
    "settings",
    [
        {"embedding_dim": 0, "scaling": "quantile"},
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"architecture": "mlp"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_numbers_are_predicted_in_the_units_of_the_table(settings, tmp_path):
    run = train(table().drop(columns="label"), tmp_path, "price", **{**settings, "epochs": 8})
    test, dummy = run.metrics["test"], run.metrics["baselines"]["dummy"]
    assert test["root_mean_squared_error"] < 0.6 * dummy["root_mean_squared_error"]
    assert abs(run.predict(table(50, seed=1))["predicted"].mean() - 100) < 15


@pytest.mark.slow
def test_a_quantile_is_predicted(tmp_path):
    run = train(table().drop(columns="label"), tmp_path, "price", loss="quantile", quantile=0.9, epochs=8)
    assert run.metadata["target"]["quantile"] == 0.9
    frame = table(300, seed=1)
    assert (frame["price"] < run.predict(frame)["predicted"]).mean() > 0.7


@pytest.mark.parametrize(("settings", "kind"), [({}, "excluded"), ({"categorical_columns": ["group"]}, "category")])
def test_group_column_is_a_feature_only_if_its_kind_is_set(settings, kind, tmp_path):
    config = tfkit.load_recipe("tabular").Config.from_dict(
        {"data": table_file(tmp_path), "target": "label", "group_column": "group", **settings}
    )
    data = tfkit.load_recipe("tabular").data(config)
    assert data.metadata.columns["group"]["kind"] == kind
    groups = [set(table()["group"].iloc[dataset.row_ids - 1]) for dataset in (data.train, data.val, data.test)]
    assert not groups[0] & groups[1]
    assert not (groups[0] | groups[1]) & groups[2]


def test_the_latest_rows_are_the_test_split(tmp_path):
    config = tfkit.load_recipe("tabular").Config.from_dict(
        {"data": table_file(tmp_path), "target": "label", "time_column": "day", "exclude_columns": ["price"]}
    )
    data = tfkit.load_recipe("tabular").data(config)
    assert data.test.row_ids.min() > data.val.row_ids.min() > data.train.row_ids.max()
    assert data.metadata.columns["price"]["kind"] == "excluded"


def table_file(folder):
    table().to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"architecture": "mlp", "ensemble_size": 4}, "`ensemble_size=` needs architecture=tabm"),
        ({"quantile": 0.9}, "`quantile=` needs loss=quantile"),
        ({"loss": "quantile", "quantile": 0.0}, "`quantile` must be a number > 0 and < 1"),
        ({"time_column": "day", "group_column": "group"}, "time_column= or group_column=, not both"),
        ({"balance_classes": True, "target": "price"}, "`balance_classes` needs a target of classes"),
        ({"slice_columns": ["colour"]}, r"must have the column 'colour'\. Did you mean 'color'\?"),
    ],
)
def test_invalid_settings_are_rejected(settings, message, tmp_path):
    recipe = tfkit.load_recipe("tabular")
    with pytest.raises(UserError, match=message):
        recipe.data(recipe.Config.from_dict({"data": table_file(tmp_path), "target": "label", **settings}))


@pytest.mark.slow
def test_recipe_trains_on_a_table_larger_than_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(out_of_core, "MEMORY_FRACTION", 0)
    monkeypatch.setattr(parquet, "CHUNK_ROWS", 100)
    run = tfkit.train(
        "tabular",
        data=in_folder(tmp_path / "rows", table_with_all_kinds(1500, seed=1), ".csv"),
        target="bought",
        epochs=4,
        architecture="mlp",
        units=16,
        batch_size=32,
        learning_rate=0.01,
        refit=True,
        balance_classes=True,
        out=tmp_path,
        quiet=True,
    )
    assert run.metrics["test"]["roc_auc"] > 0.85
    assert run.metrics["baselines"]["gradient_boosting"]["roc_auc"] > 0.8
