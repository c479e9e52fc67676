"""A run from end to end, as a person and a script see it."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.cli import main
from tfkit.errors import Interrupted, NotFiniteError, UserError

FAST = {"epochs": 2, "units": 16, "members": 2, "bins": 8, "batch_size": 64, "refit": False}


def words(settings):
    return [f"{name}={value}" for name, value in settings.items()]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """600 rows: a class that depends on a number, a word and chance; cells are missing."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"size": random.normal(50, 20, 600).round(2), "kind of": random.choice(["a", "b", "c"], 600)})
    chance = 1 / (1 + np.exp(-(frame["size"] - 50) / 8 - (frame["kind of"] == "a")))
    frame["bought"] = np.where(random.random(600) < chance, "yes", "no")
    frame["price"] = (frame["size"] * 3 + (frame["kind of"] == "b") * 40 + random.normal(0, 5, 600)).round(1)
    frame.loc[::17, "size"] = np.nan
    frame.loc[::23, "kind of"] = None
    path = tmp_path_factory.mktemp("table") / "shop.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    return tfkit.train("tabular", table=table, target="bought", leave_out=["price"], out=out, quiet=True, **FAST)


@pytest.fixture(scope="module")
def priced(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    return tfkit.train("tabular", table=table, target="price", leave_out=["bought"], out=out, quiet=True, **FAST)


def test_a_run_leaves_what_design_promises(run):
    names = {path.name for path in run.folder.iterdir()}
    assert names >= {"config.json", "about.json", "info.json", "metrics.json", "history.csv", "predictions.csv"}
    assert names >= {"model.keras", "page.py", "examples.npz", "journal.jsonl"}
    assert not [name for name in names if "part" in name or name == "checkpoints"]
    assert "auto" not in [
        run.config[name] for name in ("epochs", "batch_size", "learning_rate", "units", "loss", "kind")
    ]
    assert set(run.about) >= {"versions", "commit", "devices", "command", "data", "best_epoch", "page"}
    history = pd.read_csv(run.folder / "history.csv")
    assert list(history["epoch"]) == [1, 2]
    assert set(history) >= {"loss", "val_loss", "learning_rate", "seconds"}


def test_metrics_have_the_form_that_scripts_rely_on(run, priced):
    metrics = run.metrics
    expected = ["task", "positive", "val", "test", "intervals", "classes", "baselines", "against", "verdict", "seconds"]
    assert sorted(metrics) == sorted(expected)
    assert metrics["task"] == "binary"
    counts = run.info["target"]["counts"]
    assert metrics["positive"] == min(counts, key=counts.get)
    assert set(metrics["baselines"]) == {"constant", "linear", "boosted_trees"}
    assert set(metrics["classes"]) == {"no", "yes"}
    low, high = metrics["intervals"]["accuracy"]
    assert low <= metrics["test"]["accuracy"] <= high
    assert priced.metrics["task"] == "regression"
    assert set(priced.metrics["test"]) == {
        "root_mean_squared_error",
        "mean_absolute_error",
        "r2",
        "median_absolute_error",
    }


def test_the_kept_predictions_give_the_scores(run, priced):
    """What metrics.json says can be recomputed from predictions.csv by anybody."""
    kept = pd.read_csv(run.folder / "predictions.csv")
    assert (kept["truth"] == kept["predicted"]).mean() == pytest.approx(run.metrics["test"]["accuracy"])
    assert kept[["probability_no", "probability_yes"]].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)
    kept = pd.read_csv(priced.folder / "predictions.csv")
    error = np.sqrt(((kept["truth"] - kept["predicted"]) ** 2).mean())
    assert error == pytest.approx(priced.metrics["test"]["root_mean_squared_error"], rel=1e-4)


@pytest.mark.parametrize("target", ["bought", "price"])
def test_the_file_says_of_raw_rows_what_was_measured(table, tmp_path, target):
    frame = pd.read_csv(table)
    frame[:400].to_csv(tmp_path / "train.csv", index=False)
    frame[400:].to_csv(tmp_path / "test.csv", index=False)
    given = {"table": tmp_path / "train.csv", "test_table": tmp_path / "test.csv", "target": target, **FAST}
    run = tfkit.train("tabular", out=tmp_path / "runs", quiet=True, **given)
    kept, said = pd.read_csv(run.folder / "predictions.csv"), run.predict(tmp_path / "test.csv")
    assert len(kept) == len(said) == 200
    for name in set(said) - {"predicted"} or {"predicted"}:
        np.testing.assert_allclose(said[name], kept[name], rtol=1e-4, atol=1e-6)
    assert run.evaluate(tmp_path / "test.csv")["test"] == pytest.approx(run.metrics["test"], rel=1e-4)


