import json

import numpy as np
import pytest

import tfkit
from tfkit.report.comparison import compare, differences, named, opened
from tfkit.scores import difference


def test_the_paired_interval_is_that_of_the_same_test_rows(runs):
    one, other = opened(runs)
    (found,) = differences([one, other])
    better, worse = (one, other) if found.first == 0 else (other, one)
    assert found.paired
    assert found.interval == difference(better.truth, better.answer, worse.answer, one.info, "accuracy")


def test_the_better_one_is_said_to_be_in_points(runs):
    (found,) = differences(opened(runs))
    low, high = found.interval
    assert low > 0, "one epoch at a rate of next to nothing learns nothing"
    assert f"{runs[found.first].folder.name} is better than" in found.says
    assert f"by {100 * low:.1f} to {100 * high:.1f} points" in found.says
    assert "paired, on the same test rows" in found.says


def test_a_run_beside_itself_is_not_distinguishable(runs):
    (found,) = differences(opened([runs[0], runs[0]]))
    assert "are not distinguishable" in found.says
    assert found.interval == [0, 0]


def test_other_test_rows_are_not_paired_and_it_is_said(runs, tmp_path):
    for path in runs[0].folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    about = json.loads((tmp_path / "about.json").read_text())
    (tmp_path / "about.json").write_text(json.dumps(about | {"test_rows": "other"}))
    (found,) = differences(opened([runs[0], tmp_path]))
    low, high = runs[0].metrics["intervals"]["accuracy"]
    assert "not paired: their test rows differ" in found.says
    assert np.ptp(found.interval) == pytest.approx(np.sqrt(2) * (high - low))


def test_the_page_marks_the_settings_that_differ(runs, tmp_path):
    page = compare(*runs, out=tmp_path / "page.html").read_text(encoding="utf-8")
    differing = page[page.index("Settings that differ") : page.index("Settings that are the same")]
    assert "epochs" in differing
    assert "learning_rate" in differing
    assert "units" not in differing
    assert "validation loss" in page
    assert all(run.folder.name in page for run in runs)


OTHER = {"name": "other", "classes": ["a", "b"], "positive": "a"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "multiclass"}, "must have one task. Received: binary, multiclass"),
        ({"target": OTHER}, "must have one target. Received: label, other"),
        ({"target": {"name": "label", "classes": ["a", "b", "c"], "positive": "a"}}, "tell the same classes apart"),
    ],
)
def test_what_cannot_be_compared_is_refused(runs, tmp_path, change, message):
    for path in runs[0].folder.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "info.json").write_text(json.dumps(runs[0].info | change))
    with pytest.raises(tfkit.UserError, match=message):
        opened([runs[0], tmp_path])


def test_one_run_is_too_few(runs):
    with pytest.raises(tfkit.UserError, match=r"Name two runs or more to compare. Received: 1"):
        compare(runs[0])


def test_a_page_needs_a_folder(runs, tmp_path):
    with pytest.raises(
        tfkit.UserError, match=r"The folder that the page goes to must be there. Received: .*none/x.html"
    ):
        compare(*runs, out=tmp_path / "none" / "x.html")


def test_runs_of_one_name_are_told_apart(runs, tmp_path):
    copy = tmp_path / runs[0].folder.name
    copy.mkdir()
    for path in runs[0].folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert named(opened([runs[0], copy])) == [str(runs[0].folder), str(copy)]
    assert named(opened([runs[0], runs[0]])) == [copy.name, f"{copy.name} (2)"]
