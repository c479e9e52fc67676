"""Searches that are refused: other data, a wrong objective, settings with which nothing can be trained."""

from pathlib import Path

import pytest

import tfkit
from tfkit.tuning.study import Study

TINY = Path(__file__).with_name("tiny.py")


def table_recipe(folder, extra=""):
    """A recipe file with a setting `data` of a path, which trains as the tiny one."""
    file = folder / "table_recipe.py"
    text = TINY.read_text().replace('log: str = ""', 'log: str = ""\n    data: Path = Path("rows.csv")')
    file.write_text(text.replace("import os", "import os\nfrom pathlib import Path") + extra)
    return file


def open_study(folder, settings, digests):
    """Open the study of a search with these data digests."""
    return Study.open(folder, {"settings": settings, "data_digests": digests})


@pytest.mark.parametrize(
    ("digests", "message"),
    [
        ({"data": "b"}, "other content of data="),
        ({"data": "a", "test_data": "d"}, "other content of test_data="),
        ({"data": "b", "test_data": "d"}, "other content of data=, test_data="),
        ({"data": "missing", "test_data": "c"}, "other content of data="),
    ],
)
def test_other_content_of_data_files_is_refused(digests, message, tmp_path):
    open_study(tmp_path, {}, {"data": "a", "test_data": "c"})
    with pytest.raises(tfkit.UserError, match=rf"--overwrite to start over, or another --out. Received: {message}$"):
        open_study(tmp_path, {}, digests | {"test_data": digests.get("test_data", "c")})
    assert open_study(tmp_path, {}, {"data": "a", "test_data": "c"}).trials == []


@pytest.mark.slow
def test_replaced_data_file_is_refused_before_a_finished_search_is_returned(tmp_path):
    recipe, rows = table_recipe(tmp_path), tmp_path / "rows.csv"
    rows.write_text("before")
    arguments = {"trials": 1, "finalists": 0, "out": tmp_path / "out", "data": rows, "quiet": True, "epochs": 1}
    run = tfkit.tune(recipe, **arguments)
    assert tfkit.tune(recipe, **arguments).folder == run.folder
    rows.write_text("after")
    with pytest.raises(
        tfkit.UserError, match=r"use --overwrite to start over, or another --out. Received: other content"
    ):
        tfkit.tune(recipe, **arguments)


def test_refused_search_leaves_nothing_and_stops_at_the_first_trial(tmp_path):
    recipe = tfkit.load_recipe(TINY)
    calls = []

    def refuse(config):
        calls.append(config)
        raise tfkit.UserError("The table must have the column 'y'")

    for out, change in ((tmp_path / "a" / "b", recipe.replace(data=refuse)), (tmp_path / "c", TINY)):
        options = {"objective": "acuracy"} if change is TINY else {}
        with pytest.raises(tfkit.UserError, match=r"must have the column|Did you mean 'accuracy'"):
            tfkit.tune(change, out=out, trials=5, quiet=True, **options)
    assert len(calls) == 1
    assert list(tmp_path.iterdir()) == []


def test_objective_without_a_score_is_refused_after_one_trial_and_names_the_nearest(tmp_path):
    recipe = tfkit.load_recipe(TINY).replace(monitor="val_loss")
    with pytest.raises(tfkit.UserError, match=r"must be a validation score of the recipe: .*Received: objective=f1"):
        tfkit.tune(recipe, out=tmp_path / "out", trials=5, objective="f1", epochs=1, quiet=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("objective", "name"),
    [("acuracy", "accuracy"), ("logloss", "log_loss"), ("roc-auc", "roc_auc"), ("F-1", "f1"), ("rmsee", "mse")],
)
def test_wrong_objective_names_the_nearest(objective, name, tmp_path):
    with pytest.raises(tfkit.UserError, match=f"Did you mean '{name}'. Received: objective={objective}"):
        tfkit.tune(TINY, out=tmp_path / "out", objective=objective, quiet=True)
    assert list(tmp_path.iterdir()) == []
