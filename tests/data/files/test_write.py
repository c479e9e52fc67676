"""Tests of the text format of files that are written beside those that were read."""

import numpy as np
import pandas as pd
import pytest

from tfkit.data.files.read import read_frame
from tfkit.data.files.write import text_format, write_frame

PROBABILITIES = np.array([0.25, np.nan, 1e-7], "float32")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a;price\nx;3,5\ny;1.234,50\nz;2,0\n", ["x;3,5;0,25", "y;1.234,50;", "z;2,0;1e-07"]),
        ("a;price\nx;3.5\ny;1.25\nz;2.0\n", ["x;3.5;0.25", "y;1.25;", "z;2.0;1e-07"]),
        ('a,price\nx,"3,5"\ny,"12,25"\nz,"2,0"\n', ['x,"3,5",0.25', 'y,"12,25",', 'z,"2,0",1e-07']),
    ],
    ids=["decimal comma", "decimal point", "comma as delimiter"],
)
@pytest.mark.reading("Numbers", "read")
def test_numbers_are_written_as_in_the_file(file, tmp_path, text, lines):
    frame = read_frame(file(text))
    write_frame(frame.assign(probability=PROBABILITIES), tmp_path / "out.csv", **text_format(frame))
    assert (tmp_path / "out.csv").read_text().splitlines()[1:] == lines
    pd.testing.assert_frame_equal(read_frame(tmp_path / "out.csv")[["a", "price"]], frame, check_like=True)
