"""The parts that tfkit offers to any Keras model, found and described by reading their text; nothing here runs one."""

import ast
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
ROOMS = ("layers", "callbacks", "losses", "metrics", "schedules", "optimizers", "testing")


class Part(NamedTuple):
    """A public class or function: `layers.MLP`, how it is called, and what its docstring says."""

    name: str
    call: str
    words: str

    @property
    def line(self) -> str:
        """What it does, in one sentence."""
        return " ".join(self.words.split("\n\n")[0].split())


def parts(room: str) -> list[Part]:
    """The public parts of a room, in the order of their names.

    Example:
        >>> [part.name for part in parts("losses")][:2]
        ['losses.GaussianNLL', 'losses.PerMember']
    """
    place = HERE / room
    files = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    defined = {
        node.name: node
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    }
    public = _public(trees[0] if place.is_dir() else None) or list(defined)
    return [_part(room, defined[name]) for name in sorted(public, key=str.lower) if name in defined]


def find_part(word: str) -> Part | None:
    """The part that is meant by `layers.MLP`, `tfkit.layers.MLP` or `MLP`; None where there is none of that name."""
    *room, name = word.removeprefix("tfkit.").split(".")
    rooms = ROOMS if not room else tuple(one for one in ROOMS if [one] == room)
    return next((part for one in rooms for part in parts(one) if part.name.partition(".")[2] == name), None)


def listing(room: str) -> list[str]:
    """A line for each part of a room."""
    found = parts(room)
    width = max(len(part.name) for part in found)
    return [f"{part.name:{width}}  {part.line}" for part in found]


def _public(tree: ast.Module | None) -> list[str]:
    """What `__all__` of a package names."""
    for node in tree.body if tree else ():
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def _part(room: str, node: ast.ClassDef | ast.FunctionDef) -> Part:
    maker: ast.stmt = node
    if isinstance(node, ast.ClassDef):
        maker = next((one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), node)
    said = ast.unparse(maker.args) if isinstance(maker, ast.FunctionDef) else ""
    said = said.removeprefix("self, ").removesuffix(", **kwargs")
    return Part(f"{room}.{node.name}", f"{node.name}({said})", ast.get_docstring(node) or "")
