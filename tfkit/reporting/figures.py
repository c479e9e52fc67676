"""Draw figures as themed, accessible SVG for HTML reports."""

import io
import re
import zlib
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

# Placeholder color used in matplotlib -> CSS variable that replaces it in the SVG.
PALETTE = {
    "#010101": "var(--ink)",
    "#020202": "var(--muted)",
    "#030303": "var(--line)",
    "#040404": "var(--paper)",
    "#0a0101": "var(--blue)",
    "#0a0202": "var(--orange)",
    "#0a0303": "var(--green)",
    "#0a0404": "var(--purple)",
    "#0a0505": "var(--teal)",
    "#0a0606": "var(--red)",
}

INK, MUTED, LINE, PAPER, BLUE, ORANGE, GREEN, PURPLE, TEAL, RED = PALETTE

SERIES = (BLUE, ORANGE, GREEN, PURPLE, TEAL, RED)

DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))  # lines differ in more than color

MAX_POINTS = 700  # points of a scatter plot


@dataclass(frozen=True)
class Table:
    """A table with a caption and column names; the first column has the row names."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """An SVG figure with a description and the table of its data."""

    title: str
    description: str
    svg: str
    data: Table | None = None
    wide: bool = False


def draw(
    title: str,
    description: str,
    plot: Callable[[Any], None],
    *,
    data: Table | None = None,
    height: float = 2.7,
    wide: bool = False,
    x: str = "",
    y: str = "",
) -> Figure:
    """Create a figure by calling `plot` with matplotlib axes.

    Args:
        title: Title above the figure.
        description: One sentence on what the figure shows, without a final period. It is the caption and the text
            for screen readers.
        plot: Function that plots on the matplotlib axes passed to it.
        data: Table of the plotted data.
        height: Height in inches. The width is 4.2 inches, or 8.8 if `wide`.
        wide: Whether the figure has the full width of the report.
        x, y: Axis labels.

    Returns:
        The figure.
    """
    with _style():
        from matplotlib.figure import Figure as MatplotlibFigure

        drawing = MatplotlibFigure(figsize=(8.8 if wide else 4.2, height), layout="constrained")
        axes = drawing.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        plot(axes)
        buffer = io.StringIO()
        drawing.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return Figure(title, description, _apply_theme(buffer.getvalue(), title, description), data, wide)


def legend(axes: Any, **options: Any) -> None:
    """Add a legend above the axes, unless there are fewer than two labels."""
    if len(axes.get_legend_handles_labels()[0]) < 2:
        return
    axes.legend(
        **{"loc": "lower left", "bbox_to_anchor": (0, 1.0), "ncols": 2, "frameon": False, "borderaxespad": 0, **options}
    )


def log_axis(axis: Any) -> None:
    """Make an axis logarithmic, with plain numbers as tick labels."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis._set_axes_scale("log")
    low, high = axis.get_view_interval()
    if high < 100 * low:  # fewer than two powers of ten are in view
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, position: f"{value:,.10g}" if value < 1e6 else f"{value:.0e}"))
    axis.set_minor_formatter(NullFormatter())


def evenly_spaced_indices(count: int, most: int = MAX_POINTS) -> np.ndarray:
    """Return at most `most` evenly spaced indices into `count` items, with both ends."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


@contextmanager
def _style() -> Any:
    """Apply the matplotlib style of reports.

    Text stays text in the SVG and uses the fonts of the HTML document, so missing glyphs of matplotlib do not matter.
    """
    import logging
    import warnings

    import matplotlib as mpl
    from cycler import cycler

    colors = {
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
    options = {
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
    with mpl.rc_context({**colors, **sizes, **options}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)


def _apply_theme(svg: str, title: str, description: str) -> str:
    """Prepare an SVG for embedding: CSS colors, unique ids, title and description."""
    from html import escape

    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style type=\"text/css\">.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    name = f"f{zlib.crc32((title + description + svg).encode()):x}"
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r' id="[^"]*-(?:text|line2d|patch|xtick|ytick|axes|figure|matplotlib|legend)[^"]*"', "", svg)
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d\.\d{2})\d+", r"\1", tag.group()), svg)  # tags only, not text
    svg = re.sub(r' transform="rotate\(-0[^"]*"', "", svg)
    for placeholder, color in PALETTE.items():
        svg = svg.replace(placeholder, color)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*|font-size: ([\d.]+)px; font-family: [^;\"]*", r"font-size: \1\2px", svg)
    svg = re.sub(r"\s+", " ", svg).replace("> <", "><")
    view = re.search(r'viewBox="[^"]*"', svg)
    texts = f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
    head = f'<svg role="img" aria-label="{escape(title)}: {escape(description)}" {view.group(0) if view else ""}'
    xlink = 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg" version="1.1">'
    return re.sub(r"<svg[^>]*>", lambda _: f"{head} {xlink}{texts}", svg, count=1).strip()
