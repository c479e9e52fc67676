"""Render sections into one self-contained HTML file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfkit.catalog.topics import find_meaning
from tfkit.reporting.document import Section
from tfkit.reporting.figures import Table

TEMPLATE_FOLDER = Path(__file__).resolve().parent


def render_html(
    title: str,
    sections: Sequence[Section],
    *,
    tiles: Sequence[tuple[str, str]] = (),
    verdict: str = "",
    warnings: Sequence[str] = (),
    footer: str = "",
) -> str:
    """Render the HTML document. All text is escaped.

    Args:
        title: Title of the document and of its first heading.
        sections: Sections in order.
        tiles: Key figures shown at the top, as pairs (label, value).
        verdict: Sentence shown below the title.
        warnings: Sentences shown in a box below it.
        footer: Text of the footer.

    Returns:
        The document as a string.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATE_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["numeric_columns"] = _numeric_columns
    environment.filters["meaning"] = find_meaning
    template = environment.get_template("page.html")
    style = (TEMPLATE_FOLDER / "style.css").read_text(encoding="utf-8")
    sections_by_id = [(f"section-{i}", section) for i, section in enumerate(sections, 1)]
    return template.render(
        title=title,
        sections=sections_by_id,
        tiles=tiles,
        verdict=verdict,
        warnings=warnings,
        footer=footer,
        style=style,
    )


def _numeric_columns(table: Table) -> list[bool]:
    """Return for each column of a table whether all its non-empty cells are numbers."""
    if not table.rows:
        return [False] * len(table.head)
    columns = zip(*table.rows, strict=False)
    return [
        any(map(_is_number, cells)) and all(_is_number(cell) or cell in ("", None) for cell in cells)
        for cells in columns
    ]


def _is_number(cell: Any) -> bool:
    """Return whether a cell is a number; numeric columns are aligned right."""
    text = str(cell).strip().replace(",", "").removesuffix("%").lstrip("-")
    return text.replace(".", "", 1).replace("e-", "", 1).replace("e+", "", 1).isdigit()
