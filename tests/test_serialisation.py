"""What is saved comes back the same, in this process and in a fresh one, with no argument at its default."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import tfkit
from tfkit import layers, losses

ROOT = Path(tfkit.__file__).parent
RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.normal(size=(7, 3)).astype("float32")
MEMBERS = RANDOM.normal(size=(7, 5, 3)).astype("float32")
CODES = np.stack([RANDOM.integers(0, size, 7) for size in (3, 9, 12)], 1).astype("int32")
EDGES, SHARES = [[-1.0, 0.0, 1.0], [-2.0, 2.0], [0.0, 0.5]], [[0.0, 0.3, 1.0], [0.0, 1.0], [0.0, 1.0]]
SHRINK = {"dropout": 0.3, "l1": 0.01, "l2": 0.02}

LAYERS = [
    (layers.MLP, {"units": [6, 6], "activation": "tanh", "normalization": "layer", "residual": True} | SHRINK, MEMBERS),
    (layers.MLP, {"units": (6,), "normalization": None}, NUMBERS),
    (layers.EnsembleDense, {"units": 4, "members": 5, "signs": True, "l1": 0.01, "l2": 0.02}, NUMBERS),
    (layers.EnsembleDense, {"units": 4, "members": 5, "shared": False}, MEMBERS),
    (layers.EnsembleMLP, {"units": [6, 4], "members": 5, "activation": "tanh", **SHRINK}, NUMBERS),
    (layers.MemberMean, {"logits": True}, MEMBERS),
    (layers.NumberEmbedding, {"edges": EDGES, "dim": 4}, NUMBERS),
    (layers.CategoryEmbedding, {"sizes": [3, 9, 12], "dim": 4, "one_hot": 5}, CODES),
    (layers.Impute, {"values": [1.0, 2.0, 3.0]}, np.where(NUMBERS > 1, np.nan, NUMBERS)),
    (layers.MissingIndicator, {"indices": [2, 0]}, np.where(NUMBERS > 0, np.nan, NUMBERS)),
    (layers.Clip, {"bound": 0.5}, NUMBERS),
    (layers.QuantileScale, {"quantiles": EDGES, "shares": SHARES}, NUMBERS),
]
LOSSES = [
    (losses.SmoothedCrossentropy, {"label_smoothing": 0.4, "name": "other"}),
    (losses.SparseFocal, {"gamma": 0.5, "name": "other"}),
    (losses.Pinball, {"quantile": 0.9, "name": "other"}),
    (losses.PerMember, {"loss": losses.SparseFocal(0.5), "name": "other"}),
    (losses.PerMember, {"loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "name": "other"}),
]
TARGET, LOGITS = RANDOM.integers(0, 3, 7), RANDOM.normal(size=(7, 2, 3)).astype("float32")


def build(kind, arguments, x):
    """A model of the layer alone, every weight at a value that no initializer gives."""
    inputs = keras.Input(x.shape[1:], dtype=x.dtype.name, name="x")
    model = keras.Model(inputs, kind(**arguments)(inputs))
    for weight in model.trainable_weights:
        weight.assign(RANDOM.normal(size=weight.shape))
    return model


def value(loss):
    """A loss of one answer a row, or of two members."""
    dim = 1 if isinstance(loss, losses.Pinball) else 3
    answers = LOGITS[..., :dim]
    return np.asarray(loss(TARGET, answers if isinstance(loss, losses.PerMember) else answers[:, 0]))


def arguments_of(kind):
    """The arguments of a class and their defaults."""
    found = inspect.signature(kind.__init__).parameters.values()
    return {p.name: p.default for p in found if p.name != "self" and p.kind is not p.VAR_KEYWORD}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a model of every layer, and one model a loss, each with its input and what it must say."""
    folder = tmp_path_factory.mktemp("saved")
    for i, (kind, arguments, x) in enumerate(LAYERS):
        model = build(kind, arguments, x)
        model.save(folder / f"layer-{i}.keras")
        np.savez(folder / f"layer-{i}.npz", x=x, said=model(x))
    for i, (kind, arguments) in enumerate(LOSSES):
        model, loss = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]), kind(**arguments)
        model.compile("sgd", loss)
        model.save(folder / f"loss-{i}.keras")
    return folder


