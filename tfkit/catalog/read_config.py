"""The class `Config` of a recipe file without its model, so that settings are validated before Keras is imported."""

import ast
import sys
import tokenize
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from tfkit.catalog.recipes import find_recipe
from tfkit.config import Config, read_settings
from tfkit.errors import UserError, did_you_mean

SLOW_LIBRARIES = {"keras", "tensorflow", "keras_hub", "keras_tuner", "torch", "jax"}

DATA_SETTINGS = {"data", "test_data"}

_MODULE = "tfkit_config_of_recipe"


def validate_settings_of(recipe: str | None, settings: Mapping[str, Any], config: Any = None) -> None:
    """Validate the settings of a recipe in a fraction of a second, before Keras is imported.

    Args:
        recipe: Whatever `find_recipe` accepts; None for "tabular".
        settings: Strings or values by name.
        config: A JSON file or a mapping of more settings; `settings` take precedence.

    Raises:
        UserError: If there is no such recipe, or a setting is invalid.

    Example:
        >>> validate_settings_of("tabular", {"epoch": "5"})
        Traceback (most recent call last):
            ...
        tfkit.errors.UserError: Unknown setting `epoch`. Did you mean 'epochs'? `tfkit show tabular` lists all settings.
    """
    path = find_recipe(recipe or "tabular")
    config_class = read_config_class(path)
    if config_class is not None:
        try:
            values = config_class.from_dict({**read_settings(config), **settings})
        except UserError as error:
            raise UserError(str(error).replace("show RECIPE", f"show {recipe or 'tabular'}")) from None
        for name in config_class.model_fields:
            _check_path(name, getattr(values, name))


def _check_path(name: str, value: Any) -> None:
    """Raise if the path of data does not exist; an address (`sqlite:`) or a part of a file (`?`) is checked later."""
    if name in DATA_SETTINGS and isinstance(value, Path) and not set(":?") & set(str(value)):
        path = value.expanduser()
        if not path.exists():
            siblings = [sibling.name for sibling in path.parent.iterdir()] if path.parent.is_dir() else []
            hint = did_you_mean(path.name, siblings)
            raise UserError(f"`{name}` must be a file or a folder that exists.{hint} Received: {name}={value}")


def read_config_class(path: Path) -> type[Config] | None:
    """Return the class `Config` of a recipe file, from the lines up to it; None if it needs more than these.

    Lines that import Keras or TensorFlow are left out.
    """
    module = ModuleType(_MODULE)
    module.__file__ = str(path)
    sys.modules[_MODULE] = module  # pydantic looks up the types of the settings here
    try:
        with tokenize.open(path) as file:
            tree = ast.parse(file.read())
        tree.body = _lines_of_config(tree)
        exec(compile(tree, str(path), "exec"), vars(module))
        config_class = vars(module)["Config"]
        return config_class if issubclass(config_class, Config) else None
    except Exception:  # the complete file is imported later, and that error is reported with its line
        return None
    finally:
        del sys.modules[_MODULE]


def _lines_of_config(tree: ast.Module) -> list[ast.stmt]:
    lines: list[ast.stmt] = []
    for line in tree.body:
        names = [alias.name for alias in line.names] if isinstance(line, ast.Import) else []
        names += [line.module or ""] if isinstance(line, ast.ImportFrom) else []
        if not any(name.partition(".")[0] in SLOW_LIBRARIES for name in names):
            lines.append(line)
        if isinstance(line, ast.ClassDef) and line.name == "Config":
            break
    return lines
