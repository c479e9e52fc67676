"""Draw `docs/architecture.svg` from the imports in the code: `python docs/draw_architecture.py`.

The picture is a matrix. A square in row A and column B: package A imports package B. The order of the packages is that
of `LADDER` in `tests/test_architecture.py`, so every square must be below the diagonal.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "architecture.svg"
LADDER_FILE = ROOT / "tests" / "test_architecture.py"

CELL, LEFT, TOP, MARGIN = 22, 132, 112, 10  # pixels
LEGEND = "Row imports column. Packages of one color band are on one step of the order."

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.paper { fill: #ffffff } .band { fill: #eef1f4 } .grid { stroke: #d0d7de } .self { fill: #d0d7de }
.import { fill: #0969da }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .paper { fill: #0d1117 } .band { fill: #1c2129 } .grid { stroke: #30363d } .self { fill: #30363d }
  .import { fill: #58a6ff }
}
"""


def ladder() -> list[list[str]]:
    """Return the steps of the order of packages; the root modules are one package, `root`."""
    for node in ast.parse(LADDER_FILE.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LADDER":
            _, *steps = ast.literal_eval(node.value)
            return [["root"], *([name for name in step if name != "__main__"] for step in steps)]
    raise ValueError(f"{LADDER_FILE} has no LADDER")


def imports_between_packages(packages: list[str]) -> set[tuple[str, str]]:
    """Return the pairs (package, imported package); imports inside functions count, imports for types do not."""
    pairs = set()
    for file in sorted((ROOT / "tfkit").rglob("*.py")):
        package = _package_of(".".join(file.relative_to(ROOT).with_suffix("").parts), packages)
        for module in _imported_modules(ast.parse(file.read_text(encoding="utf-8"))):
            pairs.add((package, _package_of(module, packages)))
    return {(package, imported) for package, imported in pairs if package != imported}


def _package_of(module: str, packages: list[str]) -> str:
    """Return the package of a module: `tfkit.data.files.csv` -> `data`."""
    if module == "tfkit.__main__":
        return "cli"
    name = (*module.split("."), "")[1]
    return name if name in packages else "root"


def _imported_modules(tree: ast.Module) -> Iterator[str]:
    """Yield the modules of tfkit that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "tfkit")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "tfkit":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def draw() -> str:
    """Return the picture as SVG text."""
    steps = ladder()
    packages = [name for step in steps for name in step]
    pairs = imports_between_packages(packages)
    size = CELL * len(packages)
    width, height = LEFT + size + MARGIN, TOP + size + 36
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-labelledby="title">',
            '<title id="title">Imports between the packages of tfkit: every square is below the diagonal</title>',
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{width}" height="{height}"/>',
            *_bands(steps, size),
            *_lines(len(packages), size),
            *_labels(packages),
            *_squares(packages, pairs),
            f'<text x="{MARGIN}" y="{height - 12}">{LEGEND}</text>',
            "</svg>\n",
        ]
    )


def _bands(steps: list[list[str]], size: int) -> Iterator[str]:
    """Yield a background for every second step."""
    row = 0
    for number, step in enumerate(steps):
        if number % 2:
            yield (
                f'<rect class="band" x="{MARGIN}" y="{TOP + row * CELL}" '
                f'width="{LEFT - MARGIN + size}" height="{CELL * len(step)}"/>'
            )
        row += len(step)


def _lines(count: int, size: int) -> Iterator[str]:
    """Yield the lines of the grid."""
    for index in range(count + 1):
        offset = index * CELL
        yield f'<path class="grid" d="M{LEFT} {TOP + offset}h{size}M{LEFT + offset} {TOP}v{size}"/>'


def _labels(packages: list[str]) -> Iterator[str]:
    """Yield the names of rows and columns."""
    for index, name in enumerate(packages):
        center = index * CELL + CELL // 2
        yield f'<text x="{LEFT - 8}" y="{TOP + center + 5}" text-anchor="end">{name}</text>'
        x, y = LEFT + center + 4, TOP - 8
        yield f'<text transform="translate({x} {y}) rotate(-60)">{name}</text>'


def _squares(packages: list[str], pairs: set[tuple[str, str]]) -> Iterator[str]:
    """Yield the diagonal and a square for each import."""
    for row, package in enumerate(packages):
        for column, imported in enumerate(packages):
            kind = "self" if row == column else "import" if (package, imported) in pairs else ""
            if kind:
                x, y = LEFT + column * CELL + 4, TOP + row * CELL + 4
                title = "" if kind == "self" else f"<title>{package} imports {imported}</title>"
                side = CELL - 8
                yield f'<rect class="{kind}" x="{x}" y="{y}" width="{side}" height="{side}" rx="2">{title}</rect>'


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
