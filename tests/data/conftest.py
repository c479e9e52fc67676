"""What the tests of files share: a file to read, the cells of a table, and a refusal."""

import pandas as pd
import pytest

from tfkit.data.files import read_frame
from tfkit.errors import UserError


@pytest.fixture
def file(tmp_path):
    """Writes what a file holds and gives its path."""

    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def columns():
    """The cells of a frame by column, None where missing."""
    return lambda frame: {name: [None if pd.isna(cell) else cell for cell in frame[name]] for name in frame}


@pytest.fixture
def refused():
    """Reads a source that must be refused, in one line that has all the parts."""

    def read(source, *parts, **options):
        with pytest.raises(UserError) as caught:
            read_frame(source, **options)
        message = str(caught.value)
        assert "\n" not in message
        assert "Received: " in message
        for part in parts:
            assert part in message, message

    return read
