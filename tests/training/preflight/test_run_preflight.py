"""Tests of the checks before training: their warnings and errors, and that they change nothing."""

from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.cli.main import main
from tfkit.errors import UserError
from tfkit.training.preflight import data_warnings, memory, run_preflight

FAST = {"epochs": 1, "units": 8, "architecture": "mlp", "num_bins": 8, "batch_size": 32, "refit": False}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A numeric target that depends on `x`, a column that leaks the target, and duplicated rows."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.normal(size=600), "word": random.choice(["a", "=b"], 600)})
    frame["y"] = (frame["x"] + random.normal(size=600)).round(3)
    frame["bill"] = frame["y"] * 2
    path = tmp_path_factory.mktemp("table") / "t.csv"
    pd.concat([frame, frame[:300]]).to_csv(path, index=False)
    return path


def cli_settings(settings):
    return [f"{name}={value}" for name, value in settings.items()]


def test_shared_rows_are_found_whatever_the_text_length():
    def make_split(*cells):
        lengths = np.array([len(cell) for cell in cells], "float32")
        raw = {"word": np.array(cells, object)[:, None], "n": lengths[:, None]}
        return tfkit.ArrayDataset(raw["n"], np.zeros(len(cells)), raw=raw)

    data = SimpleNamespace(
        train=make_split("x", "yy", "a long word"), val=make_split("yy", "q"), test=make_split("z", "y")
    )
    (message,) = data_warnings._duplicate_warnings(data)
    assert message.startswith("1 of 2 rows of the validation split")


@pytest.mark.slow
def test_warnings_are_logged_and_stored_and_drift_is_logged(table, tmp_path, capsys):
    settings = {**FAST, "data": table, "target": "y", "duplicates": "keep"}
    assert main(["train", "tabular", *cli_settings(settings), "--skip-test", "--out", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    run = tfkit.Run(out.strip())
    leakage, *shared = run.provenance["warnings"]
    assert leakage.startswith("bill alone predicts 99.")
    assert leakage.endswith("% of y; if it is not known at prediction time, set exclude_columns=bill")
    assert len(shared) == 2
    assert "rows of the test split are training rows too" in shared[1]
    assert all(f"Check before training: {message}" in err for message in run.provenance["warnings"])
    assert all(f"Warning: {message}" in err for message in run.provenance["warnings"])  # again after the scores
    html = run.path("report.html").read_text(encoding="utf-8")
    assert html.index("Read the scores with care") < html.index("<li>Bill alone predicts 99.") < html.index("<nav")
    assert not list(run.folder.glob("checkpoints*"))
    assert run.metrics["seconds"]["checks"] > 0

    drifted = pd.read_csv(table).assign(x=lambda frame: frame["x"] + 10)
    drifted.to_csv(tmp_path / "today.csv", index=False)
    assert main(["predict", str(run.folder), str(tmp_path / "today.csv"), "--escape-formulas"]) == 0
    assert "Data drift from the training rows (population stability index above 0.25): x " in capsys.readouterr().err
    predictions = pd.read_csv(tmp_path / "today.predicted.csv")
    assert set(predictions["word"]) == {"a", "'=b"}
    assert predictions["predicted"].dtype.kind == "f"
    assert main(["predict", str(run.folder), str(table)]) == 0
    assert "Data drift" not in capsys.readouterr().err

    assert main(["evaluate", str(run.folder), str(table)]) == 0
    assert "900 rows are training rows of this model, so the scores are too good" in capsys.readouterr().err
    assert main(["evaluate", str(run.folder), str(tmp_path / "today.csv")]) == 0
    assert "training rows of this model" not in capsys.readouterr().err


def test_batch_that_does_not_fit_creates_no_run(table, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "free_memory_bytes", lambda: 10**5)
    with pytest.raises(UserError, match=r"A batch must fit into memory; (set batch_size=\d+|make the model smaller)"):
        tfkit.train("tabular", data=table, target="y", out=tmp_path / "runs", quiet=True, **FAST | {"batch_size": 400})
    assert not (tmp_path / "runs").exists()


def test_validation_rows_are_evaluated_and_the_model_does_not_change():
    random = np.random.default_rng(0)
    rows = tfkit.ArrayDataset(random.normal(size=(20, 3)).astype("float32"), np.ones(20, "float32"))
    nan_targets = tfkit.ArrayDataset(rows.arrays[0], np.full(20, np.nan, "float32"))
    model = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    model.test_step((np.zeros((1, 3)), np.zeros(1)))  # creates the metrics
    model.reset_metrics()
    initial_values = [variable.numpy() for variable in [*model.variables, *model.metrics_variables]]
    config = SimpleNamespace(seed=0)
    norm, loss = run_preflight._try_step(model, SimpleNamespace(train=rows, val=rows, augment=None), config)
    x, y, _ = rows.take(np.arange(run_preflight.PREFLIGHT_ROWS))
    assert norm > 0
    assert loss == pytest.approx(np.mean((model(x, training=False)[:, 0] - y) ** 2), rel=1e-5)
    assert np.isnan(
        run_preflight._try_step(model, SimpleNamespace(train=rows, val=nan_targets, augment=None), config)[1]
    )
    for variable, value in zip([*model.variables, *model.metrics_variables], initial_values, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_targets_outside_the_range_of_the_loss_create_no_run(table, tmp_path):
    recipe = tfkit.load_recipe("tabular")

    def model(config, data):
        poisson_model = recipe.model(config, data)
        poisson_model.compile("sgd", "poisson")  # half of the standardized targets are negative
        return poisson_model

    with pytest.raises(UserError, match="The loss poisson accepts targets of at least 0"):
        tfkit.train(recipe.replace(model=model), data=table, target="y", out=tmp_path / "runs", quiet=True, **FAST)
    assert not list(tmp_path.glob("runs/*"))
