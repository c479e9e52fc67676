"""Tests of saving and loading losses and schedules; layers are in tests/layers/test_contract.py."""

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
CLASS_INDICES = RANDOM.integers(0, 3, 7)
VALUES = RANDOM.normal(size=7).astype("float32")
MEMBERS = RANDOM.normal(size=(7, 2, 3)).astype("float32")
LOGITS = MEMBERS[:, 0]
KERAS_LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

# loss class, arguments (all different from their defaults), y_true, y_pred
LOSSES = [
    (losses.GaussianNLL, {"scale": "softplus", "floor": 0.01, "beta": 0.5}, VALUES, LOGITS[:, :2]),
    (losses.EnsembleLoss, {"loss": losses.SparseCategoricalFocalCrossentropy(0.5)}, CLASS_INDICES, MEMBERS),
    (losses.EnsembleLoss, {"loss": KERAS_LOSS}, CLASS_INDICES, MEMBERS),
    (losses.QuantileLoss, {"quantile": 0.9}, VALUES, LOGITS[:, :1]),
    (losses.QuantileLoss, {"quantile": [0.2, 0.7, 0.9]}, VALUES, LOGITS),
    (losses.SparseLabelSmoothingCrossentropy, {"label_smoothing": 0.4}, CLASS_INDICES, LOGITS),
    (losses.SparseCategoricalFocalCrossentropy, {"gamma": 0.5}, CLASS_INDICES, LOGITS),
]
ALL_LOSSES = pytest.mark.parametrize(
    ("loss_class", "arguments", "y_true", "y_pred"), LOSSES, ids=lambda value: getattr(value, "__name__", "")
)
BASES = {"Layer", "Loss", "Metric", "Model", "LearningRateSchedule", "Optimizer", "Constraint", "Regularizer"}


@pytest.mark.slow
@ALL_LOSSES
def test_contract_of_a_loss(loss_class, arguments, y_true, y_pred):
    check_loss(loss_class, arguments, y_true, y_pred)


def test_every_public_loss_has_a_case():
    public = {
        loss_class
        for loss_class in vars(losses).values()
        if inspect.isclass(loss_class) and loss_class.__module__ == losses.__name__
    }
    assert {loss_class for loss_class, *_ in LOSSES} == public


@ALL_LOSSES
def test_loss_is_restored_from_a_model_file(loss_class, arguments, y_true, y_pred, tmp_path):
    model, loss = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]), loss_class(**arguments)
    model.compile("sgd", loss)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras").loss
    assert type(restored) is loss_class
    np.testing.assert_array_equal(restored(y_true, y_pred), loss(y_true, y_pred))


def test_new_process_loads_a_saved_model(tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.MLP([4], dropout=0.5), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(schedules.OneCycle(0.1, 50)), losses.QuantileLoss(0.9))
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "predictions.npy", model(np.ones((1, 3))))
    program = """
import sys, numpy as np, tfkit
model = tfkit.load_model(sys.argv[1] + "/model.keras")
np.testing.assert_array_equal(model(np.ones((1, 3))), np.load(sys.argv[1] + "/predictions.npy"))
import keras
model = keras.saving.load_model(sys.argv[1] + "/model.keras")  # with loss and optimizer
assert (model.loss.quantile, model.optimizer._learning_rate.steps) == (0.9, 50)
print(*(name for name in keras.saving.get_custom_objects() if name.startswith("tfkit>")))
"""
    process = subprocess.run([sys.executable, "-c", program, tmp_path], cwd=ROOT.parent, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-2000:]
    assert set(process.stdout.split()) >= {f"tfkit>{name}" for name in serializable_classes()}


def serializable_classes():
    """Return the names of all serializable classes, read from the source code."""
    names = []
    for file in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and {ast.unparse(b).split(".")[-1] for b in node.bases} & BASES:
                decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
                if not {"testing", "export"} & set(file.parts):  # classes of testing and export are never saved
                    assert "keras.saving.register_keras_serializable(package='tfkit')" in decorators, node.name
                    names.append(node.name)
    return names


def test_serializable_classes_are_registered_under_unique_names():
    names = serializable_classes()
    assert len(names) == len(set(names)) >= 14
    layer_classes = {item for item in (getattr(layers, name) for name in layers.__all__) if isinstance(item, type)}
    for registered_class in {*(case[0] for case in LOSSES), *layer_classes}:
        assert keras.saving.get_registered_object(f"tfkit>{registered_class.__name__}") is registered_class
