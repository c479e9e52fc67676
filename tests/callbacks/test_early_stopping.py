import keras
import numpy as np
import pytest

from tfkit.callbacks import EarlyStopping
from tfkit.training import fit as training_fit

NAN, INF = float("nan"), float("inf")


class Model:
    """Stand-in for a model: one variable and `stop_training`."""

    def __init__(self):
        self.variables, self.stop_training = [keras.Variable(-1.0, name="weight")], False


def run_epochs(callback, values, *, model=None, first_epoch=0):
    """Run one epoch per metric value and return the last epoch; the weight is the epoch index."""
    callback.set_model(model or Model())
    callback.on_train_begin()
    for epoch, value in enumerate(values, first_epoch):
        callback.model.variables[0].assign(epoch)
        callback.on_epoch_end(epoch, {"loss": 9.0, callback.monitor: value})
        if callback.model.stop_training:
            break
    return epoch


@pytest.mark.parametrize(
    ("values", "options", "best_epoch", "last_epoch"),
    [
        ([3, 2, 2.5, 1, 1.5, 1.2, 1.1], {"patience": 2}, 3, 5),
        ([3, 2, 2.5, 1, 1.5, 1.2, 1.1], {"patience": 1}, 1, 2),
        ([3, 2, 2.5, 1, 1.5, 1.2, 1.1], {"patience": 4}, 3, 6),
        ([3, 2, 2.5, 1, 1.5, 1.2, 1.1], {}, 3, 6),
        ([3, 2, 2.5, 1, 1.5, 1.2, 1.1], {"patience": 3, "mode": "max"}, 0, 3),
        ([1, 1, 1, 1], {"patience": 2}, 0, 2),  # an equal value is no improvement
        ([1.0, 0.95, 0.89, 0.85, 0.7], {"patience": 2, "min_delta": 0.1}, 4, 4),
        ([1.0, 0.95, 0.91, 0.89, 0.7], {"patience": 2, "min_delta": 0.1}, 0, 2),
        ([1.0, 1.05, 1.11, 1.2], {"min_delta": 0.1, "mode": "max"}, 2, 3),
        ([-1, -3, -2], {}, 1, 2),
        ([NAN, 3, 2, NAN, 1], {"patience": 2}, 4, 4),  # NaN first
        ([3, NAN, INF, 2, 1], {"patience": 2}, 0, 2),  # a later NaN is no improvement
        ([3, NAN, INF, 2, 1], {"patience": 3}, 4, 4),
        ([3, -INF, 4], {}, 0, 2),  # a loss of minus infinity is no improvement
        ([3, INF, 4], {"mode": "max"}, 2, 2),
        ([NAN, NAN, NAN], {"patience": 2}, None, 1),
    ],
)
def test_best_epoch_and_last_epoch(values, options, best_epoch, last_epoch):
    callback = EarlyStopping("val_loss", **options)
    assert run_epochs(callback, values) == last_epoch
    assert callback.best_epoch == best_epoch
    assert callback.best == (None if best_epoch is None else values[best_epoch])
    callback.on_train_end()
    assert float(callback.model.variables[0]) == (last_epoch if best_epoch is None else best_epoch)


@pytest.mark.parametrize("num_epochs", range(1, 7))
@pytest.mark.parametrize("seed", range(4))
def test_resumed_training_equals_uninterrupted_training(num_epochs, seed):
    values = np.random.default_rng(seed).choice([1.0, 2.0, 3.0, NAN], 8).tolist()
    uninterrupted = EarlyStopping(patience=3)
    last_epoch = run_epochs(uninterrupted, values)
    first, second = EarlyStopping(patience=3), EarlyStopping(patience=3)
    if run_epochs(first, values[:num_epochs]) < num_epochs - 1:
        assert last_epoch < num_epochs
        return
    if first.model.stop_training:
        assert last_epoch == num_epochs - 1
        return
    second.set_state(first.state())
    assert run_epochs(second, values[num_epochs:], first_epoch=num_epochs) == last_epoch
    expected = uninterrupted.best, uninterrupted.best_epoch, uninterrupted.wait
    assert (second.best, second.best_epoch, second.wait) == expected
    uninterrupted.on_train_end()
    second.on_train_end()
    assert float(second.model.variables[0]) == float(uninterrupted.model.variables[0])


