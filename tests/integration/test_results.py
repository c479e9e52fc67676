"""Tests that the benchmark tables in docs/benchmarks.md equal the measured results."""

from pathlib import Path

import pytest

from tests.bench import pages, tables

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


@pytest.mark.parametrize("benchmark", [tables, pages], ids=["tables", "pages"])
def test_readme_tables_equal_the_measured_results(benchmark):
    text = PAGE.read_text(encoding="utf-8")
    assert benchmark.update_tables(text) == text, "run `make readme`"


@pytest.mark.parametrize("benchmark", [tables, pages], ids=["tables", "pages"])
def test_edited_number_is_detected(benchmark):
    text = PAGE.read_text(encoding="utf-8")
    tables_text = text[text.index(benchmark.BEGIN) : text.index(benchmark.END)]
    number = next(token for token in tables_text.split() if token.startswith("0."))
    assert benchmark.update_tables(text.replace(number, "0.9999")) != text.replace(number, "0.9999")
