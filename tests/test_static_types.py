"""Editors and type checkers know the public names: mypy and Pyright on right and wrong calls."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tfkit

RIGHT = """
import tfkit
run: tfkit.Run = tfkit.train("tabular", epochs=3, quiet=True)
frame = run.predict({"age": 39}, threshold=0.2)
path = run.export("onnx")
metadata = tfkit.Metadata(target=tfkit.Target(task="regression"))
space = tfkit.log_uniform(1e-4, 1e-2)
"""

WRONG = {
    "tfkit.train(3.5)": "arg-type",
    'tfkit.train("tabular", quiet="yes")': "arg-type",
    'tfkit.Run("runs/a").predict()': "call-arg",
    'tfkit.Run("runs/a").export(fmt="onnx")': "call-arg",
    'tfkit.tune("tabular", trials="20")': "arg-type",
    "tfkit.trian()": "attr-defined",
    "tfkit.Target(task=3)": "arg-type",
}


def check(tmp_path, source):
    """Check a file with mypy; return the line and the code of each error."""
    path = tmp_path / "program.py"
    path.write_text(source)
    root = Path(tfkit.__file__).parents[1]
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--no-error-summary",
        "--follow-imports=silent",
        "--cache-dir",
        str(tmp_path),
    ]
    result = subprocess.run([*command, str(path)], cwd=root, capture_output=True, text=True, timeout=300)
    return [(int(line), code) for line, code in re.findall(r"program\.py:(\d+): error: .*\[([a-z-]+)\]", result.stdout)]


RIGHT_LAYERS = """
import keras
layer = tfkit.layers.MLP([32, 16], dropout=0.1, normalization=None)
encoded = tfkit.layers.TransformerEncoder(4, depth=2, positions="rotary")(keras.Input((10, 8)))
stop = tfkit.callbacks.EarlyStopping("val_loss", patience=3, keep="averaged")
loss = tfkit.losses.QuantileLoss([0.1, 0.5, 0.9])
"""

WRONG_LAYERS = {
    'tfkit.layers.MLP("x")': "reportArgumentType",
    "tfkit.layers.MLP(32)": "reportArgumentType",
    "tfkit.layers.MLP([32], drop=0.1, activation=3)": "reportArgumentType",
    'tfkit.layers.ConvBlock(8, padding="sme")': "reportArgumentType",
    'tfkit.callbacks.EarlyStopping(keep="bst")': "reportArgumentType",
    "tfkit.layers.Transformer()": "reportAttributeAccessIssue",
    "tfkit.schedules.Warmup()": "reportCallIssue",
}


def check_with_pyright(tmp_path, source):
    """Check a file with Pyright, as editors do; return the line and the rule of each error."""
    path = tmp_path / "program.py"
    path.write_text(source)
    command = [sys.executable, "-m", "basedpyright", "--level", "error", "--outputjson", str(path)]
    result = subprocess.run(command, cwd=Path(tfkit.__file__).parents[1], capture_output=True, text=True, timeout=300)
    errors = json.loads(result.stdout)["generalDiagnostics"]
    return [(error["range"]["start"]["line"] + 1, error["rule"]) for error in errors]


@pytest.mark.slow
def test_right_and_wrong_calls_in_an_editor(tmp_path):
    assert check_with_pyright(tmp_path, RIGHT + RIGHT_LAYERS) == []
    wrong = {**WRONG_LAYERS, "tfkit.trian()": "reportAttributeAccessIssue", "tfkit.train(3.5)": "reportArgumentType"}
    source = "import tfkit\n" + "\n".join(wrong)
    assert check_with_pyright(tmp_path, source) == [(line, rule) for line, rule in enumerate(wrong.values(), 2)]


@pytest.mark.slow
def test_right_and_wrong_calls(tmp_path):
    assert check(tmp_path, RIGHT) == []
    source = "import tfkit\n" + "\n".join(WRONG)
    assert check(tmp_path, source) == [(line, code) for line, code in enumerate(WRONG.values(), 2)]


def test_names_for_type_checkers_are_the_public_names():
    source = Path(tfkit.__file__).read_text(encoding="utf-8")
    block = source.split("if TYPE_CHECKING:")[1].split("\n\n")[0]
    names = {}
    for line in block.split("from ")[1:]:
        module, _, imported = line.partition(" import ")
        for attribute, name in re.findall(r"(\w+) as (\w+)", imported):
            names[name] = {f"{module}:{attribute}", f"{module}.{attribute}"}
    assert names.keys() == tfkit.PUBLIC.keys()
    assert all(tfkit.PUBLIC[name] in targets for name, targets in names.items())
