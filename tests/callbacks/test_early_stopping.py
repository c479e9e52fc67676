import keras
import numpy as np
import pytest

from tfkit.callbacks import EarlyStopping
from tfkit.training import fit as training_fit

NAN, INF = float("nan"), float("inf")


class Model:
    """What the callback knows of a model: its variables and whether it is to stop."""

    def __init__(self):
        self.variables, self.stop_training = [keras.Variable(-1.0, name="weight")], False


def drive(callback, values, *, model=None, first=0):
    """Let the metric take these values from epoch `first` on; the weight is the number of the epoch. Where it ended."""
    callback.set_model(model or Model())
    callback.on_train_begin()
    for epoch, value in enumerate(values, first):
        callback.model.variables[0].assign(epoch)
        callback.on_epoch_end(epoch, {"loss": 9.0, callback.monitor: value})
        if callback.model.stop_training:
            break
    return epoch


@pytest.mark.parametrize(
    ("values", "options", "best", "end"),
    [
        ([3, 2, 2.5, 1, 1.5, 1.2, 1.1], {"patience": 2}, 3, 5),
        ([3, 2, 2.5, 1, 1.5, 1.2, 1.1], {"patience": 1}, 1, 2),
        ([3, 2, 2.5, 1, 1.5, 1.2, 1.1], {"patience": 4}, 3, 6),
        ([3, 2, 2.5, 1, 1.5, 1.2, 1.1], {}, 3, 6),
        ([3, 2, 2.5, 1, 1.5, 1.2, 1.1], {"patience": 3, "mode": "max"}, 0, 3),
        ([1, 1, 1, 1], {"patience": 2}, 0, 2),  # as good is not better
        ([1.0, 0.95, 0.89, 0.85, 0.7], {"patience": 2, "min_delta": 0.1}, 4, 4),
        ([1.0, 0.95, 0.91, 0.89, 0.7], {"patience": 2, "min_delta": 0.1}, 0, 2),
        ([1.0, 1.05, 1.11, 1.2], {"min_delta": 0.1, "mode": "max"}, 2, 3),
        ([-1, -3, -2], {}, 1, 2),
        ([NAN, 3, 2, NAN, 1], {"patience": 2}, 4, 4),  # NaN first
        ([3, NAN, INF, 2, 1], {"patience": 2}, 0, 2),  # NaN later counts as no better
        ([3, NAN, INF, 2, 1], {"patience": 3}, 4, 4),
        ([3, -INF, 4], {}, 0, 2),  # a loss of minus infinity is no success
        ([3, INF, 4], {"mode": "max"}, 2, 2),
        ([NAN, NAN, NAN], {"patience": 2}, None, 1),
    ],
)
def test_the_best_epoch_wins_and_patience_ends(values, options, best, end):
    callback = EarlyStopping("val_loss", **options)
    assert drive(callback, values) == end
    assert callback.best_epoch == best
    assert callback.best == (None if best is None else values[best])
    callback.on_train_end()
    assert float(callback.model.variables[0]) == (end if best is None else best)


@pytest.mark.parametrize("cut", range(1, 7))
@pytest.mark.parametrize("seed", range(4))
def test_going_on_from_a_state_decides_as_never_having_stopped(cut, seed):
    values = np.random.default_rng(seed).choice([1.0, 2.0, 3.0, NAN], 8).tolist()
    whole = EarlyStopping(patience=3)
    end = drive(whole, values)
    first, second = EarlyStopping(patience=3), EarlyStopping(patience=3)
    if drive(first, values[:cut]) < cut - 1:
        assert end < cut
        return
    if first.model.stop_training:
        assert end == cut - 1
        return
    second.set_state(first.state())
    assert drive(second, values[cut:], first=cut) == end
    assert (second.best, second.best_epoch, second.wait) == (whole.best, whole.best_epoch, whole.wait)
    whole.on_train_end()
    second.on_train_end()
    assert float(second.model.variables[0]) == float(whole.model.variables[0])


