"""What a model's file may hold comes back the same: losses here, layers in tests/layers/test_contract.py."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import tfkit
from tfkit import layers, losses, schedules
from tfkit.testing import check_loss

ROOT = Path(tfkit.__file__).parent
RANDOM = np.random.default_rng(0)
CODES = RANDOM.integers(0, 3, 7)
VALUES = RANDOM.normal(size=7).astype("float32")
MEMBERS = RANDOM.normal(size=(7, 2, 3)).astype("float32")
LOGITS = MEMBERS[:, 0]
THEIRS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

# a loss, its arguments (none at its default), targets and answers
LOSSES = [
    (losses.GaussianNLL, {"scale": "softplus", "floor": 0.01, "beta": 0.5}, VALUES, LOGITS[:, :2]),
    (losses.PerMember, {"loss": losses.SparseFocal(0.5)}, CODES, MEMBERS),
    (losses.PerMember, {"loss": THEIRS}, CODES, MEMBERS),
    (losses.Pinball, {"quantile": 0.9}, VALUES, LOGITS[:, :1]),
    (losses.Pinball, {"quantile": [0.2, 0.7, 0.9]}, VALUES, LOGITS),
    (losses.SmoothedCrossentropy, {"label_smoothing": 0.4}, CODES, LOGITS),
    (losses.SparseFocal, {"gamma": 0.5}, CODES, LOGITS),
]
EACH = pytest.mark.parametrize(
    ("kind", "arguments", "target", "answers"), LOSSES, ids=lambda value: getattr(value, "__name__", "")
)
BASES = {"Layer", "Loss", "Metric", "Model", "LearningRateSchedule", "Optimizer", "Constraint", "Regularizer"}


@EACH
def test_contract_of_a_loss(kind, arguments, target, answers):
    check_loss(kind, arguments, target, answers)


def test_every_public_loss_is_held_to_the_contract():
    public = {kind for kind in vars(losses).values() if inspect.isclass(kind) and kind.__module__ == losses.__name__}
    assert {case[0] for case in LOSSES} == public


@EACH
def test_a_loss_comes_back_from_the_file_of_its_model(kind, arguments, target, answers, tmp_path):
    model, loss = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]), kind(**arguments)
    model.compile("sgd", loss)
    model.save(tmp_path / "model.keras")
    found = keras.saving.load_model(tmp_path / "model.keras").loss
    assert type(found) is kind
    np.testing.assert_array_equal(found(target, answers), loss(target, answers))


def test_a_fresh_process_finds_whatever_a_file_may_hold(tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.MLP([4], dropout=0.5), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(schedules.OneCycle(0.1, 50)), losses.Pinball(0.9))
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "said.npy", model(np.ones((1, 3))))
    program = """
import sys, numpy as np, tfkit
model = tfkit.load_model(sys.argv[1] + "/model.keras")
np.testing.assert_array_equal(model(np.ones((1, 3))), np.load(sys.argv[1] + "/said.npy"))
import keras
model = keras.saving.load_model(sys.argv[1] + "/model.keras")  # with what it was compiled with
assert (model.loss.quantile, model.optimizer._learning_rate.steps) == (0.9, 50)
print(*(name for name in keras.saving.get_custom_objects() if name.startswith("tfkit>")))
"""
    done = subprocess.run([sys.executable, "-c", program, tmp_path], cwd=ROOT.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert set(done.stdout.split()) >= {f"tfkit>{name}" for name in registered()}


def registered():
    """Every class of tfkit that a file may hold: from the text of the files, where it must be registered."""
    names = []
    for file in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and {ast.unparse(b).split(".")[-1] for b in node.bases} & BASES:
                decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
                if not {"testing", "export"} & set(file.parts):  # what tests, or exports, is in no file of Keras
                    assert "keras.saving.register_keras_serializable(package='tfkit')" in decorators, node.name
                    names.append(node.name)
    return names


def test_whatever_a_file_may_hold_is_registered_under_a_name_of_its_own():
    names = registered()
    assert len(names) == len(set(names)) >= 14
    for kind in {*(case[0] for case in LOSSES), *(getattr(layers, name) for name in layers.__all__)}:
        assert keras.saving.get_registered_object(f"tfkit>{kind.__name__}") is kind
