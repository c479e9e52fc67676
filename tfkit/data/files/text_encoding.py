"""Detect text encodings and convert text to UTF-8."""

import codecs
from pathlib import Path

from tfkit.data.files.detect_encoding import detect
from tfkit.errors import UserError

_SAMPLE_BYTES = 4096

_MIN_UTF16_CHARACTERS = 8

_MIN_ZERO_FRACTION = 0.4  # of the characters of UTF-16; ASCII characters have a zero byte

_BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def to_utf8(raw: bytes, encoding: str | None, path: Path) -> tuple[bytes, str]:
    """Convert text to UTF-8 without a byte-order mark.

    Without `encoding` and without a byte-order mark, UTF-8 is tried first. The encoding of other text is detected from
    its letters; if only some lines are not UTF-8, these lines are converted.

    Args:
        raw: The bytes of the text.
        encoding: The name of the encoding; None to detect it.
        path: The path for messages.

    Returns:
        The text as UTF-8, and the name of its encoding: of two, "utf-8 and cp1252".

    Raises:
        UserError: If the encoding is unknown, or the text cannot be decoded.
    """
    declared = encoding or bom_encoding(raw) or _utf16_without_mark(raw)
    try:
        text, name = _convert(raw, declared or "utf-8"), declared or "utf-8"
    except LookupError as error:
        raise UserError(
            f"`encoding` must be an encoding that Python supports, such as utf-8, latin-1, gb18030 or shift_jis. "
            f"Received: {encoding!r}"
        ) from error
    except UnicodeError as error:
        candidate, is_mixed = (declared, False) if declared else detect(raw.splitlines())
        try:
            if declared:
                raise
            text = _convert_lines(raw, candidate) if is_mixed else _convert(raw, candidate)
            name = f"utf-8 and {candidate}" if is_mixed else candidate
        except UnicodeError as detected_error:
            first_bad_line = raw.count(b"\n", 0, getattr(detected_error, "start", 0)) + 1
            raise UserError(
                f"Text must be in one encoding that can be detected; else give its encoding, such as "
                f"encoding=gb18030. Received: {path}, not {declared or f'utf-8 or {candidate}'} in line "
                f"{first_bad_line:,}"
            ) from error
    if b"\0" in text:
        raise UserError(
            f"A table must be text or Parquet; if this is UTF-16 without a byte-order mark, give "
            f"encoding=utf-16-le. Received: {path}, which contains zero bytes"
        )
    return text, name


def encoding_message(name: str, declared: str | None) -> list[str]:
    """Describe an encoding that was detected from the letters, for the terminal; empty if it is certain."""
    if " and " in name:
        return [f"the text is {name}, line by line; if letters are wrong, set encoding="]
    if declared or name.startswith("utf"):
        return []
    return [f"the text is not UTF-8, but {name} by its letters; if letters are wrong, set encoding="]


def decode_all(contents: list[bytes], encoding: str | None, paths: list[Path]) -> tuple[list[str], list[str]]:
    """Decode many small files, whose encoding is detected from all files that are not UTF-8.

    Args:
        contents: The bytes of each file.
        encoding: The name of the encoding; None to detect it.
        paths: The path of each file, for messages.

    Returns:
        The texts without white space around them, and a message if there are files that are not UTF-8.
    """
    not_utf8 = [] if encoding else [raw for raw in contents if not bom_encoding(raw) and not _is_utf8(raw)]
    if not not_utf8 or any(_utf16_without_mark(raw) for raw in not_utf8):
        return [to_utf8(raw, encoding, path)[0].decode().strip() for raw, path in zip(contents, paths, strict=True)], []
    detected = detect(line for raw in not_utf8 for line in raw.splitlines() if not _is_utf8(line))[0]
    texts = []
    for raw, path in zip(contents, paths, strict=True):
        declared = None if bom_encoding(raw) or _is_utf8(raw) else detected
        texts.append(to_utf8(raw, declared, path)[0].decode().strip())
    message = (
        f"{len(not_utf8):,} of {len(contents):,} files are not UTF-8, but {detected} by their letters; if letters are "
        f"wrong, set encoding="
    )
    return texts, [message]


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


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


def _convert_lines(raw: bytes, encoding: str) -> bytes:
    """Convert the lines that are not UTF-8."""
    lines = raw.splitlines(keepends=True)
    for index, line in enumerate(lines):
        try:
            line.decode()
        except UnicodeDecodeError:
            lines[index] = line.decode(encoding).encode()
    return b"".join(lines)


def _utf16_without_mark(raw: bytes) -> str | None:
    """Return the encoding of text in which nearly every second byte is zero."""
    sample = raw[:_SAMPLE_BYTES]
    half = len(sample) // 2
    if half < _MIN_UTF16_CHARACTERS or sample.count(0) < _MIN_ZERO_FRACTION * half:
        return None
    for name, start in (("utf-16-le", 1), ("utf-16-be", 0)):
        if sample[start::2].count(0) >= _MIN_ZERO_FRACTION * half and not sample[1 - start :: 2].count(0):
            return name
    return None
