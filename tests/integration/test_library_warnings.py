"""No warning of a library reaches the user of a bundled sample."""

import subprocess
import sys

import pytest

SHOWN_BY_DEFAULT = ("UserWarning", "RuntimeWarning", "FutureWarning", "SyntaxWarning")


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["tabular", "image", "text", "series", "forecast"])
def test_sample_trains_with_warnings_as_errors(recipe, tmp_path):
    filters = [f"-Werror::{category}" for category in SHOWN_BY_DEFAULT]
    command = [sys.executable, *filters, "-m", "tfkit", "train", recipe, "epochs=1", "--out", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert not [line for line in result.stderr.splitlines() if line.endswith("Warning") or "Warning:" in line]
