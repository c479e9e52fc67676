"""Drawings as SVG that stand in a page: its colours, its fonts, words for those who cannot see them."""

import io
import re
import zlib
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# What matplotlib is told to paint with -> the colour of the page that stands there in the end.
PALETTE = {
    "#010101": "var(--ink)",
    "#020202": "var(--muted)",
    "#030303": "var(--line)",
    "#040404": "var(--paper)",
    "#0a0101": "var(--one)",
    "#0a0202": "var(--two)",
    "#0a0303": "var(--three)",
    "#0a0404": "var(--four)",
    "#0a0505": "var(--five)",
    "#0a0606": "var(--six)",
}
INK, MUTED, LINE, PAPER, ONE, TWO, THREE, FOUR, FIVE, SIX = PALETTE
SERIES = (ONE, TWO, THREE, FOUR, FIVE, SIX)
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))  # lines differ in more than colour
SHOWN = 200  # rows of the numbers beside a figure
POINTS = 700  # of a scatter


@dataclass(frozen=True)
class Table:
    """Numbers in rows under a caption; `head` names the columns, the first of which names the row."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing, what it shows in words, and the numbers that it was drawn from."""

    title: str
    says: str
    svg: str
    numbers: Table | None = None
    wide: bool = False


def draw(
    title: str,
    says: str,
    paint: Callable[[Any], None],
    *,
    numbers: Table | None = None,
    height: float = 2.7,
    wide: bool = False,
    x: str = "",
    y: str = "",
) -> Figure:
    """A figure that `paint` draws on axes.

    Args:
        title: What stands above it.
        says: What it shows, in a sentence: for those who cannot see it, and for all beneath it.
        paint: Draws on the matplotlib axes that it is given.
        numbers: What it was drawn from.
        height: In inches; the width is 4.2, or 8.8 where it is wide.
        wide: Whether it needs the width of the page.
        x, y: What the axes are called.
    """
    with _style():
        from matplotlib.figure import Figure as Drawing

        drawing = Drawing(figsize=(8.8 if wide else 4.2, height), layout="constrained")
        axes = drawing.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        paint(axes)
        buffer = io.StringIO()
        drawing.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return Figure(title, says, _themed(buffer.getvalue(), title, says), numbers, wide)


def legend(axes: Any, **where: Any) -> None:
    """Say what the lines are, above the drawing, so that nothing is covered."""
    if len(axes.get_legend_handles_labels()[0]) < 2:
        return
    axes.legend(
        **{"loc": "lower left", "bbox_to_anchor": (0, 1.0), "ncols": 2, "frameon": False, "borderaxespad": 0, **where}
    )


def in_powers(axis: Any) -> None:
    """An axis in powers of ten, with its numbers written out: the page has no mathematics."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis._set_axes_scale("log")
    low, high = axis.get_view_interval()
    if high < 100 * low:  # or hardly a power lies on it
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:,.10g}" if value < 1e6 else f"{value:.0e}"))
    axis.set_minor_formatter(NullFormatter())


def thinned(count: int, most: int = POINTS) -> Any:
    """The numbers of at most so many of `count` things, evenly spread."""
    import numpy as np

    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


@contextmanager
def _style() -> Any:
    """How everything is drawn. Fonts are the page's own, so no letter is missing here that the page has."""
    import logging
    import warnings

    import matplotlib as mpl
    from cycler import cycler

    drawn = {
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "grid.color": LINE,
        "axes.prop_cycle": cycler(color=list(SERIES)),
    }
    sizes = {
        "font.size": 9.5,
        "axes.titlesize": 9.5,
        "axes.labelsize": 9.5,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "legend.fontsize": 9,
        "lines.linewidth": 1.6,
        "axes.linewidth": 0.8,
    }
    told = {
        "svg.fonttype": "none",
        "svg.hashsalt": "tfkit",
        "text.parse_math": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.linewidth": 0.6,
        "axes.unicode_minus": True,
    }
    log = logging.getLogger("matplotlib")
    level = log.level
    with mpl.rc_context({**drawn, **sizes, **told}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)


def _themed(svg: str, title: str, says: str) -> str:
    """The drawing as a part of the page: its colours, names of its own, and words."""
    from html import escape

    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style type=\"text/css\">.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    name = f"f{zlib.crc32((title + says + svg).encode()):x}"
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r' id="[^"]*-(?:text|line2d|patch|xtick|ytick|axes|figure|matplotlib|legend)[^"]*"', "", svg)
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d\.\d{2})\d+", r"\1", tag.group()), svg)  # not what is written
    svg = re.sub(r' transform="rotate\(-0[^"]*"', "", svg)
    for told, colour in PALETTE.items():
        svg = svg.replace(told, colour)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*|font-size: ([\d.]+)px; font-family: [^;\"]*", r"font-size: \1\2px", svg)
    svg = re.sub(r"\s+", " ", svg).replace("> <", "><")
    view = re.search(r'viewBox="[^"]*"', svg)
    words = f"<title>{escape(title)}</title><desc>{escape(says)}</desc>"
    head = f'<svg role="img" aria-label="{escape(title)}: {escape(says)}" {view.group(0) if view else ""}'
    xlink = 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg" version="1.1">'
    return re.sub(r"<svg[^>]*>", lambda _: f"{head} {xlink}{words}", svg, count=1).strip()
