"""What a page says of itself: its docstring and its settings, read as text, so that reading never runs it."""

import ast
import tokenize
from pathlib import Path
from typing import NamedTuple

from tfkit.errors import UserError

CONFIG = Path(__file__).with_name("config.py")
BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
WIDTH = 24  # a type or default that is longer has a line of its own


class Setting(NamedTuple):
    """A setting as its line says it: `depth: int = 3  # hidden layers`."""

    kind: str
    default: str
    meaning: str


def manual(page: Path) -> str:
    """The docstring of a page."""
    return ast.get_docstring(_tree(page)) or ""


def settings(page: Path) -> dict[str, Setting]:
    """The settings in the class `Config` of a page, by name."""
    comments, aliases, found = _comments(page), _aliases(CONFIG) | _aliases(page), {}
    for node in _tree(page).body:
        if isinstance(node, ast.ClassDef) and node.name == "Config":
            for line in node.body:
                if isinstance(line, ast.AnnAssign) and "ClassVar" not in ast.unparse(line.annotation):
                    meaning = comments.get(line.end_lineno or line.lineno, "")
                    kind = _kind(line.annotation, aliases)
                    found[ast.unparse(line.target)] = Setting(kind, _default(line.value), meaning)
    return found


def table(rows: dict[str, Setting]) -> list[str]:
    """Settings in columns: name, type, default, meaning."""
    short = {
        name: [name, *(cell if len(cell) <= WIDTH else "..." for cell in (kind, default)), meaning]
        for name, (kind, default, meaning) in rows.items()
    }
    widths = [max(len(cells[column]) for cells in short.values()) for column in range(4)]
    lines = []
    for name, cells in short.items():
        lines.append("  ".join(["", *(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True))]).rstrip())
        lines += [f"  {'':{widths[0]}}  {cell}" for cell in rows[name][:2] if len(cell) > WIDTH]
    return lines


def _tree(page: Path) -> ast.Module:
    try:
        with tokenize.open(page) as file:
            return ast.parse(file.read())
    except SyntaxError as error:
        raise UserError(f"{page}, line {error.lineno}: {error.msg}") from None


def _comments(page: Path) -> dict[int, str]:
    """The comment at the end of each line that has one."""
    with tokenize.open(page) as file:
        tokens = tokenize.generate_tokens(file.readline)
        return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}


def _kind(node: ast.expr, aliases: dict[str, ast.expr]) -> str:
    """A type in words: `int >= 1 | auto`."""
    match node:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return f"{_kind(left, aliases)} | {_kind(right, aliases)}"
        case ast.Subscript(value=value, slice=inside) if ast.unparse(value).endswith("Literal"):
            return " | ".join(map(_default, inside.elts if isinstance(inside, ast.Tuple) else [inside]))
        case ast.Subscript(value=value, slice=ast.Tuple(elts=[kind, ast.Call(keywords=bounds)])):
            words = [f"{BOUNDS[bound.arg]} {ast.unparse(bound.value)}" for bound in bounds if bound.arg in BOUNDS]
            return " ".join([_kind(kind, aliases), ", ".join(words)]).strip()
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in aliases:
            return _kind(aliases[name], aliases)
        case ast.Constant(value=None):
            return "none"
    return ast.unparse(node)


def _aliases(file: Path) -> dict[str, ast.expr]:
    """The types that a file gives a name, such as `count` in config.py."""
    lines = [line for line in _tree(file).body if isinstance(line, ast.Assign)]
    types = ("Annotated[", "Literal[")
    return {ast.unparse(line.targets[0]): line.value for line in lines if ast.unparse(line.value).startswith(types)}


def _default(node: ast.expr | None) -> str:
    """A default as it would be typed: words bare, None and booleans in lower case."""
    match node:
        case None:
            return "(must be given)"
        case ast.Constant(value=str(word)):
            return word or '""'
        case ast.Constant(value=None | bool()):
            return ast.unparse(node).lower()
        case ast.Call(func=ast.Attribute(attr="sample"), args=[ast.Constant(value=str(name))]):
            return f"{name} (sample)"
    return ast.unparse(node)
