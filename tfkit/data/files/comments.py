"""Comment lines above the header of a text file."""

import io
import re

_COMMENT = b"#"

_MAX_BYTES = 1 << 16


def count_comment_bytes(text: bytes) -> int:
    """Return the number of bytes of the comment lines above the header: lines that start with #.

    The last of them is the header, if it has as many cells as the line below and that line has numbers.

    Example:
        >>> count_comment_bytes(b"# source: a\\nyear,value\\n1960,2\\n"), count_comment_bytes(b"#id,value\\n1,2\\n")
        (12, 0)
    """
    if not text.startswith(_COMMENT):
        return 0
    position, last = 0, b""
    for line in io.BytesIO(text[:_MAX_BYTES]):
        if not line.startswith(_COMMENT):
            return position - len(last) if _is_header(last, line) else position
        position, last = position + len(line), line
    return 0


def _is_header(line: bytes, next_line: bytes) -> bool:
    """Return whether a line has the names of the cells of the next line."""
    delimiters = [mark for mark in (b",", b";", b"\t", b"|") if line.count(mark) == next_line.count(mark) > 0]
    return any(re.fullmatch(rb"[-+.\d]+", cell.strip()) for mark in delimiters for cell in next_line.split(mark))