@pytest.mark.slow
def test_the_test_rows_can_be_left_alone(table, tmp_path):
    run = tfkit.train("tabular", table=table, target="bought", out=tmp_path, test=False, quiet=True, **FAST)
    assert run.metrics["test"] == {}
    assert run.metrics["val"]
    assert not (run.folder / "predictions.csv").exists()
    assert run.export("savedmodel").is_dir()


@pytest.mark.slow
def test_a_quantile_is_judged_by_how_many_values_lie_below(table, tmp_path, capsys):
    fast = {**FAST, "loss": "quantile", "quantile": 0.9, "epochs": 20}
    main(["train", "tabular", f"table={table}", "target=price", "--out", str(tmp_path), *words(fast)])
    said = capsys.readouterr().err
    run = tfkit.Run(next(tmp_path.iterdir()))
    kept = pd.read_csv(run.folder / "predictions.csv")
    below = (kept["truth"] <= kept["predicted"]).mean()
    assert f"at or above 90% of the values; of the test rows it is {below:.1%}" in said
    assert below > 0.75


def test_the_same_seed_gives_the_same_bits_and_config_json_alone_repeats_a_run(run, tmp_path):
    again = tfkit.train("tabular", settings=run.folder / "config.json", out=tmp_path, quiet=True)
    for one, two in zip(run.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert run.metrics["test"] == again.metrics["test"]


def test_stdout_holds_the_folder_alone(table, tmp_path, capsys):
    code = main(["train", "tabular", f"table={table}", "target=bought", "--out", str(tmp_path), *words(FAST)])
    out, err = capsys.readouterr()
    assert code == 0
    [line] = out.splitlines()
    assert (tmp_path / line.rsplit("/", 1)[-1] / "metrics.json").exists()
    assert "boosted_trees" in err
    assert "Rows: 420 to train, 90 to validate, 90 to test" in err


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "nadam", "adagrad", "lion"])
def test_every_optimizer_trains(table, tmp_path, optimizer):
    fast = {**FAST, "optimizer": optimizer, "epochs": 1, "learning_rate": 1e-3}
    run = tfkit.train("tabular", table=table, target="price", out=tmp_path, test=False, quiet=True, **fast)
    assert np.isfinite(run.metrics["val"]["root_mean_squared_error"])


@pytest.mark.slow
@pytest.mark.parametrize("decay", ["none", "exponential", "step", "plateau"])
def test_every_decay_trains(table, tmp_path, decay):
    fast = {**FAST, "learning_rate_decay": decay, "epochs": 3, "learning_rate": 1e-3}
    run = tfkit.train("tabular", table=table, target="price", out=tmp_path, test=False, quiet=True, **fast)
    rates = pd.read_csv(run.folder / "history.csv")["learning_rate"]
    assert (rates.iloc[-1] < rates.iloc[0]) == (decay in ("exponential", "step"))


