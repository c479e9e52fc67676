"""Fixtures of the data tests."""

import pandas as pd
import pytest

from tfkit.data.files.read import read_frame
from tfkit.errors import UserError


@pytest.fixture
def file(tmp_path):
    """Return a function that writes content to a file and returns its path."""

    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def columns():
    """Return a function from a frame to the cells of each column, None if missing."""
    return lambda frame: {name: [None if pd.isna(cell) else cell for cell in frame[name]] for name in frame}


@pytest.fixture
def assert_refused():
    """Return a function that asserts that `read_frame` raises a UserError.

    The message must be one line and contain all the texts.
    """

    def read(source, *texts, **options):
        with pytest.raises(UserError) as error_info:
            read_frame(source, **options)
        message = str(error_info.value)
        assert "\n" not in message
        assert "Received: " in message
        for text in texts:
            assert text in message, message

    return read
