"""Find, list, show and copy recipe files, without executing them."""

import importlib.util
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tfkit import recipes
from tfkit.catalog.components import COMPONENT_PACKAGES, find_component, format_components
from tfkit.catalog.recipe_docs import CONFIG_FILE, format_settings, read_docstring, read_settings_of
from tfkit.catalog.topics import find_topic, topics
from tfkit.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from tfkit.recipe import Recipe


DATA_SUFFIXES = {".csv", ".tsv", ".txt", ".parquet", ".jsonl", ".ndjson", ".json", ".xlsx", ".gz", ".zip", ".feather"}


def recipe_files() -> dict[str, Path]:
    """Return the files of the recipes that come with tfkit, by name."""
    paths = [path for folder in recipes.__path__ for path in Path(folder).glob("[!_]*.py")]
    return {path.stem: path for path in sorted(paths, key=lambda path: path.stem)}


def find_recipe(what: "str | Path | Recipe", extra_names: Iterable[str] = ()) -> Path:
    """Return the file of a recipe.

    Args:
        what: A name of `list_recipes`, a path, a dotted module, or a `Recipe` that was loaded from a file.
        extra_names: Other names that an error message may suggest.

    Raises:
        UserError: If there is no such recipe, or the recipe has no file.
    """
    what = getattr(what, "path", what)
    if what is None:
        raise UserError("This recipe was created in Python and has no file.")
    name = str(what)
    files = recipe_files()
    if name in files:
        return files[name]
    if name.endswith(".py") and Path(name).expanduser().is_file():
        return Path(name).expanduser()
    if "." in name and not name.endswith(".py") and (path := _module_file(name)):
        return path
    if (example := _example_with_data(name)) is not None:
        raise UserError(f"The recipe comes first, and data is a setting. Type: {example} Received: {name!r}")
    hint = did_you_mean(name, [*files, *(path.name for path in Path().glob("*.py")), *extra_names])
    raise UserError(f"No recipe {name!r}.{hint} Recipes: {', '.join(files)}; or the path of a recipe file.")


def _example_with_data(name: str) -> str | None:
    """A command that trains on a path; None if the name is not that of data."""
    path = Path(name).expanduser()
    if path.is_dir() and path.name:
        return f"tfkit train image data={name} (or text, for a folder of .txt files)."
    if path.suffix.lower() in DATA_SUFFIXES or (path.is_file() and path.suffix != ".py"):
        return f"tfkit train tabular data={name} target=COLUMN (or text, series, forecast)."
    return None


def list_recipes() -> list[tuple[str, str]]:
    """List the recipes that come with tfkit: name and first line of the docstring."""
    return [(name, read_docstring(path).partition("\n")[0]) for name, path in recipe_files().items()]


def describe(name: "str | Path | Recipe") -> str:
    """Return the documentation of a recipe, a package or a component.

    That of a recipe is its docstring, then every setting with its type, default and description; that of a package,
    such as `layers`, a line for each component; that of a component, such as `layers.MLP`, its signature and docstring.
    A setting or metric, such as `learning_rate` or `f1`, is described in a paragraph.
    """
    text = str(name)
    if text in COMPONENT_PACKAGES:
        return "\n".join(format_components(text))
    if text not in recipe_files() and (component := find_component(text)):
        package = component.name.partition(".")[0]
        return f"tfkit.{package}.{component.signature}\n\n{component.docstring}"
    if text not in recipe_files() and (topic := find_topic(text)):
        return topic
    path = find_recipe(name, extra_names=topics())
    shared, specific = read_settings_of(CONFIG_FILE), read_settings_of(path)
    shared_only = {key: setting for key, setting in shared.items() if key not in specific}
    lines = [read_docstring(path), ""]
    if specific:
        lines += ["Settings of this recipe (key=value)", *format_settings(specific), ""]
    return "\n".join([*lines, "Settings of every recipe", *format_settings(shared_only)])


def copy_recipe(name: "str | Path | Recipe", to: str | Path) -> Path:
    """Copy a recipe file and return the new path.

    Args:
        name: The recipe; see `find_recipe`.
        to: A new .py file, or a folder.

    Raises:
        UserError: If the new file exists already, is no .py file, or its folder does not exist.
    """
    path, target = find_recipe(name), Path(to).expanduser()
    target = target / path.name if target.is_dir() else target
    if target.suffix != ".py":
        raise UserError(f"A recipe must be a .py file. Received: {target}")
    if target.exists():
        raise UserError(f"A recipe must be copied to a new file; give another name. Received: {target}, which exists")
    if not target.parent.is_dir():
        raise UserError(f"No such folder: {target.parent}")
    shutil.copyfile(path, target)
    return target


def _module_file(name: str) -> Path | None:
    """Return the file of a dotted module, if there is one."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None
