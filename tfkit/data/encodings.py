"""Text is UTF-8 by the time anything reads it, whatever it came in."""

import codecs
from pathlib import Path

from tfkit.errors import UserError

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def to_utf8(raw: bytes, encoding: str | None, path: Path) -> tuple[bytes, str]:
    """The text as UTF-8 without a mark, and the encoding it came in: the one given, that of its mark, or a guess.

    The guess is UTF-8, else cp1252: Latin-1 and, at 80 to 9F, what Windows puts there.
    """
    known = encoding or marked(raw)
    tried, line = [known] if known else ["utf-8", "cp1252"], 0
    for name in tried:
        try:
            text = _converted(raw, name)
        except UnicodeError as error:
            line = line or raw.count(b"\n", 0, getattr(error, "start", 0)) + 1
            continue
        except LookupError as error:
            raise UserError(
                f"`encoding` must be a name that Python knows, such as utf-8, latin-1, gb18030 or shift_jis. "
                f"Received: {encoding!r}"
            ) from error
        if b"\0" in text:
            raise UserError(
                f"A table must be text or Parquet; if this is UTF-16 without a mark, give encoding=utf-16-le. "
                f"Received: {path}, with zero bytes in it"
            )
        return text, name
    raise UserError(
        f"Text must be UTF-8, UTF-16 with a mark or Latin-1; else give its encoding, such as encoding=gb18030. "
        f"Received: {path}, not {' or '.join(tried)} in line {line}"
    )


def check_names(names: list[str], folder: Path) -> None:
    """Refuse names of files that are no text, which Python reads from a disk all the same."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise UserError(f"Names of files must be text, UTF-8; rename it. Received: {name} in {folder}") from None


def marked(raw: bytes) -> str | None:
    """The encoding that a byte-order mark names."""
    return next((name for mark, name in _MARKS.items() if raw.startswith(mark)), None)


def _converted(raw: bytes, encoding: str) -> bytes:
    text = raw.decode(encoding)
    if codecs.lookup(encoding).name == "utf-8":  # as nearly all are: no second copy
        return raw.removeprefix(codecs.BOM_UTF8)
    return text.removeprefix("\ufeff").encode()
