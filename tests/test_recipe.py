"""Tests of loading, checking and replacing parts of recipes."""

import sys

import pytest

import tfkit
from tfkit.catalog.load import load_recipe
from tfkit.config import Config
from tfkit.errors import UserError
from tfkit.recipe import Data, Recipe


def make_recipe(**parts):
    """Create a recipe with an empty data and model function, unless given."""
    return Recipe(**{"Config": Config, "data": lambda config: None, "model": lambda config, data: None} | parts)


def test_recipe_file_is_loaded_with_name_and_path(page):
    loaded = load_recipe(page)
    assert (loaded.name, loaded.path) == ("mine", page.resolve())
    assert loaded.Config().epochs == 7
    assert load_recipe(loaded) is loaded
    assert load_recipe(str(page)).Config.__module__ in sys.modules


def test_two_recipe_files_with_the_same_name(page, tmp_path):
    second_folder = tmp_path / "second"
    second_folder.mkdir()
    (second_folder / "mine.py").write_text(
        page.read_text().replace("depth: tfkit.PositiveInt = 3", "depth: tfkit.PositiveInt = 4")
    )
    assert [load_recipe(path).Config().depth for path in (page, second_folder / "mine.py")] == [3, 4]


def test_changed_recipe_file_is_reloaded(page):
    assert load_recipe(page).Config().depth == 3
    page.write_text(page.read_text().replace("depth: tfkit.PositiveInt = 3", "depth: tfkit.PositiveInt = 5"))
    assert load_recipe(page).Config().depth == 5


def test_postponed_annotations_are_supported(page):
    page.write_text(page.read_text().replace("from pathlib", "from __future__ import annotations\nfrom pathlib"))
    assert load_recipe(page).Config.from_dict({"depth": "2"}).depth == 2


def test_a_dotted_module_is_loaded(page, monkeypatch):
    package = page.parent / "package_of_recipes"
    package.mkdir()
    (package / "own.py").write_text(page.read_text())
    monkeypatch.syspath_prepend(page.parent)
    assert load_recipe("package_of_recipes.own").name == "own"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ny = = 2\n", r"mine\.py, line 2: SyntaxError: invalid syntax"),
        ("import tfkit\n\nx = depht\n", r"mine\.py, line 3: NameError: name 'depht' is not defined"),
        ("import no_such_module\n", r"mine\.py, line 1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("import tfkit\ntfkit.sample_path('none.csv')\n", r"mine\.py, line 2: No sample 'none\.csv'"),
        ("import tfkit\nclass Config(tfkit.Config):\n    out: int = 3\n", r"mine\.py, line 2: `out` is a flag"),
        ("raise ValueError\n", r"mine\.py, line 1: ValueError"),
        ("x = 1\n", r"mine\.py is not a page: it ends without `recipe = "),
        ("recipe = 1\n", r"mine\.py is not a page"),
    ],
)
def test_load_error_names_the_line(page, text, message):
    page.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load_recipe(page)
    assert "\n" not in str(caught.value)


def test_failed_load_leaves_no_module(page):
    page.write_text("raise ValueError\n")
    modules_before = set(sys.modules)
    with pytest.raises(UserError):
        load_recipe(page)
    assert set(sys.modules) == modules_before


def test_replace():
    assert make_recipe().replace(monitor="val_auc", mode="max").mode == "max"
    with pytest.raises(UserError, match=r"A recipe has no part `serach`\. Did you mean 'search'\? Parts: Config, data"):
        make_recipe().replace(serach=None)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"Config": dict}, "a subclass of tfkit.Config"),
        ({"mode": "auto"}, "min or max. Received: mode='auto'"),
        ({"search": {"depth": (1, 4)}}, "In the search for `depth`: Unknown setting `depth`"),
        ({"search": {"epochs": (0, 4)}}, r"In the search for `epochs`: `epochs` must be an integer >= 1 .*epochs=0"),
        ({"search": {"optimizer": ["adam", "adm"]}}, "In the search for `optimizer`: .*Did you mean 'adam'"),
        ({"search": {"l1": 3}}, "In the search for `l1`: A search domain must be"),
    ],
)
def test_invalid_recipe_raises(parts, message):
    with pytest.raises(UserError, match=message):
        make_recipe(**parts)


def test_valid_search_space():
    search = {"learning_rate": tfkit.log_uniform(1e-4, 1e-2), "batch_size": [32, "all"], "global_clipnorm": [None, 1.0]}
    assert make_recipe(search=search).search == search


@pytest.mark.parametrize(
    ("settings", "steps"), [({}, 50 * 8), ({"batch_size": "all"}, 50), ({"epochs": 3, "batch_size": 1}, 3000)]
)
def test_number_of_training_steps(settings, steps):
    data = Data(train=range(1000), val=None, test=None, info={}, preprocessor=None)
    assert data.steps(Config.from_dict(settings)) == steps


def test_sample_paths(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "adult.csv.gz").write_bytes(b"")
    (tmp_path / "data" / "adult.md").write_text("")
    monkeypatch.setattr(tfkit, "CHECKOUT", tmp_path)
    assert tfkit.sample_path("adult.csv.gz") == tmp_path / "data" / "adult.csv.gz"
    with pytest.raises(UserError, match=r"No sample 'adult.csv'. Did you mean 'adult.csv.gz'\? Samples: adult.csv"):
        tfkit.sample_path("adult.csv")
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "x.csv").write_text("")
    monkeypatch.setattr(tfkit, "CHECKOUT", None)
    monkeypatch.setattr(tfkit, "HERE", tmp_path)
    assert tfkit.sample_path("x.csv") == tmp_path / "samples" / "x.csv"


def test_unknown_public_name_lists_all_names():
    with pytest.raises(AttributeError, match=r"module 'tfkit' has no attribute 'trian'\. Its names: Config, "):
        _ = tfkit.trian
    assert {"train", "load", "sample", "layers"} <= set(dir(tfkit))
