import re

import pytest

import tfkit
from tfkit import recipes
from tfkit.errors import UserError
from tfkit.pages import copy, find, ls, pages, show


@pytest.fixture
def folder(page, monkeypatch):
    """The folder of `page`, as if it were the one that comes with tfkit."""
    (page.parent / "_hidden.py").write_text("")
    monkeypatch.setattr(recipes, "__path__", [str(page.parent)])
    return page.parent


def test_the_folder_is_the_registry(folder, page):
    assert pages() == {"mine": page}
    assert ls() == [("mine", "Say yes to everything.")]


def test_the_pages_of_the_checkout_are_found():
    assert set(pages()) == {page.stem for page in (tfkit.CHECKOUT / "recipes").glob("*.py")}
    assert all(line.endswith(".") for _, line in ls())


def test_a_page_is_found_by_name_path_and_module(folder, page, monkeypatch):
    assert find("mine") == find(page) == find(str(page)) == page
    (page.parent / "package").mkdir()
    own = page.parent / "package" / "own.py"
    own.write_text(page.read_text())
    monkeypatch.syspath_prepend(page.parent)
    assert find("package.own") == own


def test_an_unknown_recipe_gets_the_list_and_the_nearest(folder, monkeypatch):
    with pytest.raises(UserError, match=r"No recipe 'mien'\. Did you mean 'mine'\? Recipes: mine; a page of your own"):
        find("mien")
    (folder / "churn.py").write_text("")
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=r"Did you mean 'churn\.py'\?"):
        find("chrn.py")
    for word in ("no.such.module", "json.none", "nowhere/page.py", ".", ""):
        with pytest.raises(UserError, match="No recipe"):
            find(word)


def test_a_recipe_that_has_no_page_has_nothing_to_show(page):
    recipe = tfkit.load(page)
    assert find(recipe) == page
    with pytest.raises(UserError, match="made in Python: it has no page"):
        show(recipe.replace(page=None))


def test_show_has_the_manual_then_all_settings_once(page):
    text = show(page)
    assert text.startswith("Say yes to everything.")
    own, shared = text.split("The settings of every recipe")
    assert re.search(r"^  depth +int >= 1 +3 +hidden layers$", own, re.MULTILINE)
    assert "how often the training rows are seen" in own, "an overridden setting keeps its meaning"
    assert "\n  epochs " not in shared
    assert "\n  learning_rate_decay " in shared


def test_copy_takes_a_page_home(folder, page, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    assert copy("mine", home / "churn.py").read_text() == page.read_text()
    assert copy("mine", home) == home / "mine.py"


@pytest.mark.parametrize(
    ("to", "message"),
    [("mine.py", "exists already and is left"), ("churn.txt", "is a .py file"), ("no/churn.py", "No such folder")],
)
def test_copy_refuses_what_it_would_spoil(folder, page, to, message):
    before = page.read_text()
    with pytest.raises(UserError, match=message):
        copy("mine", folder / to)
    assert page.read_text() == before
