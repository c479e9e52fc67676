"""Malformed data files: each one loads, or raises a UserError with a message of one line."""

import pytest

import tfkit
from tests.robustness import corpus_images, corpus_other, corpus_tables
from tests.robustness.expectations import check_recipe_data


def mark_long(names, n):
    """Return all names; mark all except every n-th as long."""
    return [name if not i % n else pytest.param(name, marks=pytest.mark.long) for i, name in enumerate(names)]


@pytest.fixture
def folder(tmp_path):
    """A folder with two new parent folders, to detect files written outside."""
    path = tmp_path / "parent" / "data"
    path.mkdir(parents=True)
    return path


def write(path, content):
    """Write text or bytes to a path; return the path."""
    path.write_bytes(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("name", mark_long(corpus_tables.CASES, 25))
def test_tables(name, folder):
    file_content, settings = corpus_tables.CASES[name]
    check_recipe_data("tabular", {"data": write(folder / "t.csv", file_content), "target": "y", **settings}, folder)


@pytest.mark.parametrize("name", mark_long(corpus_tables.FILES, 10))
def test_table_files(name, folder):
    check_recipe_data("tabular", {"data": write(folder / name, corpus_tables.FILES[name]), "target": "y"}, folder)


@pytest.mark.parametrize("name", mark_long(corpus_images.CASES, 20))
def test_images(name, folder):
    check_recipe_data("image", corpus_images.CASES[name](folder), folder)


@pytest.mark.parametrize("name", mark_long(corpus_other.CASES, 20), ids=str)
def test_series_texts_and_forecasts(name, folder):
    file_name, content, settings = corpus_other.CASES[name]
    target = {} if name[0] == "forecast" else {"target": "label"}
    check_recipe_data(name[0], {"data": write(folder / file_name, content), **target, **settings}, folder)


def test_cases_pass_only_settings_of_their_recipe(tmp_path):
    """An unknown setting raises before the file is read, so such a case would test nothing."""
    settings = [("tabular", name, values) for name, (_, values) in corpus_tables.CASES.items()]
    settings += [(recipe, name, values) for (recipe, name), (_, _, values) in corpus_other.CASES.items()]
    settings += [("image", name, create(new_folder(tmp_path / name))) for name, create in corpus_images.CASES.items()]
    assert len(settings) + len(corpus_tables.FILES) >= 200
    recipes = {recipe for recipe, *_ in settings}
    fields = {recipe: set(tfkit.load_recipe(recipe).Config.model_fields) for recipe in recipes}
    assert not [(recipe, name) for recipe, name, values in settings if set(values) - fields[recipe]]


def new_folder(path):
    path.mkdir()
    return path