def test_every_public_class_is_here_with_no_argument_at_its_default():
    public = [getattr(layers, name) for name in layers.__all__]
    public += [v for v in vars(losses).values() if inspect.isclass(v) and v.__module__ == losses.__name__]
    cases = [case[:2] for case in (*LAYERS, *LOSSES)]
    assert {kind for kind, _ in cases} == set(public)
    for kind in public:
        for name, default in arguments_of(kind).items():
            given = [arguments[name] for one, arguments in cases if one is kind and name in arguments]
            assert any(one is not default and one != default for one in given), (kind, name)


@pytest.mark.parametrize("number", range(len(LAYERS)), ids=lambda i: LAYERS[i][0].__name__)
def test_a_layer_comes_back_from_its_file(number, saved):
    kind, arguments, _ = LAYERS[number]
    model = keras.saving.load_model(saved / f"layer-{number}.keras")
    with np.load(saved / f"layer-{number}.npz") as kept:
        np.testing.assert_array_equal(model(kept["x"]), kept["said"])
    layer = model.layers[-1]
    assert type(layer) is kind
    config = layer.get_config()
    assert {name: tuple(v) if isinstance(v, list) else v for name, v in config.items() if name in arguments} == {
        name: tuple(v) if isinstance(v, list) else v for name, v in arguments.items()}  # fmt: skip
    if "dropout" in arguments:  # what the answers alone do not show
        assert [one.rate for one in layer.dropouts] == [0.3, 0.3]
        kernels = [w.numpy() for w in model.trainable_weights if w.path.endswith("kernel")]
        penalty = sum(0.01 * np.abs(k).sum() + 0.02 * (k**2).sum() for k in kernels)
        assert float(sum(model.losses)) == pytest.approx(penalty, rel=1e-5)


@pytest.mark.parametrize("number", range(len(LOSSES)), ids=lambda i: LOSSES[i][0].__name__)
def test_a_loss_comes_back_from_the_file_of_its_model(number, saved):
    kind, arguments = LOSSES[number]
    expected = kind(**arguments)
    found = keras.saving.load_model(saved / f"loss-{number}.keras").loss
    assert type(found) is kind
    np.testing.assert_array_equal(value(found), value(expected))
    plain = {name: default for name, default in arguments_of(kind).items() if default is not inspect.Parameter.empty}
    if "loss" not in arguments:
        assert value(kind(**plain)) != value(expected)  # the default would have been noticed


@pytest.mark.parametrize(("kind", "arguments"), LOSSES)
def test_a_loss_keeps_reduction_and_name(kind, arguments):
    loss = kind(**arguments, reduction="sum")
    back = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert (back.name, back.reduction) == ("other", "sum")
    np.testing.assert_array_equal(value(back), value(loss))


def test_a_fresh_process_loads_every_file(saved):
    program = """
import sys, numpy as np, tfkit
from pathlib import Path
for path in sorted(Path(sys.argv[1]).glob("*.keras")):
    model = tfkit.load_model(path)
    if path.name.startswith("layer"):
        with np.load(path.with_suffix(".npz")) as kept:
            np.testing.assert_array_equal(model(kept["x"]), kept["said"], err_msg=path.name)
    print(path.name)
"""
    done = subprocess.run([sys.executable, "-c", program, saved], cwd=ROOT.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.split()) == len(LAYERS) + len(LOSSES)


BASES = {"Layer", "Loss", "Metric", "Model", "LearningRateSchedule", "Optimizer", "Constraint", "Regularizer"}


def test_whatever_a_file_may_hold_is_registered_under_a_name_of_its_own():
    names = []
    for file in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and {ast.unparse(b).split(".")[-1] for b in node.bases} & BASES:
                decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
                assert "keras.saving.register_keras_serializable(package='tfkit')" in decorators, node.name
                names.append(node.name)
    assert len(names) == len(set(names)) >= 14
    for kind in {case[0] for case in (*LAYERS, *LOSSES)}:
        assert keras.saving.get_registered_object(f"tfkit>{kind.__name__}") is kind
