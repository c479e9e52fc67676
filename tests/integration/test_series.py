"""End-to-end tests of the series recipe: Python API and command line."""

import json
import signal

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.cli.main import main
from tfkit.errors import Interrupted, UserError

FAST = {"num_features": 168, "use_differences": False}
SMALL = {"classifier": "softmax", "epochs": 2, "refit": False}
KINDS = ["flat", "rising", "waving"]


def values(kind, steps, random):
    """One noisy series of a class."""
    time = np.linspace(0, 1, steps)
    signal_values = {"flat": 0 * time, "rising": 3 * time, "waving": 2 * np.sin(4 * np.pi * (time + random.random()))}[
        kind
    ]
    return signal_values + 0.5 * random.normal(size=steps)


def wide_table(rows, steps=24, seed=0, kinds=KINDS):
    """A table with one row per series."""
    random = np.random.default_rng(seed)
    labels = random.choice(kinds, rows)
    frame = pd.DataFrame([values(label, steps, random) for label in labels]).round(4)
    frame.columns = [f"t{step}" for step in range(steps)]
    frame.insert(0, "label", labels)
    return frame


def long_table(rows, seed=0):
    """A table with one row per step, two channels and unequal lengths."""
    random, frames = np.random.default_rng(seed), []
    for index in range(rows):
        kind, count = random.choice(KINDS), random.integers(12, 25)
        columns = {"id": f"s{index}", "time": np.arange(count), "a": values(kind, count, random)}
        frames.append(pd.DataFrame({**columns, "b": values("flat", count, random), "label": kind}))
    return pd.concat(frames)


