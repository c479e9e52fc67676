"""Settings are validated before Keras is imported."""

import subprocess
import sys

import pytest

import tfkit
from tfkit.catalog.read_config import read_config_class, validate_settings_of
from tfkit.catalog.recipes import recipe_files
from tfkit.errors import UserError

PROGRAM = "import sys\nfrom tfkit.cli.main import main\ncode = main(sys.argv[1:])\nprint(code, 'keras' in sys.modules)"


@pytest.mark.parametrize("name", recipe_files())
def test_the_class_is_that_of_the_recipe(name):
    fields = read_config_class(recipe_files()[name]).model_fields
    loaded = tfkit.load_recipe(name).Config.model_fields
    assert {name: repr(field) for name, field in fields.items()} == {
        name: repr(field) for name, field in loaded.items()
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "tabluar"], "Did you mean 'tabular'?"),
        (["train", "cust.csv"], "Type: tfkit train tabular data=cust.csv target=COLUMN"),
        (["train", "photos"], "Type: tfkit train image data=photos"),
        (["train", "tabular", "epoch=3"], "Did you mean 'epochs'? `tfkit show tabular` lists all settings."),
        (["train", "image", "architecture=resnet50"], "`architecture` must be resnet, cnn or transformer"),
        (["train", "text", "learning_rate=fast"], "`learning_rate` must be a number > 0 or auto"),
        (["train", "tabular", "data=photo", "target=y"], "a file or a folder that exists. Did you mean 'photos'?"),
        (["train", "tabular", "--quite"], "Did you mean '--quiet'?"),
        (["tune", "forecast", "quantiles=2"], "`quantiles` must be the median and pairs around it"),
        (["tune", "series", "metric=acuracy"], "Did you mean 'accuracy'?"),
    ],
)
def test_wrong_arguments_are_one_line_without_keras(tmp_path, arguments, message):
    (tmp_path / "photos").mkdir()
    command = [sys.executable, "-c", PROGRAM, *arguments]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout.split() == ["2", "False"]


@pytest.mark.parametrize(
    "source",
    [
        "import missing_library\nclass Config(tfkit.Config): ...",
        "import tfkit\nclass Config: ...",
        "import tfkit\nConfig = tfkit.Config",
        "import tfkit\nclass Config(tfkit.Config)\n  depth: int = 3",
        "import keras\nimport tfkit\nclass Config(tfkit.Config):\n    depth: int = keras.backend.epsilon()",
    ],
)
def test_other_files_are_validated_when_they_are_imported(tmp_path, source):
    path = tmp_path / "mine.py"
    path.write_text(source)
    assert read_config_class(path) is None or source.endswith("tfkit.Config")
    validate_settings_of(str(path), {"anything": "1"}) if read_config_class(path) is None else None


def test_settings_of_a_copied_recipe(tmp_path):
    path = tmp_path / "mine.py"
    text = recipe_files()["tabular"].read_text(encoding="utf-8")
    path.write_text(
        text.replace(
            "class Config(tfkit.SupervisedConfig):", "class Config(tfkit.SupervisedConfig):\n    depth: int = 3"
        )
    )
    validate_settings_of(str(path), {"depth": "4"})
    with pytest.raises(UserError, match="`depth` must be an integer"):
        validate_settings_of(str(path), {"depth": "deep"})
