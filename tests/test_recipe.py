"""Tests of loading, checking and replacing parts of recipes."""

import sys

import pytest

import tfkit
from tfkit.catalog.load import load_recipe
from tfkit.config import Config
from tfkit.errors import UserError
from tfkit.metadata import Metadata
from tfkit.recipe import Data, Recipe


def make_recipe(**parts):
    """Create a recipe with an empty data and model function, unless given."""
    return Recipe(**{"Config": Config, "data": lambda config: None, "model": lambda config, data: None} | parts)


def test_recipe_file_is_loaded_with_name_and_path(recipe_file):
    loaded = load_recipe(recipe_file)
    assert (loaded.name, loaded.path) == ("mine", recipe_file.resolve())
    assert loaded.Config().epochs == 7
    assert load_recipe(loaded) is loaded
    assert load_recipe(str(recipe_file)).Config.__module__ in sys.modules


def test_two_recipe_files_with_the_same_name(recipe_file, tmp_path):
    second_folder = tmp_path / "second"
    second_folder.mkdir()
    (second_folder / "mine.py").write_text(
        recipe_file.read_text().replace("num_layers: tfkit.PositiveInt = 3", "num_layers: tfkit.PositiveInt = 4")
    )
    assert [load_recipe(path).Config().num_layers for path in (recipe_file, second_folder / "mine.py")] == [3, 4]


def test_changed_recipe_file_is_reloaded(recipe_file):
    assert load_recipe(recipe_file).Config().num_layers == 3
    recipe_file.write_text(
        recipe_file.read_text().replace("num_layers: tfkit.PositiveInt = 3", "num_layers: tfkit.PositiveInt = 5")
    )
    assert load_recipe(recipe_file).Config().num_layers == 5


def test_postponed_annotations_are_supported(recipe_file):
    recipe_file.write_text(
        recipe_file.read_text().replace("from pathlib", "from __future__ import annotations\nfrom pathlib")
    )
    assert load_recipe(recipe_file).Config.from_dict({"num_layers": "2"}).num_layers == 2


def test_a_dotted_module_is_loaded(recipe_file, monkeypatch):
    package = recipe_file.parent / "package_of_recipes"
    package.mkdir()
    (package / "own.py").write_text(recipe_file.read_text())
    monkeypatch.syspath_prepend(recipe_file.parent)
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
        ("x = 1\n", r"must define `recipe = tfkit\.Recipe\(Config, data, model\)`\. Received: .*mine\.py"),
        ("recipe = 1\n", r"must define `recipe = .*mine\.py"),
    ],
)
def test_load_error_names_the_line(recipe_file, text, message):
    recipe_file.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load_recipe(recipe_file)
    assert "\n" not in str(caught.value)


def test_failed_load_leaves_no_module(recipe_file):
    recipe_file.write_text("raise ValueError\n")
    modules_before = set(sys.modules)
    with pytest.raises(UserError):
        load_recipe(recipe_file)
    assert set(sys.modules) == modules_before


def test_replace():
    assert make_recipe().replace(monitor="val_auc", mode="max").mode == "max"
    with pytest.raises(
        UserError, match=r"A recipe has no part `serach_space`\. Did you mean 'search_space'\? Parts: Config, data"
    ):
        make_recipe().replace(serach_space=None)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"Config": dict}, "a subclass of tfkit.Config"),
        ({"mode": "auto"}, "must be min or max: .*Received: mode='auto'"),
        ({"search_space": {"depth": (1, 4)}}, "In the search space of `depth`: Unknown setting `depth`"),
        (
            {"search_space": {"epochs": (0, 4)}},
            r"In the search space of `epochs`: `epochs` must be an integer >= 1 .*epochs=0",
        ),
        ({"search_space": {"optimizer": ["adam", "adm"]}}, "In the search space of `optimizer`: .*Did you mean 'adam'"),
        ({"search_space": {"l1": 3}}, "In the search space of `l1`: A search domain must be"),
    ],
)
def test_invalid_recipe_raises(parts, message):
    with pytest.raises(UserError, match=message):
        make_recipe(**parts)


def test_valid_search_space():
    search_space = {
        "learning_rate": tfkit.log_uniform(1e-4, 1e-2),
        "batch_size": [32, "all"],
        "global_clipnorm": [None, 1.0],
    }
    assert make_recipe(search_space=search_space).search_space == search_space


@pytest.mark.parametrize(
    ("settings", "steps"), [({}, 50 * 8), ({"batch_size": "all"}, 50), ({"epochs": 3, "batch_size": 1}, 3000)]
)
def test_number_of_training_steps(settings, steps):
    data = Data(train=range(1000), val=None, test=None, metadata=Metadata(), preprocessor=None)
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
    monkeypatch.setattr(tfkit, "PACKAGE_FOLDER", tmp_path)
    assert tfkit.sample_path("x.csv") == tmp_path / "samples" / "x.csv"


def test_unknown_public_name_lists_all_names():
    with pytest.raises(
        AttributeError,
        match=r"module 'tfkit' has no attribute 'trian'\. Did you mean 'train'\? Its names: ArrayDataset, baselines, ",
    ):
        _ = tfkit.trian
    assert {"train", "load_recipe", "sample_path", "layers"} <= set(dir(tfkit))
