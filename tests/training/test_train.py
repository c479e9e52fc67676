"""Tests of complete training runs: files, scores, settings, from Python and the command line."""

import dataclasses
import json
import re

import keras
import numpy as np
import pandas as pd
import pytest

import tfkit
from tests.training.train_cases import FAST, single_member_model, to_arguments, write_table
from tfkit.cli.main import main
from tfkit.errors import NotFiniteError, UserError
from tfkit.training import fit, seeding


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("table") / "shop.csv")


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    return tfkit.train("tabular", data=table, target="bought", exclude_columns=["price"], out=out, quiet=True, **FAST)


@pytest.fixture(scope="module")
def regression_run(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    return tfkit.train("tabular", data=table, target="price", exclude_columns=["bought"], out=out, quiet=True, **FAST)


def test_run_writes_the_expected_files(run):
    names = {path.name for path in run.folder.iterdir()}
    assert names >= {
        "config.json",
        "provenance.json",
        "metadata.json",
        "metrics.json",
        "history.csv",
        "predictions.csv",
    }
    assert names >= {"model.keras", "recipe.py", "sample_inputs.npz", "history.jsonl"}
    assert not [name for name in names if "part" in name or name == "checkpoints"]
    assert "auto" not in [
        run.config[name] for name in ("epochs", "batch_size", "learning_rate", "units", "loss", "task")
    ]
    assert set(run.provenance) >= {"versions", "commit", "devices", "command", "data", "best_epoch", "recipe_file"}
    history = pd.read_csv(run.folder / "history.csv")
    assert list(history["epoch"]) == [1, 2]
    assert set(history) >= {"loss", "val_loss", "learning_rate", "seconds"}


def test_keys_of_metrics(run, regression_run):
    metrics = run.metrics
    expected = ["task", "positive_class", "val", "test", "intervals", "classes", "baselines", "best_baseline"]
    expected += ["verdict", "seconds"]
    assert sorted(metrics) == sorted(expected)
    assert metrics["task"] == "classification"
    counts = run.metadata["target"]["counts"]
    assert metrics["positive_class"] == min(counts, key=counts.get)
    assert set(metrics["baselines"]) == {"dummy", "linear", "gradient_boosting"}
    assert set(metrics["classes"]) == {"no", "yes"}
    low, high = metrics["intervals"]["accuracy"]
    assert low <= metrics["test"]["accuracy"] <= high
    assert regression_run.metrics["task"] == "regression"
    assert set(regression_run.metrics["test"]) == {
        "root_mean_squared_error",
        "mean_absolute_error",
        "r2",
        "median_absolute_error",
    }


@pytest.mark.slow
def test_scores_can_be_recomputed_from_saved_predictions(run, regression_run):
    """The scores in metrics.json can be recomputed from predictions.csv."""
    saved = pd.read_csv(run.folder / "predictions.csv")
    assert (saved["actual"] == saved["predicted"]).mean() == pytest.approx(run.metrics["test"]["accuracy"])
    assert saved[["probability_no", "probability_yes"]].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)
    saved = pd.read_csv(regression_run.folder / "predictions.csv")
    error = np.sqrt(((saved["actual"] - saved["predicted"]) ** 2).mean())
    assert error == pytest.approx(regression_run.metrics["test"]["root_mean_squared_error"], rel=1e-4)


@pytest.mark.parametrize("target", ["bought", "price"])
def test_predict_on_raw_rows_equals_saved_predictions(table, tmp_path, target):
    frame = pd.read_csv(table)
    frame[:400].to_csv(tmp_path / "train.csv", index=False)
    frame[400:].to_csv(tmp_path / "test.csv", index=False)
    settings = {"data": tmp_path / "train.csv", "test_data": tmp_path / "test.csv", "target": target, **FAST}
    run = tfkit.train("tabular", out=tmp_path / "runs", quiet=True, **settings)
    saved, predicted = pd.read_csv(run.folder / "predictions.csv"), run.predict(tmp_path / "test.csv")
    assert len(saved) == len(predicted) == 200
    for name in set(predicted) - {"predicted"} or {"predicted"}:
        np.testing.assert_allclose(predicted[name], saved[name], rtol=1e-4, atol=1e-6)
    assert run.evaluate(tmp_path / "test.csv")["test"] == pytest.approx(run.metrics["test"], rel=1e-4)


