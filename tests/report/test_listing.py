import json

import pytest

import tfkit
from tfkit.report.listing import lines


def make(folder, name, begun, score=None, task="binary", rows=10):
    path = folder / name
    path.mkdir()
    (path / "about.json").write_text(json.dumps({"recipe": "tabular", "begun": begun, "rows": [rows, 1, 1]}))
    (path / "info.json").write_text(json.dumps({"task": task, "target": {"name": "y"}}))
    if score is not None:
        measure = "accuracy" if task == "binary" else "root_mean_squared_error"
        (path / "metrics.json").write_text(json.dumps({"test": {measure: score}, "seconds": {"fit": 2.4}}))


@pytest.fixture
def folder(tmp_path):
    make(tmp_path, "a", "2026-01-03T10:00:00", 0.8)
    make(tmp_path, "b", "2026-01-01T10:00:00", 0.9, rows=50)
    make(tmp_path, "c", "2026-01-02T10:00:00")
    make(tmp_path, "d", "2025-01-02T10:00:00", 3.0, "regression")
    make(tmp_path, "e", "2025-01-01T10:00:00", 2.0, "regression")
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "about.json").write_text("{")
    return tmp_path


@pytest.mark.parametrize(
    ("sort", "order"), [("date", "acbde"), ("score", "baedc"), ("run", "abcde"), ("rows", "acdeb")]
)
def test_runs_are_sorted(folder, sort, order):
    assert "".join(one["run"].name for one in tfkit.runs(folder, sort=sort)) == order


def test_an_unknown_order_is_refused(folder):
    with pytest.raises(tfkit.UserError, match=r"Did you mean 'score'?"):
        tfkit.runs(folder, sort="scores")


def test_a_run_that_is_not_finished_is_listed_as_such(folder):
    said = lines(tfkit.runs(folder))
    assert said[0].split() == ["run", "score", "recipe", "target", "rows", "seconds", "begun"]
    assert "not finished" in next(line for line in said if f"{folder}/c " in line)
    assert "0.8  accuracy" in next(line for line in said if f"{folder}/a " in line)
