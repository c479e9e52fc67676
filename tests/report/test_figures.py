import xml.etree.ElementTree as tree

import numpy as np

from tfkit.report.figures import PALETTE, draw, in_powers, legend, thinned


def line(axes):
    axes.plot([1, 2, 3], [0.123456, 0.2, 0.3], label="$x_1$ <b>")
    axes.plot([1, 2, 3], [1, 1, 2], label="other")
    legend(axes)


def test_a_drawing_is_a_part_of_the_page_in_its_colours():
    figure = draw("A < B", "says & so", line, x="0.123456")
    root = tree.fromstring(figure.svg)
    assert root.attrib["aria-label"] == "A < B: says & so"
    assert [child.text for child in root[:2]] == ["A < B", "says & so"]
    assert "var(--one)" in figure.svg
    assert not any(told in figure.svg for told in PALETTE)
    assert "DejaVu" not in figure.svg


def test_what_is_written_stays_as_it_is():
    words = [
        "".join(text.itertext())
        for text in tree.fromstring(draw("a", "b", line, x="0.123456").svg).iter()
        if text.tag.endswith("}text")
    ]
    assert "0.123456" in words
    assert "$x_1$ <b>" in words


def test_two_drawings_share_no_name():
    one, two = (draw(title, "b", line).svg for title in ("a", "c"))

    def names(svg):
        return {node.attrib["id"] for node in tree.fromstring(svg).iter() if "id" in node.attrib}

    assert names(one)
    assert not names(one) & names(two)


def test_the_same_drawing_is_the_same_bytes():
    assert draw("a", "b", line).svg == draw("a", "b", line).svg


def test_powers_of_ten_are_written_out():
    def paint(axes):
        axes.plot([1, 2], [0.001, 10])
        in_powers(axes.yaxis)

    svg = draw("a", "b", paint).svg
    assert ">0.001<" in svg
    assert "mathdefault" not in svg


def test_thinned_keeps_both_ends_and_no_more_than_told():
    assert thinned(3, 10).tolist() == [0, 1, 2]
    assert len(thinned(1000, 10)) == 10
    assert thinned(1000, 10)[[0, -1]].tolist() == [0, 999]
    assert (np.diff(thinned(1000, 10)) == 111).all()
