import json

import pytest

import tfkit
from tfkit.reporting.run_list import format_table


def make_run(folder, name, started, score=None, task="classification", rows=10):
    path = folder / name
    path.mkdir()
    (path / "provenance.json").write_text(json.dumps({"recipe": "tabular", "started": started, "rows": [rows, 1, 1]}))
    (path / "metadata.json").write_text(json.dumps({"target": {"name": "y", "task": task}}))
    if score is not None:
        metric = "accuracy" if task == "classification" else "root_mean_squared_error"
        (path / "metrics.json").write_text(json.dumps({"test": {metric: score}, "seconds": {"fit": 2.4}}))


@pytest.fixture
def folder(tmp_path):
    make_run(tmp_path, "a", "2026-01-03T10:00:00", 0.8)
    make_run(tmp_path, "b", "2026-01-01T10:00:00", 0.9, rows=50)
    make_run(tmp_path, "c", "2026-01-02T10:00:00")
    make_run(tmp_path, "d", "2025-01-02T10:00:00", 3.0, "regression")
    make_run(tmp_path, "e", "2025-01-01T10:00:00", 2.0, "regression")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "provenance.json").write_text("{")
    return tmp_path


@pytest.mark.parametrize(
    ("sort", "order"), [("date", "acbde"), ("score", "baedc"), ("run", "abcde"), ("rows", "acdeb")]
)
def test_runs_are_sorted(folder, sort, order):
    assert "".join(run["run"].name for run in tfkit.list_runs(folder, sort=sort)) == order


def test_unknown_sort_column_raises(folder):
    with pytest.raises(tfkit.UserError, match=r"Did you mean 'score'?"):
        tfkit.list_runs(folder, sort="scores")


def test_unfinished_run_is_marked(folder):
    table = format_table(tfkit.list_runs(folder))
    assert table[0].split() == ["run", "score", "recipe", "target", "rows", "seconds", "started"]
    assert "not finished" in next(line for line in table if f"{folder}/c " in line)
    assert "0.8  accuracy" in next(line for line in table if f"{folder}/a " in line)
