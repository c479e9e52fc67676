"""Docstring and settings of a recipe file, read from its source, so that the file is never executed."""

import ast
import tokenize
from pathlib import Path
from typing import NamedTuple

from tfkit.errors import UserError

CONFIG_FILE = Path(__file__).parents[1] / "config.py"

BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}

MAX_COLUMN_CHARACTERS = 24  # characters; a longer type or default is printed on a separate line


class Setting(NamedTuple):
    """A setting as written in a `Config` class: `depth: int = 3  # hidden layers`."""

    type: str
    default: str
    description: str


def read_docstring(path: Path) -> str:
    """Return the module docstring of a recipe file."""
    return ast.get_docstring(_parse(path)) or ""


def read_settings_of(path: Path) -> dict[str, Setting]:
    """Return the settings of the class `Config` of a file, by name; without those that every recipe has.

    Those of its base class in config.py, such as `SupervisedConfig`, follow. A setting without description has that of
    the base class, or of `tfkit.Config`.
    """
    classes = _config_classes(path)
    if "Config" not in classes:
        return {}
    bases = _config_classes(CONFIG_FILE)
    shared = _read_class(bases["Config"], CONFIG_FILE)
    inherited: dict[str, Setting] = {}
    for base in classes["Config"].bases:
        name = ast.unparse(base).rpartition(".")[2]
        if name != "Config" and name in bases:
            inherited |= _read_class(bases[name], CONFIG_FILE)
    own = _read_class(classes["Config"], path)
    descriptions = {
        name: setting.description
        for rows in (shared, inherited, own)
        for name, setting in rows.items()
        if setting.description
    }
    settings = own | {name: setting for name, setting in inherited.items() if name not in own}
    return {name: setting._replace(description=descriptions.get(name, "")) for name, setting in settings.items()}


def _config_classes(path: Path) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in _parse(path).body if isinstance(node, ast.ClassDef)}


def _read_class(node: ast.ClassDef, path: Path) -> dict[str, Setting]:
    """Return the settings that a class defines itself."""
    comments, aliases = _comments(path), _type_aliases(CONFIG_FILE) | _type_aliases(path)
    fields = {}
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and "ClassVar" not in ast.unparse(line.annotation):
            numbers = range(line.end_lineno or line.lineno, line.lineno - 1, -1)  # a formatter may wrap a setting
            description = next((comments[number] for number in numbers if number in comments), "")
            type_name = _type_name(line.annotation, aliases)
            fields[ast.unparse(line.target)] = Setting(type_name, _format_default(line.value), description)
    return fields


def format_settings(rows: dict[str, Setting]) -> list[str]:
    """Format settings as lines of four columns: name, type, default, description."""
    table = {
        name: [
            name,
            *(cell if len(cell) <= MAX_COLUMN_CHARACTERS else "..." for cell in (setting.type, setting.default)),
            setting.description,
        ]
        for name, setting in rows.items()
    }
    widths = [max(len(cells[column]) for cells in table.values()) for column in range(4)]
    lines = []
    for name, cells in table.items():
        lines.append("  ".join(["", *(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True))]).rstrip())
        lines += [f"  {'':{widths[0]}}  {cell}" for cell in rows[name][:2] if len(cell) > MAX_COLUMN_CHARACTERS]
    return lines


def _parse(path: Path) -> ast.Module:
    """Parse a Python file.

    Raises:
        UserError: With the line of a syntax error.
    """
    try:
        with tokenize.open(path) as file:
            return ast.parse(file.read())
    except SyntaxError as error:
        raise UserError(f"{path}, line {error.lineno}: {error.msg}") from None


def _comments(path: Path) -> dict[int, str]:
    """Return the comment at the end of each line that has one, by line number."""
    with tokenize.open(path) as file:
        tokens = tokenize.generate_tokens(file.readline)
        return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}


def _type_name(node: ast.expr, aliases: dict[str, ast.expr]) -> str:
    """Format a type annotation: `int >= 1 | auto`."""
    match node:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return f"{_type_name(left, aliases)} | {_type_name(right, aliases)}"
        case ast.Subscript(value=value, slice=index) if ast.unparse(value).endswith("Literal"):
            return " | ".join(map(_format_default, index.elts if isinstance(index, ast.Tuple) else [index]))
        case ast.Subscript(value=value, slice=ast.Tuple(elts=[base, ast.Call(keywords=keywords)])):
            bounds = [f"{BOUNDS[bound.arg]} {ast.unparse(bound.value)}" for bound in keywords if bound.arg in BOUNDS]
            return " ".join([_type_name(base, aliases), ", ".join(bounds)]).strip()
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in aliases:
            return _type_name(aliases[name], aliases)
        case ast.Constant(value=None):
            return "none"
    return ast.unparse(node)


def _type_aliases(path: Path) -> dict[str, ast.expr]:
    """Return the type aliases that a file defines, such as `PositiveInt` in config.py."""
    lines = [line for line in _parse(path).body if isinstance(line, ast.Assign)]
    prefixes = ("Annotated[", "Literal[")
    return {ast.unparse(line.targets[0]): line.value for line in lines if ast.unparse(line.value).startswith(prefixes)}


def _format_default(node: ast.expr | None) -> str:
    """Format a default as it is typed on the command line.

    Strings are unquoted, None and booleans in lower case.
    """
    match node:
        case None:
            return "(required)"
        case ast.Constant(value=str(text)):
            return text or '""'
        case ast.Constant(value=None | bool()):
            return ast.unparse(node).lower()
        case ast.Call(func=ast.Attribute(attr="sample_path"), args=[ast.Constant(value=str(name))]):
            return f"{name} (sample)"
    return ast.unparse(node)