def train_series(table, out, **settings):
    return tfkit.train("series", data=table, out=out, quiet=True, **{**FAST, **settings})


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "series.csv"
    wide_table(90).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    return train_series(table, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def unequal(tmp_path_factory):
    """A run on a long table with two channels and unequal lengths."""
    folder = tmp_path_factory.mktemp("unequal")
    long_table(60).to_csv(folder / "steps.csv", index=False)
    return train_series(
        folder / "steps.csv", folder / "runs", series_id_column="id", time_column="time", use_differences=True
    )


def test_a_run_beats_the_baseline_and_is_saved(run):
    assert run.metrics["test"]["accuracy"] > 0.85 > run.metrics["baselines"]["dummy"]["accuracy"]
    assert set(run.metrics["baselines"]) == {"dummy", "nearest_neighbor", "linear_series"}
    assert run.config["classifier"] == "ridge"
    assert run.config["epochs"] == 1
    assert run.config["refit"] is True  # few series: refit on training and validation
    predictions = pd.read_csv(run.folder / "predictions.csv")
    assert (predictions["actual"] == predictions["predicted"]).mean() == pytest.approx(run.metrics["test"]["accuracy"])


def test_the_model_file_accepts_raw_series_with_missing_values(run):
    model = tfkit.load_model(run.path("model.keras"))
    raw = wide_table(12, seed=3).iloc[:, 1:].to_numpy("float32")[..., None]
    incomplete = raw.copy()
    incomplete[:, 5:7] = np.nan
    for series in (raw, incomplete, np.full((1, 24, 1), np.nan, "float32")):
        np.testing.assert_allclose(np.sum(model({"series": series}), axis=1), 1, atol=1e-5)
    y_pred = np.asarray(model({"series": incomplete}))
    interpolated = raw.copy()
    interpolated[:, 5], interpolated[:, 6] = (2 * raw[:, 4] + raw[:, 7]) / 3, (raw[:, 4] + 2 * raw[:, 7]) / 3
    assert (y_pred.argmax(axis=1) == np.argmax(model({"series": interpolated}), axis=1)).mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("fixture_name", ["unequal", "run"])
def test_exports_predict_like_the_model(fixture_name, request, tmp_path):
    import tensorflow as tf

    run = request.getfixturevalue(fixture_name)
    raw = run.sample_inputs["series"]
    y_pred = run.predict_arrays({"series": raw})
    loaded = tf.saved_model.load(run.export("savedmodel", tmp_path / "saved"))
    np.testing.assert_allclose(loaded.serve({"series": tf.constant(raw)}), y_pred, atol=1e-5)
    exported = tfkit.load_model(run.export("keras", tmp_path / "copy.keras"))
    np.testing.assert_allclose(exported({"series": tf.constant(raw)}), y_pred, atol=1e-5)


def test_a_file_is_predicted_and_scored(run, tmp_path, capsys):
    wide_table(30, seed=1).to_csv(tmp_path / "new.csv", index=False)
    assert main(["predict", str(run.folder), str(tmp_path / "new.csv"), "--out", str(tmp_path / "out.csv")]) == 0
    predictions = pd.read_csv(tmp_path / "out.csv")
    assert list(predictions)[:25] == ["label", *(f"t{step}" for step in range(24))]
    assert list(predictions)[25:] == ["predicted", *(f"probability_{kind}" for kind in KINDS)]
    accuracy = (predictions["label"] == predictions["predicted"]).mean()
    assert accuracy > 0.8
    assert main(["evaluate", str(run.folder), str(tmp_path / "new.csv"), "--json"]) == 0
    output = capsys.readouterr().out
    assert json.loads(output[output.index("{") :])["test"]["accuracy"] == pytest.approx(accuracy)


def test_long_tables_with_several_channels_and_unequal_lengths(unequal, tmp_path):
    assert unequal.metrics["test"]["accuracy"] > 0.6
    assert unequal.predictor.metadata.series.channels == ["a", "b"]
    new = long_table(20, seed=1)
    new.to_csv(tmp_path / "new.csv", index=False)
    unequal.predict_file(tmp_path / "new.csv", tmp_path / "out.csv")
    predictions = pd.read_csv(tmp_path / "out.csv")
    assert predictions["id"].tolist() == [f"s{index}" for index in range(20)]
    assert (predictions["label"] == predictions["predicted"]).mean() > 0.6
    assert unequal.predict(new)["predicted"].tolist() == predictions["predicted"].tolist()
    arrays = [group[["a", "b"]].to_numpy() for _, group in new.groupby("id", sort=False)]
    assert unequal.predict(arrays)["predicted"].tolist() == predictions["predicted"].tolist()


@pytest.mark.slow
def test_ts_files_for_training_and_test(tmp_path):
    for name, rows, seed in (("train", 40, 0), ("test", 25, 1)):
        lines = [",".join(map(str, row[1:])) + f":{row[0]}" for row in wide_table(rows, seed=seed).to_numpy()]
        header = ["@problemName kinds", "@univariate true", "@classLabel true " + " ".join(KINDS), "@data"]
        (tmp_path / f"{name}.ts").write_text("\n".join([*header, *lines]))
    run = train_series(tmp_path / "train.ts", tmp_path / "runs", test_data=tmp_path / "test.ts")
    assert len(pd.read_csv(run.folder / "predictions.csv")) == 25
    assert run.evaluate(tmp_path / "test.ts")["test"]["accuracy"] == pytest.approx(run.metrics["test"]["accuracy"])


def test_a_number_is_predicted_in_original_units(tmp_path):
    frame, random = wide_table(80, kinds=["rising"]), np.random.default_rng(1)
    slope = random.uniform(-3, 3, 80)
    frame.iloc[:, 1:] += slope[:, None] * np.linspace(0, 1, 24)
    frame.drop(columns="label").assign(slope=(1000 + 100 * slope).round(1)).to_csv(tmp_path / "series.csv", index=False)
    run = train_series(tmp_path / "series.csv", tmp_path / "runs", target="slope")
    assert run.metrics["task"] == "regression"
    assert run.metrics["test"]["r2"] > 0.5
    assert 700 < run.predict(tmp_path / "series.csv")["predicted"].mean() < 1300


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["inception", "cnn", "lstm", "transformer"])
def test_every_architecture_learns_from_series_of_unequal_length(tmp_path, architecture):
    long_table(80).to_csv(tmp_path / "steps.csv", index=False)
    run = train_series(
        tmp_path / "steps.csv",
        tmp_path / "runs",
        series_id_column="id",
        architecture=architecture,
        units=8,
        epochs=30,
        learning_rate=0.005,
        exclude_columns=["time"],
        refit=False,
    )
    assert run.config["variable_length"] is True
    assert run.metrics["test"]["accuracy"] > run.metrics["baselines"]["dummy"]["accuracy"] + 0.2
    raw = run.sample_inputs["series"]
    longer = np.pad(raw, [(0, 0), (0, 9), (0, 0)], constant_values=np.nan)
    np.testing.assert_allclose(run.predict_arrays({"series": longer}), run.predict_arrays({"series": raw}), atol=1e-5)


