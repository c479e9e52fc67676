import json

import keras
import numpy as np
import pytest

from tests.callbacks.rollback_model import NAN, X, Y, begin_training, change_variables, make_model, run_epoch
from tfkit.callbacks import RollbackOnNaN
from tfkit.callbacks.nan_report import CAUSES


def nested_model(function):
    """A model that contains an inner model, with this function inside the inner one."""
    inner_input = keras.Input((4,))
    inner = keras.Model(inner_input, keras.layers.Dense(1, name="out")(function(inner_input)), name="inner")
    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, keras.layers.Dense(1, name="head")(inner(keras.layers.Dense(4, name="first")(inputs))))
    model.compile("sgd", "mse")
    return model


def reported_cause(model, callback):
    callback.set_model(model)
    callback.set_params({})
    callback.on_train_begin()
    with pytest.raises(ArithmeticError) as raised:
        callback.on_train_batch_end(0, {"loss": NAN})
    text = str(raised.value).split("epoch 1. ")[1]
    [cause] = [name for name, remedy in CAUSES.items() if text.endswith(f"{remedy}.")]
    return text.removesuffix(f"{CAUSES[cause]}.").strip(), cause


@pytest.mark.parametrize("sample", [X, (X, Y), (X, Y, None)], ids=["x", "x y", "x y weight"])
def test_first_nonfinite_layer_is_named(sample):
    model = nested_model(lambda x: keras.layers.Activation(keras.ops.log, name="logarithm")(x))
    assert reported_cause(model, RollbackOnNaN(sample=sample)) == ("First non-finite value: inner/logarithm.", "layer")


def test_without_sample_the_first_nonfinite_weight_is_named():
    model = make_model()
    model.layers[1].gamma.assign([1.0, NAN, 1.0])
    model.layers[3].kernel.assign(np.full((3, 1), NAN))
    expected = ("First non-finite value: the weight net/norm/gamma.", "learning_rate")
    assert reported_cause(model, RollbackOnNaN()) == expected
    assert reported_cause(model, RollbackOnNaN(sample=(X, Y)))[1] == "learning_rate"  # it follows from the weight
    assert reported_cause(make_model(), RollbackOnNaN()) == ("", "learning_rate")


def test_nonfinite_sample_is_named():
    bad = np.where(np.eye(53, 4), NAN, X)
    assert reported_cause(make_model(), RollbackOnNaN(sample=bad)) == ("First non-finite value: input.", "data")
    assert reported_cause(make_model(), RollbackOnNaN(sample=(X, Y * np.inf))) == (
        "First non-finite value: the target of the sample.",
        "data",
    )
    largest = {"furthest": {"inputs/a": {"row": 7, "value": "not finite"}}}
    assert reported_cause(make_model(), RollbackOnNaN(sample=(X, Y), where=lambda: largest)) == (
        "First non-finite value: inputs/a of training row 7.",
        "data",
    )


@pytest.mark.parametrize(
    "loss",
    [
        lambda y_true, y_pred: keras.ops.log(-keras.ops.abs(y_pred) - 1),
        lambda y_true, y_pred: y_pred / keras.ops.zeros_like(y_pred),
        lambda y_true, y_pred: keras.ops.sqrt(-1 - keras.ops.square(y_true - y_pred)),
    ],
    ids=["logarithm", "division", "root"],
)
def test_loss_that_is_not_finite_is_named(loss):
    model = make_model()
    model.compile("sgd", loss)
    expected = ("First non-finite value: the loss of the sample.", "loss")
    assert reported_cause(model, RollbackOnNaN(sample=(X, Y))) == expected
    model.compile("sgd", "mse")
    assert reported_cause(model, RollbackOnNaN(sample=(X, Y)))[1] == "learning_rate"


def test_cause_is_searched_with_the_last_good_weights():
    """With weights that are all NaN, the first layer would be named."""
    model = nested_model(lambda x: keras.layers.Activation(keras.ops.log, name="logarithm")(x))
    callback = RollbackOnNaN(retries=1, sample=X)
    callback.set_model(model)
    callback.set_params({})
    callback.on_train_begin()
    change_variables(model, NAN)
    callback.on_train_batch_end(0, {"loss": NAN})
    change_variables(model, NAN)
    with pytest.raises(ArithmeticError, match="First non-finite value: inner/logarithm"):
        callback.on_train_batch_end(1, {"loss": NAN})


def test_report_is_written_before_the_error():
    reports = []
    model = make_model()
    callback = RollbackOnNaN(retries=1, sample=(X, Y), where=lambda: {"rows": [3, 5]}, report=reports.append)
    begin_training(callback, model)
    run_epoch(callback, 0, [NAN])
    with pytest.raises(ArithmeticError):
        run_epoch(callback, 1, [NAN])
    [report] = reports
    assert (report["what"], report["epoch"], report["rows"]) == ("loss became nan", 2, [3, 5])
    assert set(report["gradient_norms"]) == {weight.path for weight in model.trainable_variables}
    assert all(norm >= 0 for norm in report["gradient_norms"].values())
    assert report["cause"] == "learning_rate"
    assert "lower learning_rate to a tenth and set global_clipnorm=1" in report["remedy"]
    json.dumps(report, allow_nan=False)