def test_weights_and_statistics_come_back_but_random_states_do_not():
    layers = [keras.Input((2,)), keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    model = keras.Sequential(layers)
    x, callback = np.random.default_rng(0).normal(size=(20, 2)), EarlyStopping()
    callback.set_model(model)
    values = {}
    for epoch, loss in enumerate([2.0, 1.0, 3.0]):
        model(x, training=True)
        for weight in model.trainable_variables:
            weight.assign(weight + 1)
        values[epoch] = {v.path: v.numpy() for v in model.variables}
        callback.on_epoch_end(epoch, {"val_loss": loss})
    callback.on_train_end()
    now = {v.path: v.numpy() for v in model.variables}
    seeds = [path for path in now if "seed" in path]
    statistics = [path for path in now if "moving" in path]
    assert len(seeds) == 1
    assert len(statistics) == 2
    for path, value in now.items():
        np.testing.assert_array_equal(value, values[2 if path in seeds else 1][path])
        assert (values[1][path] != values[2][path]).any()


def test_kept_weights_are_copies():
    callback = EarlyStopping()
    drive(callback, [1.0])
    callback.model.variables[0].assign(77.0)
    callback.on_train_end()
    assert float(callback.model.variables[0]) == 0


@pytest.mark.parametrize(("monitor", "mode"), [("val_loss", "min"), ("val_f1_macro", "max")])
def test_the_direction_of_a_known_metric_is_known(monitor, mode):
    assert EarlyStopping(monitor).mode == mode


@pytest.mark.parametrize("logs", [{"loss": 1.0}, {}, None])
def test_a_metric_that_is_not_there_is_said_at_once(logs):
    callback = EarlyStopping()
    callback.set_model(Model())
    there = "loss" if logs else ""
    with pytest.raises(ValueError, match=rf"`monitor` must be .* Received: 'val_loss'; there are {there}$"):
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
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**arguments)


# which weights are kept


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        ([3, 2, 1, 4], {}, "val_loss was best in epoch 3 of 4, 1; its weights are kept"),
        (
            [3, 2, 4],
            {"keep": "last"},
            "val_loss was best in epoch 2 of 3, 2; the weights of the last epoch, 3, are kept",
        ),
        ([3, 2, 1, 4], {"keep": "averaged"}, "val_loss was best in epoch 3 of 4, 1; the average by then is kept"),
        ([0.123456789, 1, 1], {"patience": 1}, "val_loss was best in epoch 1 of 2, 0.123457; its weights are kept"),
        ([NAN, NAN], {}, "val_loss was never finite; the weights of the last epoch, 2, are kept"),
    ],
)
def test_it_says_which_epoch_won(values, options, said, caplog):
    callback = EarlyStopping(**options)
    drive(callback, values)
    with caplog.at_level("INFO", "tfkit"):
        callback.on_train_end()
    assert callback.said == said
    assert caplog.messages == [said]


def test_the_last_weights_stay_and_no_copy_is_made():
    callback = EarlyStopping(keep="last", patience=2)
    assert drive(callback, [2.0, 1.0, 3.0, 4.0]) == 3
    callback.on_train_end()
    assert float(callback.model.variables[0]) == 3
    assert callback.best_epoch == 1
    assert callback.state()["weights"] is None


def drive_validated(callback, weights, losses, *, model=None, first=0):
    """Epochs that end with these weights and these values of the metric; the weights that validation saw."""
    callback.set_model(model or Model())
    callback.on_train_begin()
    variable, seen = callback.model.variables[0], []
    for epoch, (weight, loss) in enumerate(zip(weights, losses, strict=True), first):
        callback.on_epoch_begin(epoch)
        variable.assign(weight)
        callback.on_test_begin()
        seen.append(float(variable))
        callback.on_test_end()
        np.testing.assert_equal(float(variable), weight)
        callback.on_epoch_end(epoch, {"val_loss": loss})
    return seen


