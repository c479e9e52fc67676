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
    classes = read_config_class(recipe_files()[name]), tfkit.load_recipe(name).Config
    fields, loaded = ({key: repr(field) for key, field in config.model_fields.items()} for config in classes)
    assert fields == loaded


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
        "import tfkit\nclass Config(tfkit.Config)\n  depth: int = 3",
        "import keras\nimport tfkit\nclass Config(tfkit.Config):\n    depth: int = keras.backend.epsilon()",
    ],
)
def test_other_files_are_validated_when_they_are_imported(tmp_path, source):
    path = tmp_path / "mine.py"
    path.write_text(source)
    assert read_config_class(path) is None
    validate_settings_of(str(path), {"anything": "1"})


def test_settings_of_a_copied_recipe(tmp_path):
    path = tmp_path / "mine.py"
    text, head = recipe_files()["tabular"].read_text(encoding="utf-8"), "class Config(tfkit.SupervisedConfig):\n"
    path.write_text(text.replace(head, f"{head}    depth: int = 3\n"))
    validate_settings_of(str(path), {"depth": "4"})
    with pytest.raises(UserError, match="`depth` must be an integer"):
        validate_settings_of(str(path), {"depth": "deep"})
