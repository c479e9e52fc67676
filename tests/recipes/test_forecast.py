"""The page for forecasts, from end to end: what a person and a script see."""

import json

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.cli import main
from tfkit.errors import UserError

FAST = {
    "epochs": 2,
    "calendar": ["weekday"],
    "units": 8,
    "patch": 7,
    "batch_size": 64,
    "learning_rate": 0.01,
    "refit": False,
}
DAYS = 300


def sales(days=DAYS, seed=0, size=100.0):
    """A week that comes again, a slow rise, and chance."""
    random = np.random.default_rng(seed)
    week = np.array([0, 1, 2, 4, 8, 10, 3]) * size / 20
    values = size + week[np.arange(days) % 7] + np.arange(days) * size / 1000 + random.normal(0, size / 100, days)
    day = pd.date_range("2024-01-01", periods=days).strftime("%Y-%m-%d")
    return pd.DataFrame({"day": day, "sales": values.round(6)})


def written(frame, path):
    frame.to_csv(path, index=False)
    return path


def trained(table, out, **settings):
    return tfkit.train("forecast", table=table, out=out, quiet=True, **{**FAST, **settings})


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Two shops side by side, of different sizes."""
    frame = sales().rename(columns={"sales": "small"}).assign(large=sales(seed=1, size=5000.0)["sales"])
    return written(frame, tmp_path_factory.mktemp("table") / "sales.csv")


LONGER = {"epochs": 8, "val_fraction": 0.25}


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    return trained(table, tmp_path_factory.mktemp("runs"), **LONGER)


@pytest.mark.slow
def test_it_holds_what_every_recipe_must(table):
    tfkit.testing.check_recipe("forecast", {**FAST, **LONGER, "table": table}, source=table)


def test_a_run_beats_the_baselines_and_is_kept_whole(run):
    metrics = run.metrics
    assert metrics["task"] == "forecast"
    assert set(metrics["baselines"]) == {"naive", "seasonal_naive"}
    assert metrics["test"]["mase"] < 0.9 * metrics["baselines"]["seasonal_naive"]["mase"]
    assert metrics["baselines"]["seasonal_naive"]["mase"] < metrics["baselines"]["naive"]["mase"]
    low, high = metrics["intervals"]["mase"]
    assert low < metrics["test"]["mase"] < high
    assert (run.config["horizon"], run.config["past"], run.config["season"]) == (7, 21, 7)
    assert run.info["columns"]["day"]["treatment"] == "steps of 1 day; weekday"


def test_bands_hold_about_their_share(run):
    assert 0.6 < run.metrics["test"]["coverage_80"] < 0.95
    assert 0.85 < run.metrics["test"]["coverage_95"] <= 1
    kept = pd.read_csv(run.folder / "predictions.csv")
    ordered = kept[["low_95", "low_80", "predicted", "high_80", "high_95"]].to_numpy()
    assert (np.diff(ordered, axis=1) >= 0).all()
    factors = run.model.get_layer("restore").get_layer("bands").factors
    assert 1.0 not in factors  # validation has corrected them, and is held as it should be
    assert run.metrics["val"]["coverage_80"] == pytest.approx(0.8 * 1.1, abs=0.01)  # val holds ten horizons
    assert run.metrics["val"]["coverage_95"] == pytest.approx(0.975, abs=0.01)


def test_the_kept_predictions_are_what_stands_in_the_table(run, table):
    kept, whole = pd.read_csv(run.folder / "predictions.csv"), pd.read_csv(table)
    assert list(kept)[:4] == ["series", "day", "truth", "predicted"]
    assert not kept.duplicated(["series", "day"]).any()
    truth = whole.set_index("day")[["small", "large"]].stack()
    expected = [truth[day, series] for day, series in zip(kept["day"], kept["series"], strict=True)]
    np.testing.assert_allclose(kept["truth"], expected, rtol=1e-6)
    assert kept["day"].min() > whole["day"].iloc[int(DAYS * 0.8) - 1]  # of the last fifth alone


def test_the_next_steps_of_a_file_are_foretold(run, table, tmp_path, capfd):
    assert main(["predict", str(run.folder), str(table), "--out", str(tmp_path / "next.csv")]) == 0
    found = pd.read_csv(tmp_path / "next.csv")
    assert list(found) == ["series", "day", "predicted", "low_80", "high_80", "low_95", "high_95"]
    days = pd.date_range("2024-01-01", periods=DAYS + 7).strftime("%Y-%m-%d")[DAYS:]
    assert found["day"].tolist() == [*days, *days]
    assert found["series"].tolist() == ["small"] * 7 + ["large"] * 7
    for name, size in (("small", 100.0), ("large", 5000.0)):
        expected = sales(DAYS + 7, size=size)["sales"].to_numpy()[DAYS:]
        np.testing.assert_allclose(found["predicted"][found["series"] == name], expected, rtol=0.12)
    frame = run.predict(pd.read_csv(table).iloc[::-1])  # the order of the rows is no matter
    np.testing.assert_allclose(frame["predicted"], found["predicted"], rtol=1e-5)


def test_a_series_that_was_never_seen_is_foretold_in_its_own_units(run, tmp_path, caplog):
    other = sales(30, seed=2, size=1e-3).rename(columns={"sales": "small"}).assign(large=np.arange(30.0))
    found = run.predict(other)
    assert found["predicted"][found["series"] == "small"].between(0.8e-3, 2e-3).all()


def test_a_file_with_its_truth_is_scored(run, table, capsys):
    whole = pd.read_csv(table)
    assert main(["evaluate", str(run.folder), str(table), "--json"]) == 0
    said = capsys.readouterr().out
    scores = json.loads(said[said.index("{") :])["test"]
    assert 0 < scores["mase"] < 1
    part = run.evaluate(whole.iloc[-60 - 21 :])["test"]  # the test split, and the past before it
    assert part == pytest.approx(run.metrics["test"], rel=1e-4)


@pytest.mark.slow
def test_the_file_takes_raw_windows_and_exports_answer_as_it_does(run, table, tmp_path):
    import tensorflow as tf

    raw = run.read(table)
    assert {name: array.shape for name, array in raw.items()} == {"values": (2, 21), "calendar": (2, 28, 1)}
    said = run.answer(raw)
    assert said.shape == (2, 7, 5)
    model = tfkit.load_model(run.export("keras", tmp_path / "copy.keras"))
    np.testing.assert_allclose(model(raw), said, rtol=1e-5)
    loaded = tf.saved_model.load(run.export("savedmodel", tmp_path / "saved"))
    tensors = {name: tf.constant(array) for name, array in raw.items()}
    np.testing.assert_allclose(loaded.serve(tensors), said, rtol=1e-4)


@pytest.mark.slow
def test_a_long_table_with_known_columns(tmp_path):
    """A holiday raises sales; only who knows that it comes can say so."""
    parts = []
    for seed, shop in enumerate(["a", "b", "c"]):
        frame = sales(240 + 20 * seed, seed=seed)
        frame["holiday"] = np.where(np.random.default_rng(seed).random(len(frame)) < 0.15, "yes", "no")
        frame["sales"] += 60 * (frame["holiday"] == "yes")
        parts.append(frame.assign(shop=shop))
    path = written(pd.concat(parts).sample(frac=1, random_state=0), tmp_path / "long.csv")
    told = {"series_column": "shop", "target": ["sales"], "epochs": 12, "learning_rate": 0.02}
    with_it = trained(path, tmp_path / "runs", known=["holiday"], **told)
    without = trained(path, tmp_path / "runs", leave_out=["holiday"], **told)
    assert with_it.metrics["test"]["mase"] < 0.8 * without.metrics["test"]["mase"]

    future = sales(248).iloc[240:].assign(sales=None, holiday=["yes", "no"] * 4, shop="a")
    found = with_it.predict(pd.concat([parts[0], future]))
    assert found["shop"].tolist() == ["a"] * 7
    assert found["day"].tolist() == future["day"].tolist()[:7]
    plain = sales(248)["sales"].to_numpy()[240:247]
    lifted = found["predicted"].to_numpy() - plain
    assert lifted[::2].min() > lifted[1::2].max() + 20
    with pytest.raises(UserError, match=r"without a value below the last\. Received: 'holiday' for 3 of 7 steps"):
        with_it.predict(pd.concat([parts[0], future.iloc[:3]]))


@pytest.mark.slow
@pytest.mark.parametrize("body", ["lstm", "transformer"])
def test_every_body_learns(table, tmp_path, body):
    run = trained(table, tmp_path, body=body, epochs=20, level="mean")
    assert run.metrics["test"]["mase"] < run.metrics["baselines"]["seasonal_naive"]["mase"]


def test_the_mean_alone_has_no_bands(table, tmp_path):
    run = trained(table, tmp_path, loss="squared", target=["small"], calendar=[], epochs=1)
    assert list(run.predict(table)) == ["day", "predicted"]
    assert not [name for name in run.metrics["test"] if "coverage" in name]
    assert "standardised_mean_squared_error" not in run.metrics["test"]


@pytest.mark.slow
def test_few_windows_are_fitted_again_up_to_the_test(tmp_path, capfd):
    path = written(sales(90), tmp_path / "table.csv")
    run = tfkit.train("forecast", table=path, out=tmp_path / "runs", **{**FAST, "refit": "auto"})
    assert run.config["refit"] is True
    assert "Fitted again on training and validation rows together" in capfd.readouterr().err


def test_what_was_missing_is_filled_and_never_a_target(tmp_path):
    frame = sales()
    frame.loc[20:25, "sales"] = None
    frame = frame.drop(index=range(100, 105))
    recipe = tfkit.load("forecast")
    data = recipe.data(recipe.Config.of({"table": written(frame, tmp_path / "gaps.csv")}))
    assert data.info["cleaning"] == [
        "5 of 300 steps have no row, in 1 gap, the first at 2024-04-10",
        "11 of 300 values are missing: filled with the last value before, and never a target",
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizon": 400}, "each have steps enough for the horizon"),
        ({"calendar": ["hours"]}, "must name some of hour, weekday, yearday, or be auto. Received: 'hours'"),
        ({"past": 250}, "must hold one window at least, past and horizon"),
        ({"quantiles": [0.1, 0.9]}, "with the median, 0.5, in the middle"),
        ({"quantiles": [0.1, 0.5, 0.8]}, "pairs around it, such as 0.1,0.5,0.9"),
        ({"quantiles": [0.0, 0.5, 1.0]}, "must lie between 0 and 1"),
        ({"known": ["holiday"]}, "The table must have the column 'holiday'"),
        ({"known": ["small"], "target": ["small"]}, "A column is one thing"),
        ({"time_column": "small"}, "Received: 'day', which holds '2024-01-01'"),
        ({"refit": True, "learning_rate_decay": "plateau"}, "refit=true leaves none"),
        ({"train_steps": 200, "test_steps": 200}, "each have steps enough for the horizon"),
    ],
)
def test_settings_that_do_not_fit_are_refused_and_leave_nothing(table, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        trained(table, tmp_path / "runs", **settings)
    assert not (tmp_path / "runs").exists()


def spoilt(**cells):
    """The table with some cells changed: column -> (row, value)."""
    frame = sales().astype(object)
    for name, (row, value) in cells.items():
        frame.loc[row, name] = value
    return frame


BAD = {
    "times twice": (pd.concat([sales(), sales().iloc[[5]]]), "1 time more than once, the first 2024-01-06"),
    "horizon": (sales(3), "each have steps enough for the horizon"),
    "constant": (sales().assign(sales=0.1), "A series must vary before it can be foretold. Received: 'sales'"),
    "all missing": (sales().assign(sales=None), "must hold numbers; leave it out with leave_out="),
    "no time": (sales()[["sales"]], "must have a column of times; name it with time_column="),
    "unparsed": (spoilt(day=(7, "someday")), "'someday' in row 8 (line 9 of a CSV file), the first of 1"),
    "a row without": (spoilt(day=(7, None)), "no time in row 8"),
    "one row": (sales(1), "There must be at least two rows in a series"),
    "text": (spoilt(sales=(7, "many")), "'many' in row 8 (line 9 of a CSV file)"),
    "infinite": (spoilt(sales=(7, "inf")), "must hold finite numbers or nothing"),
    "long": (pd.concat([sales().assign(shop=shop) for shop in "ab"]), "say with series_column= that it tells series"),
    "uneven": (spoilt(day=(299, "2024-10-26 03:00")), "steps of 1 day, and 1 of 300 times between them"),
    "sparse": (sales().drop(index=range(2, 280)), "278 of 300 steps without a row, the first 2024-01-03"),
    "times alone": (sales()[["day"]], "a column of numbers to forecast beside the time"),
}


@pytest.mark.parametrize(("frame", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, capfd, frame, message):
    path = written(frame, tmp_path / "table.csv")
    assert main(["train", "forecast", f"table={path}", "--out", str(tmp_path / "runs")]) == 2
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
        (spoilt(sales=(7, "many")), "must hold finite numbers or nothing"),
        (sales().iloc[::7], "Rows must come in even steps, of 1 day here"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(run, frame, message):
    frame = frame.rename(columns={"sales": "small"})
    with pytest.raises(UserError, match=message):
        run.predict(frame.assign(large=frame["small"]) if "small" in frame else frame)
