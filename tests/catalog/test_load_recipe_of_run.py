"""A run is trained again only with its own recipe file, which is compared before it is executed."""

import pytest

import tfkit
from tfkit.catalog.load import load_recipe, load_recipe_of_run
from tfkit.cli.main import main
from tfkit.errors import UserError
from tfkit.reporting import experiments
from tfkit.run_dir import RunDir

RECIPE = '''"""A recipe that leaves a mark when it is executed."""

import pathlib

import tfkit

pathlib.Path(__file__).with_suffix(".executed").touch()


class Config(tfkit.Config):
    """No settings of its own."""


recipe = tfkit.Recipe(Config, data=None, model=None)
'''

CHANGES = {
    "line": lambda text: text + "import os\n",
    "comment": lambda text: text + "# changed\n",
    "newlines": lambda text: text.replace("\n", "\r\n"),
    "constant": lambda text: text.replace("touch()", "touch(0o600)"),
    "empty": lambda text: "",
    "shorter": lambda text: text[:-1],
}

CALLS = {
    "load": load_recipe_of_run,
    "learning rate range test": experiments.lr_range_test,
    "resume": lambda run: tfkit.train(resume=run.folder, quiet=True),
    "resume with the recipe": lambda run: tfkit.train(
        run.provenance["recipe_file"], resume=run.folder, quiet=True, out=run.folder / "out"
    ),
}


@pytest.fixture
def run(tmp_path):
    """A run of a recipe file, as it is before its first step."""
    path = tmp_path / "own.py"
    path.write_text(RECIPE)
    recipe = load_recipe(path)
    run = RunDir.create(tmp_path / "runs", recipe, recipe.Config())
    path.with_suffix(".executed").unlink()
    return run


def executed(run):
    return (run.folder.parents[1] / "own.executed").exists()


def change(run, text):
    (run.folder.parents[1] / "own.py").write_bytes(text.encode())


def test_unchanged_file_is_executed(run):
    assert load_recipe_of_run(run).name == "own"
    assert executed(run)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
def test_changed_file_is_refused_before_it_is_executed(run, call, changed):
    change(run, changed(RECIPE))
    with pytest.raises(UserError, match=r"its own recipe file, which is recipe\.py in the run.*own\.py, which differs"):
        call(run)
    assert not executed(run)


@pytest.mark.parametrize("arguments", [["train", "--resume"], ["train", "own.py", "--resume"]])
def test_command_refuses_a_changed_file(run, arguments, capsys, monkeypatch):
    monkeypatch.chdir(run.folder.parents[1])
    change(run, RECIPE + "# changed\n")
    assert main([*arguments, str(run.folder)]) == 2
    assert "which differs" in capsys.readouterr().err
    assert not executed(run)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_file_that_another_person_names_is_refused(run, call, tmp_path):
    """The provenance of a run names a file of the user which is not the recipe of the run."""
    mine = tmp_path / "mine.py"
    mine.write_text(RECIPE.replace("own", "mine"))
    mine.write_text(mine.read_text() + "\n")
    run.update_provenance(recipe_file=str(mine))
    with pytest.raises(UserError, match=r"mine\.py, which differs"):
        call(run)
    assert not mine.with_suffix(".executed").exists()


def test_named_file_is_compared_too(run, tmp_path):
    moved = tmp_path / "moved.py"
    moved.write_text(RECIPE)
    assert load_recipe_of_run(run, moved).name == "moved"
    moved.with_suffix(".executed").unlink()
    moved.write_text(RECIPE + "\n")
    with pytest.raises(UserError, match=r"moved\.py, which differs"):
        load_recipe_of_run(run, str(moved))
    assert not moved.with_suffix(".executed").exists()


@pytest.mark.parametrize("missing", ["own.py", "recipe.py"])
def test_missing_file_or_copy_raises(run, missing):
    path = run.path(missing) if missing == "recipe.py" else run.folder.parents[1] / missing
    path.unlink()
    with pytest.raises(UserError, match=rf"give the recipe file.*{missing}, which does not exist"):
        load_recipe_of_run(run)
    assert not executed(run)


@pytest.mark.parametrize("value", ["tabular", "json", "own", 3, ["own.py"]])
def test_provenance_must_name_a_file(run, value):
    """Names of recipes and modules are for users; the provenance has the path of a file."""
    run.update_provenance(recipe_file=value)
    with pytest.raises(UserError, match="which does not exist"):
        load_recipe_of_run(run)


def test_recipe_of_python_must_be_passed_again(run):
    run.update_provenance(recipe_file=None)
    run.path("recipe.py").unlink()
    with pytest.raises(UserError, match="was created in Python; pass it again"):
        load_recipe_of_run(run)
    recipe = tfkit.Recipe(tfkit.Config, data=None, model=None)
    assert load_recipe_of_run(run, recipe) is recipe