@pytest.mark.slow
def test_test_rows_can_be_skipped(table, tmp_path):
    settings = {**FAST, "report": True}
    run = tfkit.train("tabular", data=table, target="bought", out=tmp_path, skip_test=True, quiet=True, **settings)
    analysis = run.read_json("analysis.json")
    assert "learning" in analysis
    assert analysis["skipped"] == {}, "analyses of the test rows do not apply"
    assert run.metrics["test"] == {}
    assert run.metrics["val"]
    assert not (run.folder / "predictions.csv").exists()
    assert run.export("savedmodel").is_dir()


@pytest.mark.slow
def test_coverage_of_a_quantile_is_reported(table, tmp_path, capsys):
    settings = {**FAST, "loss": "quantile", "quantile": 0.9, "epochs": 20}
    main(["train", "tabular", f"data={table}", "target=price", "--out", str(tmp_path), *to_arguments(settings)])
    stderr = capsys.readouterr().err
    run = tfkit.Run(next(tmp_path.iterdir()))
    saved = pd.read_csv(run.folder / "predictions.csv")
    below = (saved["actual"] <= saved["predicted"]).mean()
    assert f"predicts the 90% quantile: {below:.1%} of the test targets are at or below the prediction" in stderr
    assert below > 0.75


@pytest.mark.slow
def test_config_json_reproduces_the_run_bit_for_bit(run, tmp_path):
    repeated_run = tfkit.train("tabular", config=run.folder / "config.json", out=tmp_path, quiet=True)
    for weights, repeated_weights in zip(run.model.get_weights(), repeated_run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, repeated_weights)
    assert run.metrics["test"] == repeated_run.metrics["test"]


@pytest.mark.slow
def test_stdout_contains_only_the_run_folder(table, tmp_path, capsys):
    code = main(["train", "tabular", f"data={table}", "target=bought", "--out", str(tmp_path), *to_arguments(FAST)])
    out, err = capsys.readouterr()
    assert code == 0
    [line] = out.splitlines()
    assert (tmp_path / line.rsplit("/", 1)[-1] / "metrics.json").exists()
    assert "gradient_boosting" in err
    assert "Rows: 420 for training, 90 for validation, 90 for testing" in err


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "nadam", "adagrad", "lion"])
def test_every_optimizer_trains(table, tmp_path, optimizer):
    settings = {**FAST, "optimizer": optimizer, "epochs": 1, "learning_rate": 1e-3}
    run = tfkit.train("tabular", data=table, target="price", out=tmp_path, skip_test=True, quiet=True, **settings)
    assert np.isfinite(run.metrics["val"]["root_mean_squared_error"])


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["none", "exponential", "step", "plateau"])
def test_every_schedule_trains(table, tmp_path, schedule):
    settings = {**FAST, "learning_rate_schedule": schedule, "epochs": 3, "learning_rate": 1e-3}
    run = tfkit.train("tabular", data=table, target="price", out=tmp_path, skip_test=True, quiet=True, **settings)
    rates = pd.read_csv(run.folder / "history.csv")["learning_rate"]
    assert (rates.iloc[-1] < rates.iloc[0]) == (schedule in ("exponential", "step"))


@pytest.mark.parametrize(("target", "metric"), [("bought", "balanced_accuracy"), ("price", "r2")])
def test_the_best_epoch_is_chosen_by_the_metric(table, tmp_path, target, metric):
    settings = {**FAST, "epochs": 4, "best_epoch_by": "metric", "metric": metric, "refit": False}
    run = tfkit.train("tabular", data=table, target=target, out=tmp_path, skip_test=True, quiet=True, **settings)
    scores = pd.read_csv(run.folder / "history.csv")[f"val_{metric}"]
    assert run.provenance["best_epoch"] == scores.argmax() + 1
    assert run.metrics["val"][metric] == pytest.approx(scores.max(), abs=1e-6)