@pytest.mark.slow
def test_a_head_trained_by_gradient_descent_learns(table, tmp_path):
    run = train_series(table, tmp_path / "runs", classifier="softmax", epochs=10, learning_rate=0.003, refit=False)
    assert run.metrics["test"]["accuracy"] > 0.8


@pytest.mark.slow
def test_balanced_classes_raise_the_recall_of_the_rare_class(tmp_path):
    frame, random = wide_table(300, kinds=["flat", "rising"]), np.random.default_rng(0)
    frame["label"] = np.where(random.random(300) < np.where(frame["label"] == "rising", 0.35, 0.05), "rare", "common")
    frame.to_csv(tmp_path / "table.csv", index=False)
    unweighted, weighted = (
        train_series(tmp_path / "table.csv", tmp_path / "runs", balance_classes=balance_classes).metrics["test"]
        for balance_classes in (False, True)
    )
    assert weighted["recall"] > unweighted["recall"] + 0.2


@pytest.mark.slow
def test_a_resumed_run_equals_an_uninterrupted_run(table, tmp_path, monkeypatch):
    from tfkit.training.checkpoint import Checkpoint

    uninterrupted = train_series(table, tmp_path / "uninterrupted", **SMALL)
    batches, on_train_batch_end = [], Checkpoint.on_train_batch_end

    def stop_at_sixth_batch(self, batch, logs=None):
        batches.append(batch)
        if len(batches) == 6:  # there are 4 per epoch
            self.stop = signal.SIGTERM
        on_train_batch_end(self, batch, logs)

    monkeypatch.setattr("tfkit.training.fit.SECONDS_PER_CALL", 0.0)
    monkeypatch.setattr(Checkpoint, "on_train_batch_end", stop_at_sixth_batch)
    with pytest.raises(Interrupted):
        train_series(table, tmp_path / "stopped", **SMALL)
    monkeypatch.undo()
    [folder] = (tmp_path / "stopped").iterdir()
    resumed = tfkit.train(resume=folder, quiet=True)
    for expected, weights in zip(uninterrupted.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, expected)
    assert uninterrupted.metrics["test"] == resumed.metrics["test"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"time_column": "t0"}, "with a row per step: set series_id_column= too"),
        (
            {"units": 8},
            "`num_layers` and `units` are for other architectures; architecture=minirocket has num_features=",
        ),
        (
            {"classifier": "ridge", "epochs": 5},
            "`classifier=ridge` is for architecture=minirocket, and has a closed form",
        ),
        (
            {"classifier": "ridge", "architecture": "lstm"},
            "`classifier=ridge` is for architecture=minirocket, and has a closed form",
        ),
        ({"refit": True, "learning_rate_schedule": "plateau"}, "refit=true leaves none"),
        ({"target": "kind"}, "The table must have the column 'kind'"),
        ({"group_column": "who"}, "The table must have the column to split by"),
        ({"loss": "huber"}, "with task=classification it can be cross_entropy"),
        ({"task": "regression"}, "A numeric target must be a finite number in every row"),
    ],
)
def test_invalid_settings_are_refused_without_creating_a_run(table, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        train_series(table, tmp_path / "runs", **settings)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (wide_table(30).assign(label="flat"), "The target must have at least two classes"),
        (wide_table(30)[["label", "t0"]], "A series must have at least two steps"),
        (wide_table(30).assign(t3="much"), "Values of a series must be numbers, such as 1.5"),
        (wide_table(30).assign(**{f"t{step}": range(30) for step in range(24)}), "Series must change over time"),
        (wide_table(30).assign(**{f"t{step}": None for step in range(24)}), "Series must have values"),
        (
            wide_table(2, kinds=["flat"]).assign(label=["flat", "rising"]),
            "Training, validation and test must each have",
        ),
    ],
)
def test_invalid_input_gives_a_one_line_error_and_exit_code_2(tmp_path, capfd, frame, message):
    frame.to_csv(tmp_path / "table.csv", index=False)
    assert main(["train", "series", f"data={tmp_path / 'table.csv'}", "--out", str(tmp_path / "runs")]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert message in err
    assert not (tmp_path / "runs").exists()
