"""What is said before a run begins to train, and what is left as it was."""

from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.checks import before, memory, rows
from tfkit.cli import main
from tfkit.errors import UserError

FAST = {"epochs": 1, "units": 8, "body": "mlp", "bins": 8, "batch_size": 32, "refit": False}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A number that depends on another; a column that is known only afterwards; rows that stand there twice."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.normal(size=600), "word": random.choice(["a", "=b"], 600)})
    frame["y"] = (frame["x"] + random.normal(size=600)).round(3)
    frame["bill"] = frame["y"] * 2
    path = tmp_path_factory.mktemp("table") / "t.csv"
    pd.concat([frame, frame[:300]]).to_csv(path, index=False)
    return path


def words(settings):
    return [f"{name}={value}" for name, value in settings.items()]


def test_rows_in_two_splits_are_found_however_long_the_words_of_each_are():
    def split(*cells):
        lengths = np.array([len(cell) for cell in cells], "float32")
        raw = {"word": np.array(cells, object)[:, None], "n": lengths[:, None]}
        return tfkit.Rows(raw["n"], np.zeros(len(cells)), raw=raw)

    data = SimpleNamespace(train=split("x", "yy", "a long word"), val=split("yy", "q"), test=split("z", "y"))
    (said,) = rows._shared(data)
    assert said.startswith("1 of 2 rows of the validation split")


def test_what_is_strange_is_said_and_kept_and_rows_that_moved_too(table, tmp_path, capsys):
    settings = {**FAST, "table": table, "target": "y", "duplicates": "keep"}
    assert main(["train", "tabular", *words(settings), "--no-test", "--out", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    run = tfkit.Run(out.strip())
    leak, *shared = run.about["warnings"]
    assert leak.startswith("bill alone tells 99.")
    assert leak.endswith("% of y; if it is known only later, leave_out=bill")
    assert len(shared) == 2
    assert "rows of the test split stand in the training rows too" in shared[1]
    assert all(f"Look: {each}" in err for each in run.about["warnings"])
    assert not list(run.folder.glob("checkpoints*"))
    assert run.metrics["seconds"]["checks"] > 0

    moved = pd.read_csv(table).assign(x=lambda rows: rows["x"] + 10)
    moved.to_csv(tmp_path / "today.csv", index=False)
    assert main(["predict", str(run.folder), str(tmp_path / "today.csv"), "--safe-csv"]) == 0
    assert "Unlike the training rows (population stability index above 0.25): x " in capsys.readouterr().err
    said = pd.read_csv(tmp_path / "today.predicted.csv")
    assert set(said["word"]) == {"a", "'=b"}
    assert said["predicted"].dtype.kind == "f"
    assert main(["predict", str(run.folder), str(table)]) == 0
    assert "Unlike" not in capsys.readouterr().err


def test_a_batch_that_cannot_fit_leaves_no_run(table, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "memory", lambda: 10**5)
    with pytest.raises(UserError, match=r"A batch must fit into memory; (give batch_size=\d+|make the model smaller)"):
        tfkit.train("tabular", table=table, target="y", out=tmp_path / "runs", quiet=True, **FAST | {"batch_size": 400})
    assert not (tmp_path / "runs").exists()


def test_a_few_validation_rows_are_scored_and_all_is_as_it_was():
    random = np.random.default_rng(0)
    rows = tfkit.Rows(random.normal(size=(20, 3)).astype("float32"), np.ones(20, "float32"))
    without = tfkit.Rows(rows.arrays[0], np.full(20, np.nan, "float32"))
    model = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    model.test_step((np.zeros((1, 3)), np.zeros(1)))  # makes the metrics
    model.reset_metrics()
    kept = [variable.numpy() for variable in [*model.variables, *model.metrics_variables]]
    config = SimpleNamespace(seed=0)
    norm, loss = before._try_step(model, SimpleNamespace(train=rows, val=rows, augment=None), config)
    x, y, _ = rows.take(np.arange(before.ROWS))
    assert norm > 0
    assert loss == pytest.approx(np.mean((model(x, training=False)[:, 0] - y) ** 2), rel=1e-5)
    assert np.isnan(before._try_step(model, SimpleNamespace(train=rows, val=without, augment=None), config)[1])
    for variable, value in zip([*model.variables, *model.metrics_variables], kept, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_targets_that_the_loss_cannot_take_leave_no_run(table, tmp_path):
    recipe = tfkit.load("tabular")

    def model(config, data):
        found = recipe.model(config, data)
        found.compile("sgd", "poisson")  # of a standardised number, half of whose values are below 0
        return found

    with pytest.raises(UserError, match="The loss poisson takes targets of at least 0"):
        tfkit.train(recipe.replace(model=model), table=table, target="y", out=tmp_path / "runs", quiet=True, **FAST)
    assert not list(tmp_path.glob("runs/*"))
