"""Loading of recipes: by name, file or dotted module."""

import importlib
import sys
import traceback
import zlib
from pathlib import Path
from types import ModuleType

from tfkit.catalog.recipes import find_recipe, recipe_files
from tfkit.errors import UserError, first_line
from tfkit.recipe import Recipe


def load_recipe(recipe: str | Path | Recipe) -> Recipe:
    """Load a recipe: a name of `list_recipes`, the path of a recipe file, or a dotted module.

    A `Recipe` is returned unchanged.

    Raises:
        UserError: If there is no such recipe, or its file raises an error; the message names file and line.
    """
    if isinstance(recipe, Recipe):
        return recipe
    path = find_recipe(recipe)
    try:
        loaded = getattr(_import_recipe(str(recipe), path), "recipe", None)
    except Exception as error:
        raise UserError(f"{_location(error, path)}: {_message(error)}") from error
    if not isinstance(loaded, Recipe):
        raise UserError(f"A recipe file must define `recipe = tfkit.Recipe(Config, data, model)`. Received: {path}")
    return loaded.replace(name=path.stem, path=path.resolve())


def _import_recipe(name: str, path: Path) -> ModuleType:
    """Import a recipe: one of tfkit or a dotted module by its name, a file by a name made from its path."""
    if name in recipe_files():
        return importlib.import_module(f"tfkit.recipes.{name}")
    if not name.endswith(".py"):
        return importlib.import_module(name)
    module_name = f"{path.stem}_{zlib.crc32(str(path.resolve()).encode()):08x}"
    module = ModuleType(module_name)
    module.__file__ = str(path)
    sys.modules[module_name] = module  # pydantic looks up the types of the settings here
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    except BaseException:
        del sys.modules[module_name]
        raise
    return module


def _location(error: Exception, path: Path) -> str:
    """Return file and line of the recipe file where the import failed."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}, line {lines[-1]}" if lines else str(path)


def _message(error: Exception) -> str:
    """Return the first line of an error, after its type unless it is a `UserError`."""
    if isinstance(error, UserError):
        return str(error)
    text = error.msg if isinstance(error, SyntaxError) else first_line(error) if str(error) else ""
    return f"{type(error).__name__}: {text}"