WEIGHTS = [4.0, 8.0, 6.0, -2.0, 10.0, 3.0]
AVERAGES = [4.0, 6.0, 6.0, 6 - 0.3 * 8, 3.6 + 0.3 * 6.4, 5.52 - 0.3 * 2.52]  # plain means, then a share of 0.3


def test_validation_is_of_the_average_and_the_best_average_is_kept():
    callback = EarlyStopping(keep="averaged")
    assert drive_validated(callback, WEIGHTS, [6, 5, 4, 3, 2, 9]) == pytest.approx(AVERAGES, rel=1e-6)
    callback.on_train_end()
    assert float(callback.model.variables[0]) == pytest.approx(AVERAGES[4], rel=1e-6)


@pytest.mark.parametrize("bad", [NAN, INF])
@pytest.mark.parametrize("place", [0, 2, 5])
def test_weights_that_are_not_finite_are_left_out_of_the_average(bad, place):
    weights, losses = [*WEIGHTS[:place], bad, *WEIGHTS[place:]], [6, 5, 4, 3, 2, 1]
    callback = EarlyStopping(keep="averaged")
    seen = drive_validated(callback, weights, [*losses[:place], NAN, *losses[place:]])
    del seen[place]
    assert seen == pytest.approx(AVERAGES, rel=1e-6)
    callback.on_train_end()
    assert float(callback.model.variables[0]) == pytest.approx(AVERAGES[5], rel=1e-6)


@pytest.mark.parametrize("cut", range(1, 6))
def test_the_average_goes_on_from_a_state(cut):
    first, second = EarlyStopping(keep="averaged"), EarlyStopping(keep="averaged")
    losses = [6, 5, 4, 3, 2, 9]
    seen = drive_validated(first, WEIGHTS[:cut], losses[:cut])
    second.set_state(first.state())
    seen += drive_validated(second, WEIGHTS[cut:], losses[cut:], model=first.model, first=cut)
    assert seen == pytest.approx(AVERAGES, rel=1e-6)
    second.on_train_end()
    assert float(second.model.variables[0]) == pytest.approx(AVERAGES[4], rel=1e-6)


def test_without_validation_the_average_is_kept_all_the_same():
    callback = EarlyStopping("loss", keep="averaged")
    drive(callback, [3.0, 2.0, 1.0])  # the weights are 0, 1, 2
    callback.on_train_end()
    assert float(callback.model.variables[0]) == 1


X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


@pytest.mark.parametrize("fit", ["Keras' own", "compiled epochs"])
def test_what_is_kept_scores_what_validation_said(fit):
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
    run = model.fit if fit == "Keras' own" else lambda *data, **options: training_fit.fit(model, *data, **options)
    history = run(X, Y, epochs=6, batch_size=8, validation_data=(X, Y), callbacks=[callback], verbose=0).history
    assert callback.best == min(history["val_loss"])
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(callback.best, rel=1e-4)
    iterations = int(model.optimizer.iterations)
    model.evaluate(X, Y, verbose=0, callbacks=[callback])  # of somebody else's: nothing is averaged
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(callback.best, rel=1e-4)
    assert int(model.optimizer.iterations) == iterations


@pytest.mark.parametrize("wrap", [lambda o: o, keras.optimizers.LossScaleOptimizer], ids=["float32", "float16"])
def test_an_optimizer_with_an_average_of_its_own_is_refused(wrap):
    model = Model()
    model.optimizer = wrap(keras.optimizers.SGD(0.1, use_ema=True))
    for keep in ("best", "averaged"):
        callback = EarlyStopping(keep=keep)
        callback.set_model(model)
        with pytest.raises(ValueError, match=f"use_ema=True ends with its own average .* Received: keep='{keep}'"):
            callback.on_train_begin()
    callback = EarlyStopping(keep="last")
    callback.set_model(model)
    callback.on_train_begin()


def test_a_new_training_begins_anew():
    callback = EarlyStopping()
    drive(callback, [1.0, 2.0])
    drive(callback, [5.0, 4.0, 6.0])
    callback.on_train_end()
    assert (callback.best, callback.best_epoch) == (4.0, 1)
