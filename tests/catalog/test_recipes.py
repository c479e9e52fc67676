"""Finding, listing, showing and copying recipe files."""

import re

import pytest

import tfkit
from tfkit import recipes
from tfkit.catalog.recipes import copy_recipe, describe, find_recipe, list_recipes, recipe_files
from tfkit.errors import UserError


@pytest.fixture
def folder(page, monkeypatch):
    """The folder of the recipe file `page`, in place of the folder of the bundled recipes."""
    (page.parent / "_hidden.py").write_text("")
    monkeypatch.setattr(recipes, "__path__", [str(page.parent)])
    return page.parent


def test_the_folder_of_recipes_is_the_registry(folder, page):
    assert recipe_files() == {"mine": page}
    assert list_recipes() == [("mine", "Say yes to everything.")]


def test_the_recipes_of_the_checkout_are_listed():
    assert set(recipe_files()) == {path.stem for path in (tfkit.CHECKOUT / "recipes").glob("*.py")}
    assert all(summary.endswith(".") for _, summary in list_recipes())


def test_a_recipe_is_found_by_name_path_and_module(folder, page, monkeypatch):
    assert find_recipe("mine") == find_recipe(page) == find_recipe(str(page)) == page
    (page.parent / "package").mkdir()
    own = page.parent / "package" / "own.py"
    own.write_text(page.read_text())
    monkeypatch.syspath_prepend(page.parent)
    assert find_recipe("package.own") == own


def test_an_unknown_recipe_raises_with_all_names_and_the_nearest(folder, monkeypatch):
    with pytest.raises(UserError, match=r"No recipe 'mien'\. Did you mean 'mine'\? Recipes: mine; give the path of"):
        find_recipe("mien")
    (folder / "churn.py").write_text("")
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=r"Did you mean 'churn\.py'\?"):
        find_recipe("chrn.py")
    for name in ("no.such.module", "json.none", "nowhere/recipe.py", ".", ""):
        with pytest.raises(UserError, match="No recipe"):
            find_recipe(name)


def test_a_recipe_without_a_file_cannot_be_shown(page):
    recipe = tfkit.load_recipe(page)
    assert find_recipe(recipe) == page
    with pytest.raises(UserError, match="created in Python and has no file"):
        describe(recipe.replace(path=None))


def test_show_has_the_docstring_then_every_setting_once(page):
    text = describe(page)
    assert text.startswith("Say yes to everything.")
    own, shared = text.split("Settings of every recipe")
    assert re.search(r"^  depth +int >= 1 +3 +hidden layers$", own, re.MULTILINE)
    assert "how often the training rows are seen" in own, "an overridden setting keeps its description"
    assert "\n  epochs " not in shared
    assert "\n  learning_rate_decay " in shared


def test_copy_writes_a_new_file_or_into_a_folder(folder, page, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    assert copy_recipe("mine", target / "churn.py").read_text() == page.read_text()
    assert copy_recipe("mine", target) == target / "mine.py"


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("mine.py", "must be copied to a new file"),
        ("churn.txt", "must be a .py file"),
        ("no/churn.py", "No such folder"),
    ],
)
def test_copy_never_overwrites(folder, page, to, message):
    content = page.read_text()
    with pytest.raises(UserError, match=message):
        copy_recipe("mine", folder / to)
    assert page.read_text() == content