def test_weights_and_statistics_are_restored_but_random_states_are_not():
    layers = [keras.Input((2,)), keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    model = keras.Sequential(layers)
    x, callback = np.random.default_rng(0).normal(size=(20, 2)), EarlyStopping()
    callback.set_model(model)
    values = {}
    for epoch, loss in enumerate([2.0, 1.0, 3.0]):
        model(x, training=True)
        for weight in model.trainable_variables:
            weight.assign(weight + 1)
        values[epoch] = {variable.path: variable.numpy() for variable in model.variables}
        callback.on_epoch_end(epoch, {"val_loss": loss})
    callback.on_train_end()
    restored = {variable.path: variable.numpy() for variable in model.variables}
    seeds = [path for path in restored if "seed" in path]
    statistics = [path for path in restored if "moving" in path]
    assert len(seeds) == 1
    assert len(statistics) == 2
    for path, value in restored.items():
        np.testing.assert_array_equal(value, values[2 if path in seeds else 1][path])
        assert (values[1][path] != values[2][path]).any()


def test_stored_weights_are_copies():
    callback = EarlyStopping()
    run_epochs(callback, [1.0])
    callback.model.variables[0].assign(77.0)
    callback.on_train_end()
    assert float(callback.model.variables[0]) == 0


@pytest.mark.parametrize(("monitor", "mode"), [("val_loss", "min"), ("val_f1_macro", "max")])
def test_mode_is_inferred_for_a_known_metric(monitor, mode):
    assert EarlyStopping(monitor).mode == mode


@pytest.mark.parametrize("logs", [{"loss": 1.0}, {}, None])
def test_missing_metric_raises(logs):
    callback = EarlyStopping()
    callback.set_model(Model())
    available = "loss" if logs else ""
    with pytest.raises(ValueError, match=rf"`monitor` must be .* Received: 'val_loss'; available: {available}$"):
        callback.on_epoch_end(0, logs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"monitor": "mood"}, "`mode` must be 'min' or 'max' .* Received: mode=None, monitor='mood'"),
        ({"mode": "up"}, "`mode` must be 'min' or 'max' .* Received: mode='up', monitor='val_loss'"),
        ({"patience": 0}, "`patience` must be at least 1, or None, .* Received: patience=0, min_delta=0.0"),
        ({"min_delta": -0.1}, "`min_delta` at least 0. Received: patience=None, min_delta=-0.1"),
        ({"keep": "first"}, "`keep` must be 'best', 'last' or 'averaged'. Received: 'first'"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**arguments)


# weights after training


@pytest.mark.parametrize(
    ("values", "options", "summary"),
    [
        ([3, 2, 1, 4], {}, "Best val_loss: 1 in epoch 3 of 4; restored its weights"),
        (
            [3, 2, 4],
            {"keep": "last"},
            "Best val_loss: 2 in epoch 2 of 3; kept the weights of the last epoch, 3",
        ),
        (
            [3, 2, 1, 4],
            {"keep": "averaged"},
            "Best val_loss: 1 in epoch 3 of 4; restored the averaged weights of that epoch",
        ),
        ([0.123456789, 1, 1], {"patience": 1}, "Best val_loss: 0.123457 in epoch 1 of 2; restored its weights"),
        ([NAN, NAN], {}, "val_loss was never finite; kept the weights of the last epoch, 2"),
    ],
)
def test_summary_names_the_best_epoch(values, options, summary, caplog):
    callback = EarlyStopping(**options)
    run_epochs(callback, values)
    with caplog.at_level("INFO", "tfkit"):
        callback.on_train_end()
    assert callback.summary == summary
    assert caplog.messages == [summary]


def test_last_weights_remain_without_a_copy():
    callback = EarlyStopping(keep="last", patience=2)
    assert run_epochs(callback, [2.0, 1.0, 3.0, 4.0]) == 3
    callback.on_train_end()
    assert float(callback.model.variables[0]) == 3
    assert callback.best_epoch == 1
    assert callback.state()["weights"] is None


def run_validated_epochs(callback, weights, losses, *, model=None, first_epoch=0):
    """Run epochs that end with these weights and losses; return the weights used in validation."""
    callback.set_model(model or Model())
    callback.on_train_begin()
    variable, validated = callback.model.variables[0], []
    for epoch, (weight, loss) in enumerate(zip(weights, losses, strict=True), first_epoch):
        callback.on_epoch_begin(epoch)
        variable.assign(weight)
        callback.on_test_begin()
        validated.append(float(variable))
        callback.on_test_end()
        np.testing.assert_equal(float(variable), weight)
        callback.on_epoch_end(epoch, {"val_loss": loss})
    return validated


