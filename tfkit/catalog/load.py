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
from tfkit.run_dir import RunDir


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


def load_recipe_of_run(run: RunDir, recipe: str | Path | Recipe | None = None) -> Recipe:
    """Load the recipe of a run, to train it again.

    A recipe file is code, and the file that a run names may have changed, or be of somebody else. It is compared with
    the copy in the run before it is executed.

    Args:
        run: The run.
        recipe: Its recipe, as in `load_recipe`; None for the file that the run names.

    Raises:
        UserError: If the run names no file, or the file is not the one that the run was trained with.
    """
    copy = run.path("recipe.py")
    if recipe is None:
        recipe = run.provenance["recipe_file"]
        if recipe is None:
            raise UserError(f"The recipe of this run was created in Python; pass it again. Received: {run.folder}")
        missing = next((path for path in (Path(str(recipe)), copy) if not path.is_file()), None)
        if missing is not None:
            raise UserError(
                "A run is trained again with the recipe file that it names, which must be equal to its recipe.py; "
                f"give the recipe file, for a report with --recipe. Received: {missing}, which does not exist"
            )
    path = recipe.path if isinstance(recipe, Recipe) else find_recipe(recipe)
    if path is not None and copy.is_file() and path.read_bytes() != copy.read_bytes():
        raise UserError(
            "A run is trained again with its own recipe file, which is recipe.py in the run; start a new run for "
            f"another. Received: {path}, which differs"
        )
    return load_recipe(recipe)


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
