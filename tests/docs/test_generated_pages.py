"""Tests that the generated pages and the picture of the documentation are current."""

import re
import subprocess
import sys

import pytest

import tfkit
from tfkit.catalog.components import COMPONENT_PACKAGES, list_components
from tfkit.catalog.recipe_docs import read_settings_of
from tfkit.catalog.recipes import recipe_files


def test_picture_is_current(load_program):
    program = load_program("draw_architecture")
    current = program.PICTURE.read_text(encoding="utf-8")
    assert current == program.draw(), "run python docs/draw_architecture.py"


def test_imports_are_below_the_diagonal(load_program):
    program = load_program("draw_architecture")
    packages = [name for step in program.ladder() for name in step]
    pairs = program.imports_between_packages(packages)
    assert ("training", "data") in pairs
    assert all(packages.index(imported) < packages.index(package) for package, imported in pairs)


def test_architecture_page_lists_the_packages_in_order(load_program):
    program = load_program("draw_architecture")
    text = program.PICTURE.with_name("architecture.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (root modules|`[\w` ]+`)[^|]*\|", text.split("## Packages")[1].split("## ")[0], re.MULTILINE
    )
    packages = [name for row in rows for name in (re.findall(r"`(\w+)`", row) or ["root"])]
    assert packages == [name for step in program.ladder() for name in step]


def test_reference_is_current(load_program):
    program = load_program("generate")
    assert program.REFERENCE.read_text(encoding="utf-8") == program.reference(), "run python docs/generate.py"


def test_examples_page_is_current(load_program):
    program = load_program("generate")
    assert program.TRAINING.read_text(encoding="utf-8") == program.training_guide(), "run python docs/generate.py"
    assert program.EXAMPLES.read_text(encoding="utf-8") == program.examples(), "run python docs/generate.py"
    assert {file.stem for file in program.EXAMPLES.parent.glob("*.py")} == set(program.PROGRAMS)


def test_reference_has_every_public_name_and_component(load_program):
    text = load_program("generate").reference()
    functions = {name for name in tfkit.__all__ if f"`{name}`" in text}
    assert {"train", "tune", "verify", "Run", "Config", "load_model", "sample_path"} <= functions
    for package in COMPONENT_PACKAGES:
        assert all(f"### {component.name}\n" in text for component in list_components(package))


@pytest.mark.parametrize("name", recipe_files())
def test_every_setting_of_a_recipe_has_a_description(name):
    missing = [key for key, setting in read_settings_of(recipe_files()[name]).items() if not setting.description]
    assert not missing, "describe the setting in a comment at the end of its line"


@pytest.mark.slow
def test_table_of_tested_inputs_is_current(load_program):
    """In another process, because pytest collects the tests."""
    program = load_program("reading_table")
    command = [sys.executable, "-c", "import reading_table; print(reading_table.reading_table(), end='')"]
    table = subprocess.run(command, cwd=program.PAGE.parents[1], check=True, capture_output=True, text=True).stdout
    current = program.PAGE.read_text(encoding="utf-8")
    assert current == program.with_table(current, table), "run python docs/reading_table.py"
    numbers = [cell for line in table.splitlines()[2:] for cell in line.split("|")[2:-1]]
    assert all(int(cell) > 0 for cell in numbers if cell.strip())