WEIGHTS = [4.0, 8.0, 6.0, -2.0, 10.0, 3.0]
AVERAGES = [4.0, 6.0, 6.0, 6 - 0.3 * 8, 3.6 + 0.3 * 6.4, 5.52 - 0.3 * 2.52]  # plain means, then a rate of 0.3


def test_validation_uses_the_average_and_the_best_average_is_restored():
    callback = EarlyStopping(keep="averaged")
    assert run_validated_epochs(callback, WEIGHTS, [6, 5, 4, 3, 2, 9]) == pytest.approx(AVERAGES, rel=1e-6)
    callback.on_train_end()
    assert float(callback.model.variables[0]) == pytest.approx(AVERAGES[4], rel=1e-6)


@pytest.mark.parametrize("bad", [NAN, INF])
@pytest.mark.parametrize("epoch", [0, 2, 5])
def test_nonfinite_weights_are_excluded_from_the_average(bad, epoch):
    weights, losses = [*WEIGHTS[:epoch], bad, *WEIGHTS[epoch:]], [6, 5, 4, 3, 2, 1]
    callback = EarlyStopping(keep="averaged")
    validated = run_validated_epochs(callback, weights, [*losses[:epoch], NAN, *losses[epoch:]])
    del validated[epoch]
    assert validated == pytest.approx(AVERAGES, rel=1e-6)
    callback.on_train_end()
    assert float(callback.model.variables[0]) == pytest.approx(AVERAGES[5], rel=1e-6)


@pytest.mark.parametrize("num_epochs", range(1, 6))
def test_average_continues_from_a_saved_state(num_epochs):
    first, second = EarlyStopping(keep="averaged"), EarlyStopping(keep="averaged")
    losses = [6, 5, 4, 3, 2, 9]
    validated = run_validated_epochs(first, WEIGHTS[:num_epochs], losses[:num_epochs])
    second.set_state(first.state())
    validated += run_validated_epochs(
        second, WEIGHTS[num_epochs:], losses[num_epochs:], model=first.model, first_epoch=num_epochs
    )
    assert validated == pytest.approx(AVERAGES, rel=1e-6)
    second.on_train_end()
    assert float(second.model.variables[0]) == pytest.approx(AVERAGES[4], rel=1e-6)


def test_averaged_weights_are_restored_without_validation():
    callback = EarlyStopping("loss", keep="averaged")
    run_epochs(callback, [3.0, 2.0, 1.0])  # the weights are 0, 1, 2
    callback.on_train_end()
    assert float(callback.model.variables[0]) == 1


X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


@pytest.mark.parametrize("fit", ["keras", "tfkit"])
def test_restored_weights_reproduce_the_best_validation_loss(fit):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.1), "mse")
    callback = EarlyStopping(keep="averaged", patience=4)
    fit_model = model.fit if fit == "keras" else lambda *data, **options: training_fit.fit(model, *data, **options)
    history = fit_model(X, Y, epochs=6, batch_size=8, validation_data=(X, Y), callbacks=[callback], verbose=0).history
    assert callback.best == min(history["val_loss"])
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(callback.best, rel=1e-4)
    iterations = int(model.optimizer.iterations)
    model.evaluate(X, Y, verbose=0, callbacks=[callback])  # a separate evaluation does not use the average
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(callback.best, rel=1e-4)
    assert int(model.optimizer.iterations) == iterations


@pytest.mark.parametrize(
    "wrap", [lambda optimizer: optimizer, keras.optimizers.LossScaleOptimizer], ids=["float32", "float16"]
)
def test_optimizer_with_use_ema_raises_on_train_begin(wrap):
    model = Model()
    model.optimizer = wrap(keras.optimizers.SGD(0.1, use_ema=True))
    for keep in ("best", "averaged"):
        callback = EarlyStopping(keep=keep)
        callback.set_model(model)
        with pytest.raises(ValueError, match=f"use_ema=True sets its own average .* Received: keep='{keep}'"):
            callback.on_train_begin()
    callback = EarlyStopping(keep="last")
    callback.set_model(model)
    callback.on_train_begin()


def test_a_new_training_resets_the_state():
    callback = EarlyStopping()
    run_epochs(callback, [1.0, 2.0])
    run_epochs(callback, [5.0, 4.0, 6.0])
    callback.on_train_end()
    assert (callback.best, callback.best_epoch) == (4.0, 1)
