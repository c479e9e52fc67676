"""Tests that run the example programs, and the code of two guides."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
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


def code_blocks(document):
    """The Python blocks of a guide."""
    if not FOLDER.is_dir():
        pytest.skip("tfkit is installed without its documentation")
    text = (FOLDER.parent / "guides" / document).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.mark.slow
def test_recipe_of_the_guide_trains(tmp_path):
    [recipe] = [code for code in code_blocks("write-a-recipe.md") if "noise" in code]
    (tmp_path / "guide.py").write_text(recipe)
    run = tfkit.train(tmp_path / "guide.py", epochs=2, out=tmp_path / "runs", quiet=True)
    assert run.metrics["test"]["r2"] < 1
    assert run.predict_arrays({"x": np.ones((3, 4), "float32")}).shape == (3,)


@pytest.mark.slow
def test_layer_of_the_guide_meets_the_contract(tmp_path):
    layer, check = code_blocks("your-own-layer.md")
    (tmp_path / "gate.py").write_text(layer)
    (tmp_path / "check.py").write_text(f"from gate import Gate\n{check}")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "check.py"]
    process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stderr[-2000:]
