import json

import numpy as np
import pytest

import tfkit
from tfkit.evaluation.bootstrap import paired_difference_interval
from tfkit.reporting.comparison import compare, compare_pairs, distinct_run_names, load_comparable_runs


def test_interval_is_paired_on_the_same_test_rows(runs):
    first, second = load_comparable_runs(runs)
    (comparison,) = compare_pairs([first, second])
    better, worse = (first, second) if comparison.first == 0 else (second, first)
    assert comparison.paired
    assert comparison.interval == paired_difference_interval(
        better.y_true, better.y_pred, worse.y_pred, first.metadata, "accuracy"
    )


def test_improvement_is_in_percentage_points(runs):
    (comparison,) = compare_pairs(load_comparable_runs(runs))
    low, high = comparison.interval
    assert low > 0, "one epoch at a tiny learning rate learns nothing"
    assert comparison.summary.startswith("epochs=")
    assert " is better than epochs=1, learning_rate=" in comparison.summary
    assert f"by {100 * low:.1f} to {100 * high:.1f} percentage points" in comparison.summary
    assert "paired, same test rows" in comparison.summary


@pytest.mark.slow
def test_same_run_has_no_significant_difference(runs):
    (comparison,) = compare_pairs(load_comparable_runs([runs[0], runs[0]]))
    assert "No clear difference between" in comparison.summary
    assert comparison.interval == [0, 0]


def test_different_test_rows_are_not_paired(runs, tmp_path):
    for path in runs[0].folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    (tmp_path / "provenance.json").write_text(json.dumps(provenance | {"test_rows": "other"}))
    (comparison,) = compare_pairs(load_comparable_runs([runs[0], tmp_path]))
    low, high = runs[0].metrics["intervals"]["accuracy"]
    assert "not paired: the test rows differ" in comparison.summary
    assert np.ptp(comparison.interval) == pytest.approx(np.sqrt(2) * (high - low))


def test_page_has_a_table_of_settings_that_differ(runs, tmp_path):
    html = compare(*runs, out=tmp_path / "page.html").read_text(encoding="utf-8")
    differing = html[html.index("Settings that differ") : html.index("Settings that are equal")]
    assert "epochs" in differing
    assert "learning_rate" in differing
    assert "units" not in differing
    assert "validation loss" in html
    assert all(run.folder.name in html for run in runs)
    assert "best baseline, " in html
    assert "The code of the recipe differs" not in html
    (tmp_path / "changed").mkdir()
    for path in runs[1].folder.iterdir():
        (tmp_path / "changed" / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "changed" / "recipe.py").open("a") as file:
        file.write("# a change")
    html = compare(runs[0], tmp_path / "changed", out=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "The code of the recipe differs from that of epochs=" in html


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "regression"}, "must have the same task. Received: classification, regression"),
        ({"name": "other"}, "must have the same target. Received: label, other"),
        ({"classes": ["a", "b", "c"], "positive_class": "a"}, "must have the same classes"),
    ],
)
def test_incomparable_runs_raise(runs, tmp_path, change, message):
    for path in runs[0].folder.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    metadata = runs[0].metadata
    (tmp_path / "metadata.json").write_text(json.dumps(metadata | {"target": metadata["target"] | change}))
    with pytest.raises(tfkit.UserError, match=message):
        load_comparable_runs([runs[0], tmp_path])


def test_single_run_raises(runs):
    with pytest.raises(tfkit.UserError, match=r"A comparison needs at least two runs. Received: 1"):
        compare(runs[0])


def test_missing_folder_raises(runs, tmp_path):
    with pytest.raises(tfkit.UserError, match=r"The folder of `out` must exist. Received: .*none/x.html"):
        compare(*runs, out=tmp_path / "none" / "x.html")


def test_runs_have_distinct_names(runs, tmp_path):
    copy = tmp_path / runs[0].folder.name
    copy.mkdir()
    for path in runs[0].folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert distinct_run_names(load_comparable_runs([runs[0], copy])) == [str(runs[0].folder), str(copy)]
    assert distinct_run_names(load_comparable_runs([runs[0], runs[0]])) == [copy.name, f"{copy.name} (2)"]
