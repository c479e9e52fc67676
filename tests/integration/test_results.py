"""Tests that the benchmark tables in docs/benchmarks.md equal the measured results."""

from pathlib import Path

import pytest

from tests.bench import recipe_scores, tables

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


@pytest.mark.parametrize("benchmark", [tables, recipe_scores], ids=["tables", "recipe_scores"])
def test_readme_tables_equal_the_measured_results(benchmark):
    text = DOCUMENT.read_text(encoding="utf-8")
    assert benchmark.update_tables(text) == text, "run `make readme`"


@pytest.mark.parametrize("benchmark", [tables, recipe_scores], ids=["tables", "recipe_scores"])
def test_edited_number_is_detected(benchmark):
    text = DOCUMENT.read_text(encoding="utf-8")
    tables_text = text[text.index(benchmark.BEGIN) : text.index(benchmark.END)]
    number = next(token for token in tables_text.split() if token.startswith("0."))
    assert benchmark.update_tables(text.replace(number, "0.9999")) != text.replace(number, "0.9999")
