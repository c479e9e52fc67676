"""Detect text encodings and convert text to UTF-8."""

import codecs
from pathlib import Path

from tfkit.errors import UserError

_BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def to_utf8(raw: bytes, encoding: str | None, path: Path) -> tuple[bytes, str]:
    """Convert text to UTF-8 without a byte-order mark.

    Without `encoding` and without a byte-order mark, UTF-8 is tried first, then cp1252: Latin-1 plus the characters
    that Windows has at 80 to 9F.

    Args:
        raw: The bytes of the text.
        encoding: The name of the encoding; None to detect it.
        path: The path for messages.

    Returns:
        The text as UTF-8, and the name of its encoding.

    Raises:
        UserError: If the encoding is unknown, or the text cannot be decoded.
    """
    declared = encoding or bom_encoding(raw)
    candidates, first_bad_line = [declared] if declared else ["utf-8", "cp1252"], 0
    for name in candidates:
        try:
            text = _convert(raw, name)
        except UnicodeError as error:
            first_bad_line = first_bad_line or raw.count(b"\n", 0, getattr(error, "start", 0)) + 1
            continue
        except LookupError as error:
            raise UserError(
                f"`encoding` must be an encoding that Python supports, such as utf-8, latin-1, gb18030 or shift_jis. "
                f"Received: {encoding!r}"
            ) from error
        if b"\0" in text:
            raise UserError(
                f"A table must be text or Parquet; if this is UTF-16 without a byte-order mark, give "
                f"encoding=utf-16-le. Received: {path}, which contains zero bytes"
            )
        return text, name
    raise UserError(
        f"Text must be UTF-8, UTF-16 with a byte-order mark or Latin-1; else give its encoding, such as "
        f"encoding=gb18030. Received: {path}, not {' or '.join(candidates)} in line {first_bad_line}"
    )


def check_file_names(names: list[str], folder: Path) -> None:
    """Raise UserError if a file name is not valid Unicode.

    Python reads such names from disk without an error.
    """
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise UserError(f"File names must be valid UTF-8; rename the file. Received: {name} in {folder}") from None


def bom_encoding(raw: bytes) -> str | None:
    """Return the encoding of the byte-order mark, None if there is no mark."""
    return next((name for mark, name in _BYTE_ORDER_MARKS.items() if raw.startswith(mark)), None)


def _convert(raw: bytes, encoding: str) -> bytes:
    text = raw.decode(encoding)
    if codecs.lookup(encoding).name == "utf-8":  # the usual case: no second copy
        return raw.removeprefix(codecs.BOM_UTF8)
    return text.removeprefix("\ufeff").encode()
