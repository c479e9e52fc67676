"""Write the table of tested inputs in `docs/guides/data.md`: `python docs/reading_table.py`.

A test of how data is read has the marker `reading(kind, outcome)`; every input of its parameters is counted.
"""

import contextlib
import io
import os
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "guides" / "data.md"
BEGIN, END = "<!-- tested inputs: python docs/reading_table.py -->", "<!-- end of tested inputs -->"
OUTCOMES = {"read": "read", "stated": "read, and the assumption stated", "refused": "refused, with the cause"}


class _Collector:
    """A plugin of pytest that counts the inputs of each kind and outcome."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            marker = item.get_closest_marker("reading")
            if marker is not None:
                self.counts[marker.args] += 1


def reading_table() -> str:
    """Collect the tests, and return the Markdown table."""
    collector = _Collector()
    arguments = ["--collect-only", "--quiet", "-p", "no:cacheprovider", str(ROOT / "tests" / "data")]
    with contextlib.redirect_stdout(io.StringIO()):
        code = pytest.main(arguments, plugins=[collector])
    if code:
        raise SystemExit(f"The tests cannot be collected: pytest returned {code}")
    kinds = dict.fromkeys(kind for kind, _ in collector.counts)
    rows = [[kind, *(str(collector.counts[kind, outcome] or "") for outcome in OUTCOMES)] for kind in sorted(kinds)]
    lines = [["inputs of the tests", *OUTCOMES.values()], ["---", *["---:"] * len(OUTCOMES)], *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def with_table(page: str, table: str) -> str:
    """Return the page with the table between its marks."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


if __name__ == "__main__":
    os.chdir(ROOT)
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_table(page, reading_table()), encoding="utf-8")
