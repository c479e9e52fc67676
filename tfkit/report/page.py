"""Sections become one file that opens anywhere: no script, no font, no picture from elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfkit.report.section import Section

HERE = Path(__file__).resolve().parent


def page(
    title: str, sections: Sequence[Section], *, tiles: Sequence[tuple[str, str]] = (), verdict: str = "", foot: str = ""
) -> str:
    """The whole page as HTML. Whatever comes from data is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.tests["number"] = _is_number
    environment.filters["numeric"] = _numeric
    template = environment.get_template("page.html")
    style = (HERE / "style.css").read_text(encoding="utf-8")
    numbered = [(f"part-{i}", section) for i, section in enumerate(sections, 1)]
    return template.render(title=title, sections=numbered, tiles=tiles, verdict=verdict, foot=foot, style=style)


def _numeric(table: Any) -> list[bool]:
    """Of each column whether it holds numbers alone."""
    if not table.rows:
        return [False] * len(table.head)
    columns = zip(*table.rows, strict=False)
    return [any(map(_is_number, cells)) and all(_is_number(c) or c in ("", None) for c in cells) for cells in columns]


def _is_number(word: Any) -> bool:
    """Whether a cell is a number, which stands at the right."""
    plain = str(word).strip().replace(",", "").removesuffix("%").lstrip("-")
    return plain.replace(".", "", 1).replace("e-", "", 1).replace("e+", "", 1).isdigit()
