"""The page for series, from end to end: what a person and a script see."""

import json
import signal

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.cli import main
from tfkit.errors import Interrupted, UserError

FAST = {"features": 168, "differences": False}
SMALL = {"head": "trained", "epochs": 2, "refit": False}
KINDS = ["flat", "rising", "waving"]


def values(kind, steps, random):
    """One series of a kind, with noise."""
    time = np.linspace(0, 1, steps)
    course = {"flat": 0 * time, "rising": 3 * time, "waving": 2 * np.sin(4 * np.pi * (time + random.random()))}[kind]
    return course + 0.5 * random.normal(size=steps)


def wide(rows, steps=24, seed=0, kinds=KINDS):
    """A table with a row for each series."""
    random = np.random.default_rng(seed)
    labels = random.choice(kinds, rows)
    frame = pd.DataFrame([values(label, steps, random) for label in labels]).round(4)
    frame.columns = [f"t{step}" for step in range(steps)]
    frame.insert(0, "label", labels)
    return frame


def steps(rows, seed=0):
    """A table with a row for each step, of two channels and unequal lengths."""
    random, parts = np.random.default_rng(seed), []
    for number in range(rows):
        kind, count = random.choice(KINDS), random.integers(12, 25)
        one = {"id": f"s{number}", "time": np.arange(count), "a": values(kind, count, random)}
        parts.append(pd.DataFrame({**one, "b": values("flat", count, random), "label": kind}))
    return pd.concat(parts)