def test_full_batch_gradient_descent(table, tmp_path):
    settings = {**FAST, "batch_size": "all", "optimizer": "sgd", "learning_rate_schedule": "none"}
    run = tfkit.train("tabular", data=table, target="price", out=tmp_path, skip_test=True, quiet=True, **settings)
    assert run.config["batch_size"] == "all"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "target"),
    [
        ("label_smoothing", "bought"),
        ("focal", "bought"),
        ("mae", "price"),
        ("huber", "price"),
        ("quantile", "price"),
    ],
)
@pytest.mark.parametrize("architecture", ["tabm", "mlp"])
def test_every_loss_trains_every_architecture(table, tmp_path, loss, target, architecture):
    settings = {**FAST, "loss": loss, "architecture": architecture, "epochs": 1}
    settings |= {"ensemble_size": 8} if architecture == "mlp" else {}
    run = tfkit.train("tabular", data=table, target=target, out=tmp_path, skip_test=True, quiet=True, **settings)
    assert run.config["loss"] == loss


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": "price", "loss": "focal"}, "with task=regression it can be mse, mae, huber, quantile"),
        (
            {"target": "bought", "loss": "huber"},
            "with task=classification it can be cross_entropy, label_smoothing, focal",
        ),
        ({"target": "price", "loss": "quantile", "quantile": 0}, "`quantile` must be a number > 0 and < 1"),
        ({"target": "price", "quantile": 0.9}, "`quantile=` needs loss=quantile"),
        ({"target": "price", "balance_classes": True}, "`balance_classes` needs a target of classes"),
    ],
)
def test_settings_that_do_not_fit_the_target_raise(table, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        tfkit.train("tabular", data=table, out=tmp_path, quiet=True, **{**FAST, **settings})
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_balanced_classes_raise_the_recall_of_the_rare_class(tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.normal(size=2000), "z": random.normal(size=2000)})
    frame["rare"] = np.where(random.random(2000) < 1 / (1 + np.exp(3 - frame["x"])), "yes", "no")
    frame.to_csv(tmp_path / "rare.csv", index=False)
    settings = {"data": tmp_path / "rare.csv", "target": "rare", "out": tmp_path / "runs", "quiet": True}
    unweighted, weighted = (
        tfkit.train("tabular", **settings, **FAST, balance_classes=on).metrics["test"] for on in (False, True)
    )
    assert weighted["recall"] > unweighted["recall"] + 0.3


@pytest.mark.slow
def test_loss_that_is_not_finite_exits_with_3(table, tmp_path, capsys):
    diverging = {
        **FAST,
        "ensemble_size": 8,
        "optimizer": "sgd",
        "learning_rate": 1e30,
        "weight_decay": 0.0,
        "learning_rate_schedule": "none",
        "architecture": "mlp",
        "epochs": 5,
    }
    code = main(["train", "tabular", f"data={table}", "target=price", "--out", str(tmp_path), *to_arguments(diverging)])
    assert code == 3
    retry, error = capsys.readouterr().err.splitlines()[-2:]
    assert re.search(
        r"Try: .*tfkit train tabular --config \S+config.json learning_rate=1e\+29 global_clipnorm=1$", retry
    )
    assert "Rolled back 3 times" in error
    assert "lower learning_rate to a tenth and set global_clipnorm=1" in error
    [report_path] = tmp_path.glob("*/nan_report.json")
    report = json.loads(report_path.read_text())
    assert report["steps"][0] >= 1
    assert report["rows"]
    assert set(report["furthest"]) == {"inputs/numbers", "inputs/missing", "inputs/categories", "target"}
    with pytest.raises(NotFiniteError):
        tfkit.train("tabular", data=table, target="price", out=tmp_path, quiet=True, **diverging)


