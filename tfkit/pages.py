"""Pages are found, listed, shown and copied as files; nothing here runs one."""

import importlib.util
import shutil
from pathlib import Path
from typing import Any

from tfkit import recipes
from tfkit.errors import UserError, nearest
from tfkit.manual import CONFIG, manual, settings, table
from tfkit.parts import ROOMS, find_part, listing


def pages() -> dict[str, Path]:
    """The pages that come with tfkit, by name."""
    found = [page for folder in recipes.__path__ for page in Path(folder).glob("[!_]*.py")]
    return {page.stem: page for page in sorted(found, key=lambda page: page.stem)}


def find(what: Any) -> Path:
    """The page that is meant: by a name of `ls`, a path, a dotted module, or a recipe that was loaded from one."""
    what = getattr(what, "page", what)
    if what is None:
        raise UserError("This recipe was made in Python: it has no page.")
    word = str(what)
    known = pages()
    if word in known:
        return known[word]
    if word.endswith(".py") and Path(word).expanduser().is_file():
        return Path(word).expanduser()
    if "." in word and not word.endswith(".py") and (page := _module(word)):
        return page
    hint = nearest(word, [*known, *(page.name for page in Path().glob("*.py"))])
    raise UserError(f"No recipe {word!r}.{hint} Recipes: {', '.join(known)}; a page of your own is given by its path.")


def ls() -> list[tuple[str, str]]:
    """Every recipe that comes with tfkit: its name and what it is for, the first line of its page."""
    return [(name, manual(page).partition("\n")[0]) for name, page in pages().items()]


def show(name: Any) -> str:
    """The manual of a recipe, of a room of parts (`layers`), or of one part (`layers.MLP`).

    Of a recipe: its page's own words, then every setting with its type, its default and its meaning.
    """
    word = str(name)
    if word in ROOMS:
        return "\n".join(listing(word))
    if word not in pages() and (part := find_part(word)):
        return f"tfkit.{part.name.partition('.')[0]}.{part.call}\n\n{part.words}"
    page = find(name)
    shared, own = settings(CONFIG), settings(page)
    for key, setting in own.items():
        if key in shared and not setting.meaning:
            own[key] = setting._replace(meaning=shared[key].meaning)
    rest = {key: setting for key, setting in shared.items() if key not in own}
    lines = [manual(page), ""]
    if own:
        lines += ["Its settings (key=value)", *table(own), ""]
    return "\n".join([*lines, "The settings of every recipe", *table(rest)])


def copy(name: Any, to: str | Path) -> Path:
    """Take a page home: copy it to `to`, a new .py file or a folder, and say where it is."""
    page, target = find(name), Path(to).expanduser()
    target = target / page.name if target.is_dir() else target
    if target.suffix != ".py":
        raise UserError(f"A page is a .py file. Received: {target}")
    if target.exists():
        raise UserError(f"{target} exists already and is left as it is: give another name.")
    if not target.parent.is_dir():
        raise UserError(f"No such folder: {target.parent}")
    shutil.copyfile(page, target)
    return target


def _module(name: str) -> Path | None:
    """The file of a dotted module, where there is one."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None
