"""Unusual but valid input is accepted, for training and for prediction."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.robustness.bad_input.conftest import ROWS, table, write_rows


@pytest.mark.slow
def test_empty_and_constant_columns_are_excluded(train):
    run, log = train(table(empty=None, same="k"))
    assert run.metadata["columns"]["empty"]["treatment"] == "excluded: missing in every row"
    assert run.metadata["columns"]["same"]["treatment"] == "excluded: the same in every row"
    assert list(run.metadata["inputs"]) == ["a", "b"]
    assert "excluded: missing in every row" in log


@pytest.mark.slow
def test_infinite_numbers_are_missing(train):
    run, _ = train(table(c=np.where(np.arange(ROWS) % 5 == 0, np.inf, np.arange(ROWS) / 2)))
    assert "cells that are not finite numbers count as missing" in run.metadata["columns"]["c"]["treatment"]
    assert run.metadata["missing"] == [1]
    predictions = run.predict({"a": [0.0, -np.inf], "b": ["x", "x"], "c": [np.inf, np.nan]})
    assert np.isfinite(predictions["probability_u"]).all()


@pytest.mark.slow
def test_numbers_may_have_thousands_separators(train):
    values = np.random.default_rng(0).integers(0, 10**6, 2 * ROWS).reshape(2, ROWS)
    columns = {"c": [f"{n:,}" for n in values[0]], "y": [f"{n:,}" for n in values[1]]}
    run, _ = train(table(**columns))
    assert run.metadata["columns"]["c"]["kind"] == "number"
    assert run.metadata["target"]["task"] == "regression"
    assert values[1].min() <= run.metadata["target"]["mean"] <= values[1].max()
    predictions = [run.predict(table(1, c=cell))["predicted"][0] for cell in ("12,345", 12345)]
    assert predictions[0] == predictions[1]


@pytest.mark.slow
def test_table_smaller_than_a_batch(train):
    run, log = train(table(12, y=["u", "v"] * 6), "batch_size=512")
    assert "8 rows, batch size 8" in log
    assert run.finished


@pytest.mark.slow
def test_class_with_one_row(train):
    run, _ = train(table(y=["w", *["u", "v"] * 39, "u"]))
    assert run.metadata["target"]["classes"] == ["u", "v", "w"]
    assert run.metadata["target"]["counts"]["w"] == 1, "the row is in the training split"
    assert set(run.predict(table(3))) == {"predicted", "probability_u", "probability_v", "probability_w"}


def test_file_with_extra_columns_and_unseen_categories_is_predicted(run_command, model):
    path, log = run_command("predict", model.folder, write_rows(b="new", extra=1, z="TRUE"))
    assert path == "rows.predicted.csv"
    predictions = pd.read_csv(path)
    assert list(predictions) == ["a", "b", "y", "d", "z", "extra", "predicted", "probability_u", "probability_v"]
    np.testing.assert_allclose(predictions["probability_u"] + predictions["probability_v"], 1, rtol=1e-5)
    assert "Columns not seen in training are ignored: 'extra'" in log
    assert "b: 20 cells have categories that were not seen in training, or only once: 'new'" in log
    assert "z:" not in log


def test_single_unreadable_cells_are_missing(run_command, model):
    _, log = run_command("predict", model.folder, write_rows(a=["abc", *[1.5] * 19]), "--out", "out.csv")
    assert "a: 1 of 20 cells are not finite numbers and count as missing, such as 'abc'" in log


@pytest.mark.slow
def test_column_order_does_not_change_predictions(run_command, model):
    frame = table(20, d="05.01.2024", z=["yes", "no"] * 10)
    first, _ = run_command("predict", model.folder, write_rows(frame), "--out", "first.csv")
    reordered, _ = run_command(
        "predict", model.folder, write_rows(frame[["z", "d", "b", "a"]]), "--out", "reordered.csv"
    )
    assert pd.read_csv(first)["probability_u"].tolist() == pd.read_csv(reordered)["probability_u"].tolist()


@pytest.mark.slow
def test_duplicated_rows_are_dropped(train):
    run, log = train(pd.concat([table(), table().head(20)]))
    assert "Cleaning: 20 of 100 rows dropped: equal to another row" in log
    assert sum(run.provenance["rows"]) == 80


def run_in_subprocess(command, *arguments):
    """Run a command in a new process, and return the last line of its output."""
    process = subprocess.run(
        [sys.executable, "-m", "tfkit", command, *map(str, arguments)], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.splitlines()[-1]


@pytest.mark.slow
def test_five_thousand_columns():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(500, 5000)).round(3), columns=[f"x{number}" for number in range(5000)])
    frame.assign(y=rng.choice(["u", "v"], 500)).to_csv("wide.csv", index=False)
    run = run_in_subprocess("train", "tabular", "data=wide.csv", "target=y", "epochs=1")
    assert len(json.loads((Path(run) / "metadata.json").read_text())["inputs"]) == 5000
    frame.head(20).to_csv("rows.csv", index=False)
    assert len(pd.read_csv(run_in_subprocess("predict", run, "rows.csv"))) == 20


@pytest.mark.slow
def test_category_with_a_hundred_thousand_values():
    rng = np.random.default_rng(0)
    code = rng.permutation(np.repeat(np.arange(100_000), 3))
    pd.DataFrame({"city": [f"city {c}" for c in code], "x": rng.normal(size=300_000).round(3), "y": code % 2}).to_csv(
        "big.csv", index=False
    )
    peak_before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of the largest process so far
    run = run_in_subprocess("train", "tabular", "data=big.csv", "target=y", "epochs=1")
    metadata = json.loads((Path(run) / "metadata.json").read_text())
    assert metadata["columns"]["city"]["kind"] == "category"
    assert 70_000 < len(metadata["inputs"]["city"]["vocabulary"]) < 100_000
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(4e6, peak_before)