def test_gradient_descent_proper_is_one_step_an_epoch(table, tmp_path):
    fast = {**FAST, "batch_size": "all", "optimizer": "sgd", "learning_rate_decay": "none"}
    run = tfkit.train("tabular", table=table, target="price", out=tmp_path, test=False, quiet=True, **fast)
    assert run.config["batch_size"] == "all"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "target"),
    [
        ("label_smoothing", "bought"),
        ("focal", "bought"),
        ("absolute", "price"),
        ("huber", "price"),
        ("quantile", "price"),
    ],
)
@pytest.mark.parametrize("body", ["ensemble", "mlp"])
def test_every_loss_trains_every_body(table, tmp_path, loss, target, body):
    fast = {**FAST, "loss": loss, "body": body, "epochs": 1} | ({"members": 8} if body == "mlp" else {})
    run = tfkit.train("tabular", table=table, target=target, out=tmp_path, test=False, quiet=True, **fast)
    assert run.config["loss"] == loss


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": "price", "loss": "focal"}, "'price' is a number, so it can be squared, absolute, huber, quantile"),
        (
            {"target": "bought", "loss": "huber"},
            "'bought' has classes, so it can be cross_entropy, label_smoothing, focal",
        ),
        ({"target": "price", "loss": "quantile", "quantile": 0}, "`quantile` must be above 0 and below 1"),
        ({"target": "price", "quantile": 0.9}, "`quantile=` needs loss=quantile"),
        ({"target": "price", "class_weights": True}, "`class_weights` needs a target of classes"),
    ],
)
def test_what_does_not_fit_the_target_is_refused_and_leaves_nothing(table, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        tfkit.train("tabular", table=table, out=tmp_path, quiet=True, **{**FAST, **settings})
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_class_weights_raise_the_recall_of_the_rare_class(tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.normal(size=2000), "z": random.normal(size=2000)})
    frame["rare"] = np.where(random.random(2000) < 1 / (1 + np.exp(3 - frame["x"])), "yes", "no")
    frame.to_csv(tmp_path / "rare.csv", index=False)
    given = {"table": tmp_path / "rare.csv", "target": "rare", "out": tmp_path / "runs", "quiet": True}
    plain, weighted = (
        tfkit.train("tabular", **given, **FAST, class_weights=on).metrics["test"] for on in (False, True)
    )
    assert weighted["recall"] > plain["recall"] + 0.3


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_with_3(table, tmp_path, capsys):
    wild = {
        **FAST,
        "members": 8,
        "optimizer": "sgd",
        "learning_rate": 1e30,
        "weight_decay": 0.0,
        "learning_rate_decay": "none",
        "body": "mlp",
        "epochs": 5,
    }
    code = main(["train", "tabular", f"table={table}", "target=price", "--out", str(tmp_path), *words(wild)])
    assert code == 3
    assert "Rolled back 3 times" in capsys.readouterr().err.splitlines()[-1]
    [left] = tmp_path.glob("*/not_finite.json")
    found = json.loads(left.read_text())
    assert found["steps"][0] >= 1
    assert found["rows"]
    assert set(found["furthest"]) == {"inputs/numbers", "inputs/missing", "inputs/categories", "target"}
    with pytest.raises(NotFiniteError):
        tfkit.train("tabular", table=table, target="price", out=tmp_path, quiet=True, **wild)


def train_and_stop(monkeypatch, after, **settings):
    """Train a step a call, and be told to stop after so many."""
    from tfkit.resume import Checkpoint

    monkeypatch.setattr("tfkit.loop.SECONDS_A_CALL", 0.0)

    calls = []
    real = Checkpoint.on_train_batch_end

    def count(self, batch, logs=None):
        calls.append(batch)
        if len(calls) == after:
            self.stop = signal.SIGTERM
        real(self, batch, logs)

    monkeypatch.setattr(Checkpoint, "on_train_batch_end", count)
    with pytest.raises(Interrupted) as stopped:
        tfkit.train(**settings)
    monkeypatch.undo()
    return stopped.value


