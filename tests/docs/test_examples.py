"""Tests that run the example programs."""

import subprocess
import sys
from pathlib import Path

import pytest

import tfkit

FOLDER = Path(tfkit.__file__).resolve().parents[1] / "docs" / "examples"
OUTPUT = {  # program -> a part of what it prints
    "keras_layer": "validation loss of each epoch: [",
    "other_settings": "low_80",
    "other_model": "'linear_pixels'",
    "own_recipe": "savedmodel",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OUTPUT)
def test_example_runs(name, tmp_path):
    if not FOLDER.is_dir():
        pytest.skip("tfkit is installed without its documentation")
    command = [sys.executable, str(FOLDER / f"{name}.py")]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stderr[-2000:]
    assert OUTPUT[name] in process.stdout