@pytest.mark.slow
def test_refit_uses_training_and_validation_rows(table, tmp_path, capfd):
    """The refit equals training on both splits; the baselines use the same rows."""
    recipe = tfkit.load_recipe("tabular")
    settings = {"data": table, "target": "price", **FAST, "refit": "auto", "balance_classes": False}
    run = tfkit.train(recipe, **settings, out=tmp_path)
    assert run.config["refit"] is True
    assert "Refit on training and validation rows together: 510" in capfd.readouterr().err
    config = recipe.Config.from_dict(run.config)
    data = recipe.data(config)
    (x, y, _), (val_x, val_y, _) = data.train.arrays, data.val.arrays
    rows = tfkit.ArrayDataset({name: np.concatenate([x[name], val_x[name]]) for name in x}, np.concatenate([y, val_y]))
    seeding.seed_everything(seed=0, deterministic=True)
    model = recipe.model(config, dataclasses.replace(data, train=rows))
    fit.fit(model, rows, batch_size=64, epochs=2, seed=0)
    for expected, actual in zip(model.get_weights(), run.model.get_layer("tabular").get_weights(), strict=True):
        np.testing.assert_array_equal(expected, actual)
    y = rows.arrays[1].astype("float64") * data.metadata.target.scale + data.metadata.target.mean
    y_true = pd.read_csv(run.folder / "predictions.csv")["actual"]
    error = run.metrics["baselines"]["dummy"]["root_mean_squared_error"]
    assert error == pytest.approx(np.sqrt(((y_true - y.mean()) ** 2).mean()), rel=1e-6)
    history = pd.read_csv(run.folder / "history.csv")
    without_refit = tfkit.train(recipe, **settings | {"refit": False}, out=tmp_path, quiet=True)
    assert history["val_loss"].tolist() == pd.read_csv(without_refit.folder / "history.csv")["val_loss"].tolist()
    assert run.metrics["val"] == without_refit.metrics["val"]  # scores of the weights before the refit
    assert run.metrics["test"] != without_refit.metrics["test"]
    keras.backend.clear_session()


@pytest.mark.slow
def test_plateau_schedule_needs_validation_rows(table, tmp_path):
    plateau = {"data": table, "target": "price", "learning_rate_schedule": "plateau", "out": tmp_path / "runs"}
    with pytest.raises(UserError, match="learning_rate_schedule=plateau needs validation rows"):
        tfkit.train("tabular", **plateau, refit=True)
    run = tfkit.train("tabular", **plateau, **{**FAST, "refit": "auto", "epochs": 1}, skip_test=True, quiet=True)
    assert run.config["refit"] is False


def model_with_schedule(config, data):
    model = single_member_model(config, data)
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 100, 0.5)  # a schedule cannot be changed by a callback
    model.compile(keras.optimizers.Adam(rate), model.loss)
    return model


@pytest.mark.slow
def test_custom_model_with_its_own_schedule(table, tmp_path):
    custom = tfkit.load_recipe("tabular").replace(model=model_with_schedule)
    settings = {"data": table, "target": "bought", "skip_test": True, "quiet": True, **FAST, "epochs": 1}
    run = tfkit.train(custom, out=tmp_path, **settings)
    [line] = [json.loads(line) for line in (run.folder / "history.jsonl").read_text().splitlines()]
    assert 0 < line["learning_rate"] < 0.01
    assert line["gradient_norm"] > 0
    assert line["rows_per_second"] > 0


def test_monitor_without_known_direction_raises(table, tmp_path):
    custom = tfkit.load_recipe("tabular").replace(monitor="val_custom")
    with pytest.raises(UserError, match="must say where its monitor is best"):
        tfkit.train(custom, data=table, target="bought", out=tmp_path / "runs", quiet=True, **FAST)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("precision", [pytest.param("mixed_float16", marks=pytest.mark.slow), "mixed_bfloat16"])
def test_mixed_precision_applies_to_the_model_only(table, tmp_path, precision):
    """Preprocessing, predictions and the global dtype policy stay float32."""
    settings = {**FAST, "precision": precision, "epochs": 1}
    run = tfkit.train("tabular", data=table, target="price", out=tmp_path, skip_test=True, quiet=True, **settings)
    assert keras.config.dtype_policy().name == "float32"
    network = run.model.get_layer("tabular")
    assert {layer.compute_dtype for layer in network.layers if "tab_m" in layer.name} == {precision[6:]}
    assert {layer.compute_dtype for layer in run.model.layers if layer is not network} <= {
        "float32",
        "int32",
        "int64",
        "string",
    }
    assert np.isfinite(run.metrics["val"]["root_mean_squared_error"])
