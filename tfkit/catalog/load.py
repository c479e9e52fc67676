"""Loading of recipes: by name, file or dotted module."""

import importlib
import sys
import traceback
import zlib
from pathlib import Path
from types import ModuleType

from tfkit.catalog.recipes import find_recipe, recipe_files
from tfkit.errors import UserError
from tfkit.recipe import Recipe


def load_recipe(what: str | Path | Recipe) -> Recipe:
    """Get a recipe: by a name of `ls`, the path of a page, a dotted module, or a recipe as it is."""
    if isinstance(what, Recipe):
        return what
    page = find_recipe(what)
    try:
        recipe = getattr(_run(str(what), page), "recipe", None)
    except Exception as error:
        raise UserError(f"{_place(error, page)}: {_reason(error)}") from error
    if not isinstance(recipe, Recipe):
        raise UserError(f"{page} is not a page: it ends without `recipe = tfkit.Recipe(Config, data, model)`.")
    return recipe.replace(name=page.stem, path=page.resolve())


def _run(word: str, page: Path) -> ModuleType:
    """Import a page under the name that it has, or one made from its path."""
    if word in recipe_files():
        return importlib.import_module(f"tfkit.recipes.{word}")
    if not word.endswith(".py"):
        return importlib.import_module(word)
    name = f"{page.stem}_{zlib.crc32(str(page.resolve()).encode()):08x}"
    module = ModuleType(name)
    module.__file__ = str(page)
    sys.modules[name] = module  # pydantic looks here for the types of a page's settings
    try:
        exec(compile(page.read_bytes(), str(page), "exec"), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _place(error: Exception, page: Path) -> str:
    """File and line of the page where an import failed."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(page)]
    return f"{page}, line {lines[-1]}" if lines else str(page)


def _reason(error: Exception) -> str:
    words = error.msg if isinstance(error, SyntaxError) else (str(error).splitlines() or [""])[0]
    return words if isinstance(error, UserError) else f"{type(error).__name__}: {words}"
