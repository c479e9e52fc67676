"""End-to-end tests of the forecast recipe: Python API and command line."""

import json

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.cli.main import main
from tfkit.errors import UserError
from tfkit.evaluation.scoring import compute_metrics
from tfkit.tasks import get_task

FAST = {
    "epochs": 2,
    "calendar_features": ["weekday"],
    "units": 8,
    "patch_length": 7,
    "batch_size": 64,
    "learning_rate": 0.01,
    "refit": False,
}
DAYS = 300


def sales(days=DAYS, seed=0, size=100.0):
    """Daily sales: weekly seasonality, a slow trend, and noise."""
    random = np.random.default_rng(seed)
    week = np.array([0, 1, 2, 4, 8, 10, 3]) * size / 20
    values = size + week[np.arange(days) % 7] + np.arange(days) * size / 1000 + random.normal(0, size / 100, days)
    day = pd.date_range("2024-01-01", periods=days).strftime("%Y-%m-%d")
    return pd.DataFrame({"day": day, "sales": values.round(6)})


def write_csv(frame, path):
    frame.to_csv(path, index=False)
    return path


def train_forecast(table, out, **settings):
    return tfkit.train("forecast", data=table, out=out, quiet=True, **{**FAST, **settings})


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A wide table of two shops of different size."""
    frame = sales().rename(columns={"sales": "small"}).assign(large=sales(seed=1, size=5000.0)["sales"])
    return write_csv(frame, tmp_path_factory.mktemp("table") / "sales.csv")


LONGER = {"epochs": 8, "val_fraction": 0.25}


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    return train_forecast(table, tmp_path_factory.mktemp("runs"), **LONGER)


@pytest.mark.slow
def test_the_recipe_meets_the_contract(table):
    tfkit.testing.check_recipe("forecast", {**FAST, **LONGER, "data": table}, source=table)


def test_a_run_beats_the_baselines_and_is_saved(run):
    metrics = run.metrics
    assert metrics["task"] == "forecasting"
    assert set(metrics["baselines"]) == {"naive", "seasonal_naive"}
    assert metrics["test"]["mase"] < 0.9 * metrics["baselines"]["seasonal_naive"]["mase"]
    assert metrics["baselines"]["seasonal_naive"]["mase"] < metrics["baselines"]["naive"]["mase"]
    low, high = metrics["intervals"]["mase"]
    assert low < metrics["test"]["mase"] < high
    assert (run.config["horizon"], run.config["context_length"], run.config["season_length"]) == (7, 21, 7)
    assert run.predictor.metadata.columns["day"]["treatment"] == "steps of 1 day; weekday"


@pytest.mark.slow
@pytest.mark.reading("Precision", "read")
def test_a_large_level_changes_no_forecast(tmp_path):
    frame = sales().assign(sales=lambda frame: frame["sales"].round(3) - 100)
    scores, predictions = [], []
    for level in (0, 2**31):
        path = write_csv(frame.assign(sales=(frame["sales"] + level).round(3)), tmp_path / f"{level}.csv")
        run = train_forecast(path, tmp_path / f"runs_{level}", horizon=7, context_length=28, **LONGER)
        rows = pd.read_csv(run.folder / "predictions.csv")
        predictions.append(rows[["actual", "predicted"]] - level)
        scores.append(run.metrics["test"]["mase"])
        next_rows = run.predict(path)
        predictions.append(next_rows[["predicted"]] - level)
    for small, large in zip(predictions[:2], predictions[2:], strict=True):
        np.testing.assert_allclose(large, small, rtol=0, atol=0.02)
    np.testing.assert_allclose(predictions[2]["actual"], predictions[0]["actual"], rtol=0, atol=1e-6)
    assert scores[1] == pytest.approx(scores[0], rel=1e-3)
    for format in ("keras", "savedmodel", "onnx"):
        run.export(format)  # which compares predictions in a new process
    with pytest.raises(UserError, match="float64"):
        run.export("litert")


def test_prediction_intervals_have_about_nominal_coverage(run):
    assert 0.6 < run.metrics["test"]["coverage_80"] < 0.95
    assert 0.85 < run.metrics["test"]["coverage_95"] <= 1
    predictions = pd.read_csv(run.folder / "predictions.csv")
    quantiles = predictions[["low_95", "low_80", "predicted", "high_80", "high_95"]].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    margins = run.model.get_layer("restore").get_layer("bands").margins
    assert 0.0 not in margins  # calibrated, so that coverage on validation is nominal
    independent = int(10 * 2**0.5)  # validation contains ten horizons of two series
    assert run.metrics["val"]["coverage_80"] == pytest.approx(0.8 * (1 + 1 / independent), abs=0.01)
    assert run.metrics["val"]["coverage_95"] == pytest.approx(0.975, abs=0.01)


def test_saved_predictions_have_every_test_window(run, table):
    """Every score can be computed from them again."""
    predictions, frame = pd.read_csv(run.folder / "predictions.csv"), pd.read_csv(table)
    assert list(predictions)[:5] == ["series", "forecast_origin", "day", "actual", "predicted"]
    assert not predictions.duplicated(["series", "forecast_origin", "day"]).any()
    assert (pd.to_datetime(predictions["day"]) > pd.to_datetime(predictions["forecast_origin"])).all()
    sales_by_day = frame.set_index("day")[["small", "large"]].stack()
    expected = [sales_by_day[day, name] for day, name in zip(predictions["day"], predictions["series"], strict=True)]
    np.testing.assert_allclose(predictions["actual"], expected, rtol=1e-6)
    metadata = run.predictor.metadata
    y_true, y_pred = get_task("forecasting").read_test_frame(run.folder / "predictions.csv", metadata)
    assert compute_metrics(y_true, y_pred, metadata) == pytest.approx(run.metrics["test"], rel=1e-4)


def test_the_next_steps_of_a_file_are_forecast(run, table, tmp_path, capfd):
    assert main(["predict", str(run.folder), str(table), "--out", str(tmp_path / "next.csv")]) == 0
    predictions = pd.read_csv(tmp_path / "next.csv")
    assert list(predictions) == ["series", "day", "predicted", "low_80", "high_80", "low_95", "high_95"]
    days = pd.date_range("2024-01-01", periods=DAYS + 7).strftime("%Y-%m-%d")[DAYS:]
    assert predictions["day"].tolist() == [*days, *days]
    assert predictions["series"].tolist() == ["small"] * 7 + ["large"] * 7
    for name, size in (("small", 100.0), ("large", 5000.0)):
        expected = sales(DAYS + 7, size=size)["sales"].to_numpy()[DAYS:]
        np.testing.assert_allclose(predictions["predicted"][predictions["series"] == name], expected, rtol=0.12)
    frame = run.predict(pd.read_csv(table).iloc[::-1])  # the order of the rows does not matter
    np.testing.assert_allclose(frame["predicted"], predictions["predicted"], rtol=1e-5)


def test_a_new_series_is_forecast_in_its_own_units(run, tmp_path, caplog):
    frame = sales(30, seed=2, size=1e-3).rename(columns={"sales": "small"}).assign(large=np.arange(30.0))
    predictions = run.predict(frame)
    assert predictions["predicted"][predictions["series"] == "small"].between(0.8e-3, 2e-3).all()


def test_a_file_with_targets_is_scored(run, table, capsys):
    frame = pd.read_csv(table)
    assert main(["evaluate", str(run.folder), str(table), "--json"]) == 0
    output = capsys.readouterr().out
    scores = json.loads(output[output.index("{") :])["test"]
    assert 0 < scores["mase"] < 1
    test_scores = run.evaluate(frame.iloc[-60 - 21 :])["test"]  # the test split, and the past before it
    assert test_scores == pytest.approx(run.metrics["test"], rel=1e-4)


@pytest.mark.slow
def test_the_model_accepts_raw_windows_and_exports_predict_like_it(run, table, tmp_path):
    import tensorflow as tf

    raw = run.predictor.read(table)
    assert {name: array.shape for name, array in raw.items()} == {"values": (2, 21), "calendar": (2, 28, 1)}
    y_pred = run.predict_arrays(raw)
    assert y_pred.shape == (2, 7, 5)
    model = tfkit.load_model(run.export("keras", tmp_path / "copy.keras"))
    np.testing.assert_allclose(model(raw), y_pred, rtol=1e-5)
    loaded = tf.saved_model.load(run.export("savedmodel", tmp_path / "saved"))
    tensors = {name: tf.constant(array) for name, array in raw.items()}
    np.testing.assert_allclose(loaded.serve(tensors), y_pred, rtol=1e-4)


@pytest.mark.slow
def test_a_long_table_with_known_covariates(tmp_path):
    """Holidays raise sales, and can be forecast only as a known covariate."""
    frames = []
    for seed, shop in enumerate(["a", "b", "c"]):
        frame = sales(240 + 20 * seed, seed=seed)
        frame["holiday"] = np.where(np.random.default_rng(seed).random(len(frame)) < 0.15, "yes", "no")
        frame["sales"] += 60 * (frame["holiday"] == "yes")
        frames.append(frame.assign(shop=shop))
    path = write_csv(pd.concat(frames).sample(frac=1, random_state=0), tmp_path / "long.csv")
    settings = {"series_id_column": "shop", "target": ["sales"], "epochs": 12, "learning_rate": 0.02}
    with_holidays = train_forecast(path, tmp_path / "runs", known_covariates=["holiday"], **settings)
    without_holidays = train_forecast(path, tmp_path / "runs", exclude_columns=["holiday"], **settings)
    assert with_holidays.metrics["test"]["mase"] < 0.8 * without_holidays.metrics["test"]["mase"]

    future = sales(248).iloc[240:].assign(sales=None, holiday=["yes", "no"] * 4, shop="a")
    predictions = with_holidays.predict(pd.concat([frames[0], future]))
    assert predictions["shop"].tolist() == ["a"] * 7
    assert predictions["day"].tolist() == future["day"].tolist()[:7]
    base_sales = sales(248)["sales"].to_numpy()[240:247]
    effect = predictions["predicted"].to_numpy() - base_sales
    assert effect[::2].min() > effect[1::2].max() + 20
    with pytest.raises(UserError, match=r"without a value after the last value\. Received: 'holiday' for 3 of 7 steps"):
        with_holidays.predict(pd.concat([frames[0], future.iloc[:3]]))


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["lstm", "transformer"])
def test_every_architecture_learns(table, tmp_path, architecture):
    run = train_forecast(table, tmp_path, architecture=architecture, epochs=20, window_center="mean")
    assert run.metrics["test"]["mase"] < run.metrics["baselines"]["seasonal_naive"]["mase"]


def test_a_mean_forecast_has_no_prediction_intervals(table, tmp_path):
    run = train_forecast(table, tmp_path, loss="mse", target=["small"], calendar_features=[], epochs=1)
    assert list(run.predict(table)) == ["day", "predicted"]
    assert not [name for name in run.metrics["test"] if "coverage" in name]
    assert "standardised_mean_squared_error" not in run.metrics["test"]


@pytest.mark.slow
def test_a_run_with_few_windows_is_refit_on_all_steps_before_the_test(tmp_path, capfd):
    path = write_csv(sales(90), tmp_path / "table.csv")
    run = tfkit.train("forecast", data=path, out=tmp_path / "runs", **{**FAST, "refit": "auto"})
    assert run.config["refit"] is True
    assert "Refit on training and validation rows together" in capfd.readouterr().err


def test_missing_values_are_filled_and_not_used_as_targets(tmp_path):
    frame = sales()
    frame.loc[20:25, "sales"] = None
    frame = frame.drop(index=range(100, 105))
    recipe = tfkit.load_recipe("forecast")
    data = recipe.data(recipe.Config.from_dict({"data": write_csv(frame, tmp_path / "gaps.csv")}))
    assert data.metadata.notes == [
        "5 of 300 steps have no row, in 1 gap, the first at 2024-04-10",
        "11 of 300 values are missing: filled by the previous value, not used as targets",
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizon": 400}, "each have enough steps for the horizon"),
        ({"calendar_features": ["hours"]}, "must name some of hour, weekday, yearday, or be auto. Received: 'hours'"),
        ({"context_length": 250}, "must contain at least one window of past and horizon"),
        ({"quantiles": [0.1, 0.9]}, "with the median, 0.5, in the middle"),
        ({"quantiles": [0.1, 0.5, 0.8]}, "pairs around it, such as 0.1,0.5,0.9"),
        ({"quantiles": [0.0, 0.5, 1.0]}, "must lie between 0 and 1"),
        ({"known_covariates": ["holiday"]}, "The table must have the column 'holiday'"),
        ({"known_covariates": ["small"], "target": ["small"]}, "A column must have one role"),
        ({"time_column": "small"}, "Received: 'day', which contains '2024-01-01'"),
        ({"refit": True, "learning_rate_schedule": "plateau"}, "refit=true leaves none"),
        ({"train_steps": 200, "test_steps": 200}, "each have enough steps for the horizon"),
    ],
)
def test_invalid_settings_are_refused_without_creating_a_run(table, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        train_forecast(table, tmp_path / "runs", **settings)
    assert not (tmp_path / "runs").exists()


def modified_sales(**cells):
    """The table with changed cells: column -> (row, value)."""
    frame = sales().astype(object)
    for name, (row, value) in cells.items():
        frame.loc[row, name] = value
    return frame


INVALID_TABLES = {
    "times twice": (
        pd.concat([sales(), sales().iloc[[5]].assign(sales=0.5)]),
        "1 time more than once, the first 2024-01-06",
    ),
    "horizon": (sales(3), "each have enough steps for the horizon"),
    "constant": (sales().assign(sales=0.1), "At least one series must vary in training. Received: 'sales'"),
    "all missing": (sales().assign(sales=None), "must contain numbers; exclude it with exclude_columns="),
    "no time": (sales()[["sales"]], "must have a time column; name it with time_column="),
    "unparsed": (modified_sales(day=(7, "someday")), "'someday' in row 8 (line 9 of a CSV file), the first of 1"),
    "a row without": (modified_sales(day=(7, None)), "no time in row 8"),
    "one row": (sales(1), "There must be at least two rows in a series"),
    "text_column": (modified_sales(sales=(7, "many")), "'many' in row 8 (line 9 of a CSV file)"),
    "infinite": (modified_sales(sales=(7, "inf")), "must contain finite numbers or empty cells"),
    "long": (
        pd.concat([sales().assign(shop=shop) for shop in "ab"]),
        "identifies the series, name it with series_id_column=",
    ),
    "uneven": (modified_sales(day=(299, "2024-10-26 03:00")), "steps of 1 day, and 1 of 300 times between them"),
    "sparse": (sales().drop(index=range(2, 280)), "278 of 300 steps without a row, the first 2024-01-03"),
    "times alone": (sales()[["day"]], "a numeric column to forecast besides the time column"),
}


@pytest.mark.parametrize(("frame", "message"), INVALID_TABLES.values(), ids=INVALID_TABLES.keys())
def test_invalid_input_gives_a_one_line_error_and_exit_code_2(tmp_path, capfd, frame, message):
    path = write_csv(frame, tmp_path / "table.csv")
    assert main(["train", "forecast", f"data={path}", "--out", str(tmp_path / "runs")]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert message in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (sales(10), "as many rows as the past that the model sees. Received: at most 10, where 21 are needed"),
        (sales()[["day"]], "The table must have the column"),
        (modified_sales(sales=(7, "many")), "must contain finite numbers or empty cells"),
        (sales().iloc[::7], "Rows must be evenly spaced, by 1 day in this table"),
    ],
)
def test_an_unsuitable_file_is_refused(run, frame, message):
    frame = frame.rename(columns={"sales": "small"})
    with pytest.raises(UserError, match=message):
        run.predict(frame.assign(large=frame["small"]) if "small" in frame else frame)