@pytest.mark.parametrize(
    ("refit", "after"),
    [
        pytest.param(False, 17, marks=pytest.mark.slow, id="fit"),
        pytest.param(True, 17, marks=pytest.mark.slow, id="before"),
        pytest.param(True, 39, marks=pytest.mark.slow, id="refit"),
    ],
)
def test_stopped_and_resumed_is_the_same_as_never_stopped(table, tmp_path, monkeypatch, refit, after):
    settings = {
        "recipe": "tabular",
        "table": table,
        "target": "bought",
        "quiet": True,
        **FAST,
        "epochs": 4,  # of 7 steps; the second time of 8
        "dropout": 0.2,
        "refit": refit,
    }
    straight = tfkit.train(**settings, out=tmp_path / "straight")
    stopped = train_and_stop(monkeypatch, after, **settings, out=tmp_path / "stopped")
    assert stopped.signal == signal.SIGTERM
    [folder] = (tmp_path / "stopped").iterdir()
    assert (folder / "checkpoints-refit").exists() == (after == 39)
    resumed = tfkit.train(resume=folder, quiet=True)
    assert resumed.folder == folder
    for one, two in zip(straight.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    columns = ["epoch", "loss", "val_loss", "learning_rate"]
    pd.testing.assert_frame_equal(
        pd.read_csv(straight.folder / "history.csv")[columns], pd.read_csv(folder / "history.csv")[columns]
    )
    assert straight.metrics["test"] == resumed.metrics["test"]


@pytest.mark.slow
def test_a_small_table_is_fitted_again_on_all_rows_but_the_test_rows(table, tmp_path, capfd):
    """What is refitted is what a training on these rows gives, and the baselines have the same rows."""
    import keras

    from tfkit import devices, loop

    recipe = tfkit.load("tabular")
    settings = {"table": table, "target": "price", **FAST, "refit": "auto", "class_weights": False}
    run = tfkit.train(recipe, **settings, out=tmp_path)
    assert run.config["refit"] is True
    assert "Fitted again on training and validation rows together, 510" in capfd.readouterr().err
    config = recipe.Config.of(run.config)
    data = recipe.data(config)
    (x, y, _), (more_x, more_y, _) = data.train.arrays, data.val.arrays
    rows = tfkit.Rows({name: np.concatenate([x[name], more_x[name]]) for name in x}, np.concatenate([y, more_y]))
    devices.set_up(seed=0, deterministic=True)
    model = recipe.model(config, dataclasses.replace(data, train=rows))
    loop.fit(model, rows, batch_size=64, epochs=2, seed=0)
    for one, other in zip(model.get_weights(), run.model.get_layer("tabular").get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    y = rows.arrays[1].astype("float64") * data.info["target"]["scale"] + data.info["target"]["mean"]
    truth = pd.read_csv(run.folder / "predictions.csv")["truth"]
    error = run.metrics["baselines"]["constant"]["root_mean_squared_error"]
    assert error == pytest.approx(np.sqrt(((truth - y.mean()) ** 2).mean()), rel=1e-6)
    history = pd.read_csv(run.folder / "history.csv")
    first = tfkit.train(recipe, **settings | {"refit": False}, out=tmp_path, quiet=True)
    assert history["val_loss"].tolist() == pd.read_csv(first.folder / "history.csv")["val_loss"].tolist()
    assert run.metrics["val"] == first.metrics["val"]  # of the weights that had not seen these rows
    assert run.metrics["test"] != first.metrics["test"]
    keras.backend.clear_session()


def test_a_plateau_needs_validation_rows(table, tmp_path):
    plateau = {"table": table, "target": "price", "learning_rate_decay": "plateau", "out": tmp_path / "runs"}
    with pytest.raises(UserError, match="learning_rate_decay=plateau needs validation rows"):
        tfkit.train("tabular", **plateau, refit=True)
    run = tfkit.train("tabular", **plateau, **{**FAST, "refit": "auto", "epochs": 1}, test=False, quiet=True)
    assert run.config["refit"] is False


@pytest.mark.slow
def test_resume_refuses_what_would_not_be_the_same_run(table, tmp_path, monkeypatch, run, capsys):
    settings = {"recipe": "tabular", "table": table, "target": "bought", "quiet": True, **FAST}
    train_and_stop(monkeypatch, 1, **settings, out=tmp_path, test=False)
    [folder] = tmp_path.iterdir()
    with pytest.raises(UserError, match=r"begin a new one for others. Received: epochs=9"):
        tfkit.train(resume=folder, quiet=True, epochs=9)
    about = json.loads((folder / "about.json").read_text())
    (folder / "about.json").write_text(json.dumps({**about, "versions": {**about["versions"], "keras": "3.0.0"}}))
    with pytest.raises(UserError, match=r"the same versions.*was 3\.0\.0"):
        tfkit.train(resume=folder, quiet=True)
    (folder / "about.json").write_text(json.dumps({**about, "data": "other"}))
    with pytest.raises(UserError, match="data that it began with"):
        tfkit.train(resume=folder, quiet=True)
    with pytest.raises(UserError, match="must be finished; go on with"):
        _ = tfkit.Run(folder).metrics
    (folder / "about.json").write_text(json.dumps(about))
    assert tfkit.train(resume=folder, anyway=True, quiet=True).metrics["test"] == {}  # as it was begun: without
    before = (folder / "metrics.json").stat().st_mtime_ns
    assert main(["train", "--resume", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert out.strip() == str(folder)
    assert "Already finished" in err
    assert (folder / "metrics.json").stat().st_mtime_ns == before


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_real_signal_and_then_resume(table, tmp_path, number, code):
    """The command, stopped for real in the midst of training, goes on to the end when it is asked to."""
    settings = words({**FAST, "epochs": 3000})
    command = [sys.executable, "-m", "tfkit", "train", "tabular", f"table={table}", "target=bought", *settings]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (started := list(tmp_path.glob("*/journal.jsonl"))) or not started[0].read_text():
        assert time.monotonic() < deadline, process.communicate()
        time.sleep(0.2)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == code
    [folder] = tmp_path.iterdir()
    if number != signal.SIGKILL:
        assert f"go on with --resume {folder}" in err
        assert list((folder / "checkpoints").glob("*.npz"))
    config = json.loads((folder / "config.json").read_text())
    assert config["epochs"] == 3000


PAGE = tfkit.load("tabular").page.read_text()


@pytest.mark.slow
def test_a_page_taken_home_is_resumed_as_it_is_and_not_as_another(table, tmp_path, monkeypatch):
    page = tmp_path / "tabular.py"  # called like the one that ships, and with a setting of its own
    page.write_text(PAGE.replace("    embedding_dim:", "    own: int = 1  # nothing\n    embedding_dim:"))
    settings = {"recipe": page, "table": table, "target": "bought", "quiet": True, **FAST}
    train_and_stop(monkeypatch, 1, **settings, out=tmp_path / "runs")
    [folder] = (tmp_path / "runs").iterdir()
    page.write_text(page.read_text() + "\n")
    with pytest.raises(UserError, match=r"the page that it began with.*which differs"):
        tfkit.train(resume=folder, quiet=True)
    page.write_text(page.read_text()[:-1])
    assert tfkit.train(resume=folder, quiet=True).config["own"] == 1


def one_member(config, data):
    return tfkit.load("tabular").model(config.model_copy(update={"members": 1}), data)


def other_shape(config, data):
    import keras

    inputs = tfkit.inputs(data.train)
    model = keras.Model(inputs, keras.layers.Dense(7)(inputs["numbers"]))
    model.compile("sgd", "mse")
    return model


@pytest.mark.slow
def test_a_model_of_ones_own_must_fit_and_is_given_again_to_resume(table, tmp_path, monkeypatch):
    given = {"table": table, "target": "bought", "quiet": True, **FAST}
    with pytest.raises(UserError, match=r"logits \(rows, classes\).*shape \(None, 7\)"):
        tfkit.train(tfkit.load("tabular").replace(model=other_shape), out=tmp_path / "runs", **given)
    assert not (tmp_path / "runs").exists()
    mine = tfkit.load("tabular").replace(model=one_member)
    train_and_stop(monkeypatch, 1, recipe=mine, out=tmp_path / "runs", **given)
    [folder] = (tmp_path / "runs").iterdir()
    assert not (folder / "page.py").exists()
    with pytest.raises(UserError, match="was made in memory; give it again"):
        tfkit.train(resume=folder, quiet=True)
    assert tfkit.train(mine, resume=folder, quiet=True).finished


def own_schedule(config, data):
    import keras

    model = one_member(config, data)
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 100, 0.5)  # which nobody can cut while it runs
    model.compile(keras.optimizers.Adam(rate), model.loss)
    return model


def test_a_model_of_ones_own_may_have_a_schedule_of_its_own(table, tmp_path):
    mine = tfkit.load("tabular").replace(model=own_schedule)
    given = {"table": table, "target": "bought", "test": False, "quiet": True, **FAST, "epochs": 1}
    run = tfkit.train(mine, out=tmp_path, **given)
    [line] = [json.loads(line) for line in (run.folder / "journal.jsonl").read_text().splitlines()]
    assert 0 < line["learning_rate"] < 0.01
    assert line["gradient_norm"] > 0
    assert line["rows_per_second"] > 0


def test_a_metric_whose_direction_is_not_known_is_refused(table, tmp_path):
    strange = tfkit.load("tabular").replace(monitor="val_mood")
    with pytest.raises(UserError, match="must say where its monitor is best"):
        tfkit.train(strange, table=table, target="bought", out=tmp_path / "runs", quiet=True, **FAST)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("precision", [pytest.param("mixed_float16", marks=pytest.mark.slow), "mixed_bfloat16"])
def test_half_precision_is_of_the_model_alone(table, tmp_path, precision):
    """What is prepared and what is said stay float32, and the process is left as it was."""
    import keras

    fast = {**FAST, "precision": precision, "epochs": 1}
    run = tfkit.train("tabular", table=table, target="price", out=tmp_path, test=False, quiet=True, **fast)
    assert keras.config.dtype_policy().name == "float32"
    core = run.model.get_layer("tabular")
    assert {layer.compute_dtype for layer in core.layers if "ensemble_mlp" in layer.name} == {precision[6:]}
    assert {layer.compute_dtype for layer in run.model.layers if layer is not core} <= {
        "float32",
        "int32",
        "int64",
        "string",
    }
    assert np.isfinite(run.metrics["val"]["root_mean_squared_error"])
