import xml.etree.ElementTree as tree

import numpy as np

from tfkit.reporting.figures import PALETTE, draw, evenly_spaced_indices, legend, log_axis


def plot_lines(axes):
    axes.plot([1, 2, 3], [0.123456, 0.2, 0.3], label="$x_1$ <b>")
    axes.plot([1, 2, 3], [1, 1, 2], label="second")
    legend(axes)


def test_figure_uses_the_colors_of_the_report():
    figure = draw("A < B", "text & more", plot_lines, x="0.123456")
    root = tree.fromstring(figure.svg)
    assert root.attrib["aria-label"] == "A < B: text & more"
    assert [child.text for child in root[:2]] == ["A < B", "text & more"]
    assert "var(--blue)" in figure.svg
    assert not any(placeholder in figure.svg for placeholder in PALETTE)
    assert "DejaVu" not in figure.svg


def test_text_in_figures_is_unchanged():
    texts = [
        "".join(text.itertext())
        for text in tree.fromstring(draw("a", "b", plot_lines, x="0.123456").svg).iter()
        if text.tag.endswith("}text")
    ]
    assert "0.123456" in texts
    assert "$x_1$ <b>" in texts


def test_two_figures_have_distinct_ids():
    svg_a, svg_c = (draw(title, "b", plot_lines).svg for title in ("a", "c"))

    def ids(svg):
        return {node.attrib["id"] for node in tree.fromstring(svg).iter() if "id" in node.attrib}

    assert ids(svg_a)
    assert not ids(svg_a) & ids(svg_c)


def test_figures_are_deterministic():
    assert draw("a", "b", plot_lines).svg == draw("a", "b", plot_lines).svg


def test_log_axis_has_plain_numbers():
    def plot(axes):
        axes.plot([1, 2], [0.001, 10])
        log_axis(axes.yaxis)

    svg = draw("a", "b", plot).svg
    assert ">0.001<" in svg
    assert "mathdefault" not in svg


def test_evenly_spaced_indices_include_both_ends():
    assert evenly_spaced_indices(3, 10).tolist() == [0, 1, 2]
    assert len(evenly_spaced_indices(1000, 10)) == 10
    assert evenly_spaced_indices(1000, 10)[[0, -1]].tolist() == [0, 999]
    assert (np.diff(evenly_spaced_indices(1000, 10)) == 111).all()
