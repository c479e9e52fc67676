"""Docstrings and settings read from the source of recipe files."""

import pytest

from tfkit.catalog.recipe_docs import CONFIG_FILE, Setting, format_settings, read_docstring, read_settings_of
from tfkit.config import Config
from tfkit.errors import UserError


def test_the_documentation_is_the_docstring(recipe_file):
    assert read_docstring(recipe_file) == "Predict yes for every row.\n\nData     none"
    recipe_file.write_text("x = 1\n")
    assert read_docstring(recipe_file) == ""


def test_settings_are_read_from_the_config_class(recipe_file):
    assert read_settings_of(recipe_file) == {
        "data": Setting("Path", "Path('sample.csv')", "the rows"),
        "target": Setting("str", "income", "the column to predict"),
        "num_layers": Setting("int >= 1", "3", "hidden layers"),
        "architecture": Setting("mlp | tabm", "mlp", ""),
        "epochs": Setting("int >= 1 | none", "7", "passes over the training rows"),
    }


def test_settings_of_the_base_class_follow(tmp_path):
    path = tmp_path / "own.py"
    path.write_text("class Config(tfkit.SupervisedConfig):\n    depth: int = 1  # layers\n    loss: str = 'mse'\n")
    settings = read_settings_of(path)
    assert list(settings)[:2] == ["depth", "loss"]
    assert {"task", "test_data", "refit", "optimizer"} < settings.keys()
    assert settings["loss"].default == "mse"
    assert settings["loss"].description.startswith("auto: cross_entropy"), "that of the base class"
    assert settings["optimizer"].default == "adamw"


def test_every_setting_of_config_has_a_description():
    shared = read_settings_of(CONFIG_FILE)
    assert list(shared) == list(Config.model_fields)
    assert all(setting.description for setting in shared.values())
    assert shared["seed"].type == "int >= 0, < 2 ** 31"
    assert shared["optimizer"].type.startswith("sgd | momentum | ")
    assert shared["deterministic"] == Setting("bool", "true", "whether the same seed gives bit-identical results")
    assert shared["early_stopping_patience"].default == "none"


def test_defaults_are_formatted_as_typed_on_the_command_line(recipe_file):
    recipe_file.write_text(
        'class Config:\n    data: str\n    text: str = ""\n    rows: Path = tfkit.sample_path("x.csv")\n'
    )
    assert [setting.default for setting in read_settings_of(recipe_file).values()] == [
        "(required)",
        '""',
        "x.csv (sample)",
    ]


def test_a_syntax_error_is_reported_with_its_line(recipe_file):
    recipe_file.write_text("x = 1\ny = = 2\n")
    with pytest.raises(UserError, match=r"mine\.py, line 2: invalid syntax"):
        read_docstring(recipe_file)


def test_a_long_type_is_printed_on_a_line_of_its_own():
    lines = format_settings({"a": Setting("int", "1", "short"), "bb": Setting("x | " * 10 + "y", "y", "long")})
    assert lines == ["  a   int  1  short", "  bb  ...  y  long", "      " + "x | " * 10 + "y"]
