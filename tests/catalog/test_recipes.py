"""Finding, listing, showing and copying recipe files."""

import re

import pytest

import tfkit
from tfkit import recipes
from tfkit.catalog.recipes import copy_recipe, describe, find_recipe, list_recipes, recipe_files
from tfkit.errors import UserError


@pytest.fixture
def folder(recipe_file, monkeypatch):
    """Folder of the recipe file, in place of the folder of the bundled recipes."""
    (recipe_file.parent / "_hidden.py").write_text("")
    monkeypatch.setattr(recipes, "__path__", [str(recipe_file.parent)])
    return recipe_file.parent


def test_the_folder_of_recipes_is_the_registry(folder, recipe_file):
    assert recipe_files() == {"mine": recipe_file}
    assert list_recipes() == [("mine", "Predict yes for every row.")]


def test_the_recipes_of_the_checkout_are_listed():
    assert set(recipe_files()) == {path.stem for path in (tfkit.CHECKOUT / "recipes").glob("*.py")}
    assert all(summary.endswith(".") for _, summary in list_recipes())


def test_a_recipe_is_found_by_name_path_and_module(folder, recipe_file, monkeypatch):
    assert find_recipe("mine") == find_recipe(recipe_file) == find_recipe(str(recipe_file)) == recipe_file
    (recipe_file.parent / "package").mkdir()
    copy = recipe_file.parent / "package" / "copy.py"
    copy.write_text(recipe_file.read_text())
    monkeypatch.syspath_prepend(recipe_file.parent)
    assert find_recipe("package.copy") == copy


def test_an_unknown_recipe_raises_with_all_names_and_the_nearest(folder, monkeypatch):
    with pytest.raises(UserError, match=r"No recipe 'mien'\. Did you mean 'mine'\? Recipes: mine; or the path of"):
        find_recipe("mien")
    (folder / "churn.py").write_text("")
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=r"Did you mean 'churn\.py'\?"):
        find_recipe("chrn.py")
    for name in ("no.such.module", "json.none", "nowhere/recipe.py", ".", ""):
        with pytest.raises(UserError, match="No recipe"):
            find_recipe(name)


def test_a_recipe_without_a_file_cannot_be_shown(recipe_file):
    recipe = tfkit.load_recipe(recipe_file)
    assert find_recipe(recipe) == recipe_file
    with pytest.raises(UserError, match="created in Python and has no file"):
        describe(recipe.replace(path=None))


def test_show_has_the_docstring_then_every_setting_once(recipe_file):
    text = describe(recipe_file)
    assert text.startswith("Predict yes for every row.")
    settings_of_recipe, shared = text.split("Settings of every recipe")
    assert re.search(r"^  num_layers +int >= 1 +3 +hidden layers$", settings_of_recipe, re.MULTILINE)
    assert "passes over the training rows" in settings_of_recipe, "an overridden setting keeps its description"
    assert "\n  epochs " not in shared
    assert "\n  learning_rate_schedule " in shared


def test_copy_writes_a_new_file_or_into_a_folder(folder, recipe_file, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    assert copy_recipe("mine", target / "churn.py").read_text() == recipe_file.read_text()
    assert copy_recipe("mine", target) == target / "mine.py"


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("mine.py", "must be copied to a new file"),
        ("churn.txt", "must be a .py file"),
        ("no/churn.py", "No such folder"),
    ],
)
def test_copy_never_overwrites(folder, recipe_file, to, message):
    content = recipe_file.read_text()
    with pytest.raises(UserError, match=message):
        copy_recipe("mine", folder / to)
    assert recipe_file.read_text() == content
