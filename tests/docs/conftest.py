"""Fixtures of the tests of the documentation."""

import importlib.util
from pathlib import Path

import pytest

import tfkit

ROOT = Path(tfkit.__file__).resolve().parents[1]


@pytest.fixture
def load_program():
    """Return a function that imports a program of the folder `docs`."""
    if not (ROOT / "docs").is_dir():
        pytest.skip("tfkit is installed without its documentation")

    def load(name):
        spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