def trained(table, out, **settings):
    return tfkit.train("series", table=table, out=out, quiet=True, **{**FAST, **settings})


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "series.csv"
    wide(90).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    return trained(table, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def unequal(tmp_path_factory):
    """A run on steps of two channels and unequal lengths."""
    folder = tmp_path_factory.mktemp("unequal")
    steps(60).to_csv(folder / "steps.csv", index=False)
    return trained(folder / "steps.csv", folder / "runs", id_column="id", time_column="time", differences=True)


def test_a_run_beats_the_constant_and_is_kept_whole(run):
    assert run.metrics["test"]["accuracy"] > 0.85 > run.metrics["baselines"]["constant"]["accuracy"]
    assert set(run.metrics["baselines"]) == {"constant", "nearest_series", "linear_series"}
    assert run.config["head"] == "ridge"
    assert run.config["epochs"] == 1
    assert run.config["refit"] is True  # few series: on all but those of the test
    kept = pd.read_csv(run.folder / "predictions.csv")
    assert (kept["truth"] == kept["predicted"]).mean() == pytest.approx(run.metrics["test"]["accuracy"])


def test_the_file_takes_raw_series_with_gaps(run):
    model = tfkit.load_model(run.path("model.keras"))
    raw = wide(12, seed=3).iloc[:, 1:].to_numpy("float32")[..., None]
    holes = raw.copy()
    holes[:, 5:7] = np.nan
    for some in (raw, holes, np.full((1, 24, 1), np.nan, "float32")):
        np.testing.assert_allclose(np.sum(model({"series": some}), axis=1), 1, atol=1e-5)
    said = np.asarray(model({"series": holes}))
    between = raw.copy()
    between[:, 5], between[:, 6] = (2 * raw[:, 4] + raw[:, 7]) / 3, (raw[:, 4] + 2 * raw[:, 7]) / 3
    assert (said.argmax(axis=1) == np.argmax(model({"series": between}), axis=1)).mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("which", ["unequal", "run"])
def test_exports_answer_as_the_model_does(which, request, tmp_path):
    import tensorflow as tf

    run = request.getfixturevalue(which)
    raw = run.examples["series"]
    said = run.answer({"series": raw})
    loaded = tf.saved_model.load(run.export("savedmodel", tmp_path / "saved"))
    np.testing.assert_allclose(loaded.serve({"series": tf.constant(raw)}), said, atol=1e-5)
    copied = tfkit.load_model(run.export("keras", tmp_path / "copy.keras"))
    np.testing.assert_allclose(copied({"series": tf.constant(raw)}), said, atol=1e-5)


def test_a_file_is_predicted_and_scored(run, tmp_path, capsys):
    wide(30, seed=1).to_csv(tmp_path / "new.csv", index=False)
    assert main(["predict", str(run.folder), str(tmp_path / "new.csv"), "--out", str(tmp_path / "out.csv")]) == 0
    found = pd.read_csv(tmp_path / "out.csv")
    assert list(found)[:25] == ["label", *(f"t{step}" for step in range(24))]
    assert list(found)[25:] == ["predicted", *(f"probability_{kind}" for kind in KINDS)]
    accuracy = (found["label"] == found["predicted"]).mean()
    assert accuracy > 0.8
    assert main(["evaluate", str(run.folder), str(tmp_path / "new.csv"), "--json"]) == 0
    said = capsys.readouterr().out
    assert json.loads(said[said.index("{") :])["test"]["accuracy"] == pytest.approx(accuracy)


def test_steps_of_many_channels_and_unequal_lengths(unequal, tmp_path):
    assert unequal.metrics["test"]["accuracy"] > 0.6
    assert unequal.info["series"]["channels"] == ["a", "b"]
    new = steps(20, seed=1)
    new.to_csv(tmp_path / "new.csv", index=False)
    unequal.predict_file(tmp_path / "new.csv", tmp_path / "out.csv")
    found = pd.read_csv(tmp_path / "out.csv")
    assert found["id"].tolist() == [f"s{number}" for number in range(20)]
    assert (found["label"] == found["predicted"]).mean() > 0.6
    assert unequal.predict(new)["predicted"].tolist() == found["predicted"].tolist()
    one = [group[["a", "b"]].to_numpy() for _, group in new.groupby("id", sort=False)]
    assert unequal.predict(one)["predicted"].tolist() == found["predicted"].tolist()


def test_a_ts_file_with_a_test_file_of_its_own(tmp_path):
    for name, rows, seed in (("train", 40, 0), ("test", 25, 1)):
        lines = [",".join(map(str, row[1:])) + f":{row[0]}" for row in wide(rows, seed=seed).to_numpy()]
        head = ["@problemName kinds", "@univariate true", "@classLabel true " + " ".join(KINDS), "@data"]
        (tmp_path / f"{name}.ts").write_text("\n".join([*head, *lines]))
    run = trained(tmp_path / "train.ts", tmp_path / "runs", test_table=tmp_path / "test.ts")
    assert len(pd.read_csv(run.folder / "predictions.csv")) == 25
    assert run.evaluate(tmp_path / "test.ts")["test"]["accuracy"] == pytest.approx(run.metrics["test"]["accuracy"])


def test_a_number_is_predicted_in_its_own_units(tmp_path):
    frame, random = wide(80, kinds=["rising"]), np.random.default_rng(1)
    slope = random.uniform(-3, 3, 80)
    frame.iloc[:, 1:] += slope[:, None] * np.linspace(0, 1, 24)
    frame.drop(columns="label").assign(slope=(1000 + 100 * slope).round(1)).to_csv(tmp_path / "some.csv", index=False)
    run = trained(tmp_path / "some.csv", tmp_path / "runs", target="slope")
    assert run.metrics["task"] == "regression"
    assert run.metrics["test"]["r2"] > 0.5
    assert 700 < run.predict(tmp_path / "some.csv")["predicted"].mean() < 1300


@pytest.mark.slow
@pytest.mark.parametrize("body", ["inception", "convolution", "lstm", "transformer"])
def test_every_body_learns_of_series_of_unequal_length(tmp_path, body):
    steps(80).to_csv(tmp_path / "steps.csv", index=False)
    run = trained(
        tmp_path / "steps.csv",
        tmp_path / "runs",
        id_column="id",
        body=body,
        units=8,
        epochs=30,
        learning_rate=0.005,
        leave_out=["time"],
        refit=False,
    )
    assert run.config["lengths"] == "pad"
    assert run.metrics["test"]["accuracy"] > run.metrics["baselines"]["constant"]["accuracy"] + 0.2
    raw = run.examples["series"]
    longer = np.pad(raw, [(0, 0), (0, 9), (0, 0)], constant_values=np.nan)
    np.testing.assert_allclose(run.answer({"series": longer}), run.answer({"series": raw}), atol=1e-5)


@pytest.mark.slow
def test_a_trained_head_learns_too(table, tmp_path):
    run = trained(table, tmp_path / "runs", head="trained", epochs=10, learning_rate=0.003, refit=False)
    assert run.metrics["test"]["accuracy"] > 0.8


@pytest.mark.slow
def test_class_weights_raise_the_recall_of_the_rare_class(tmp_path):
    some, random = wide(300, kinds=["flat", "rising"]), np.random.default_rng(0)
    some["label"] = np.where(random.random(300) < np.where(some["label"] == "rising", 0.35, 0.05), "rare", "common")
    some.to_csv(tmp_path / "table.csv", index=False)
    plain, weighted = (
        trained(tmp_path / "table.csv", tmp_path / "runs", class_weights=on).metrics["test"] for on in (False, True)
    )
    assert weighted["recall"] > plain["recall"] + 0.2


@pytest.mark.slow
def test_stopped_and_resumed_is_the_same_as_never_stopped(table, tmp_path, monkeypatch):
    from tfkit.resume import Checkpoint

    straight = trained(table, tmp_path / "straight", **SMALL)
    calls, real = [], Checkpoint.on_train_batch_end

    def count(self, batch, logs=None):
        calls.append(batch)
        if len(calls) == 6:  # of 4 an epoch
            self.stop = signal.SIGTERM
        real(self, batch, logs)

    monkeypatch.setattr("tfkit.loop.SECONDS_A_CALL", 0.0)
    monkeypatch.setattr(Checkpoint, "on_train_batch_end", count)
    with pytest.raises(Interrupted):
        trained(table, tmp_path / "stopped", **SMALL)
    monkeypatch.undo()
    [folder] = (tmp_path / "stopped").iterdir()
    resumed = tfkit.train(resume=folder, quiet=True)
    for one, two in zip(straight.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert straight.metrics["test"] == resumed.metrics["test"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"time_column": "t0"}, "with a row for each step: give id_column= too"),
        ({"units": 8}, "`depth=` and `units=` are of the other bodies; body=minirocket has features="),
        ({"head": "ridge", "epochs": 5}, "head=ridge is of body=minirocket, and solved at once"),
        ({"head": "ridge", "body": "lstm"}, "head=ridge is of body=minirocket, and solved at once"),
        ({"refit": True, "learning_rate_decay": "plateau"}, "refit=true leaves none"),
        ({"target": "kind"}, "The table must have the column 'kind'"),
        ({"group_column": "who"}, "The table must have the column to split by"),
        ({"loss": "huber"}, "'label' has classes, so it can be cross_entropy"),
        ({"kind": "number"}, "A numeric target must be a finite number in every row"),
    ],
)
def test_settings_that_do_not_fit_are_refused_and_leave_nothing(table, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        trained(table, tmp_path / "runs", **settings)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (wide(30).assign(label="flat"), "The target must have at least two classes"),
        (wide(30)[["label", "t0"]], "A series must have two steps or more"),
        (wide(30).assign(t3="much"), "Values of a series must be numbers, such as 1.5"),
        (wide(30).assign(**{f"t{step}": range(30) for step in range(24)}), "Series must change in the course of time"),
        (wide(30).assign(**{f"t{step}": None for step in range(24)}), "Series must have values"),
        (wide(2, kinds=["flat"]).assign(label=["flat", "rising"]), "Training, validation and test must each have"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, capfd, frame, message):
    frame.to_csv(tmp_path / "table.csv", index=False)
    assert main(["train", "series", f"table={tmp_path / 'table.csv'}", "--out", str(tmp_path / "runs")]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert message in err
    assert not (tmp_path / "runs").exists()
