"""The results in the README are those that were measured: `make readme` writes them, nobody else."""

from pathlib import Path

import pytest

from tests.bench import pages, tables

README = Path(__file__).resolve().parents[1] / "README.md"


@pytest.mark.parametrize("bench", [tables, pages], ids=["tables", "pages"])
def test_the_results_of_the_readme_were_not_edited_by_hand(bench):
    text = README.read_text(encoding="utf-8")
    assert bench.written(text) == text, "run `make readme`"


@pytest.mark.parametrize("bench", [tables, pages], ids=["tables", "pages"])
def test_a_number_that_is_edited_is_noticed(bench):
    text = README.read_text(encoding="utf-8")
    inside = text[text.index(bench.BEGIN) : text.index(bench.END)]
    number = next(word for word in inside.split() if word.startswith("0."))
    assert bench.written(text.replace(number, "0.9999")) != text.replace(number, "0.9999")
