import keras
import numpy as np
import pytest

from tfkit.callbacks import EarlyStopping

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


@pytest.mark.parametrize(("values", "options", "best", "end"), [
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
])  # fmt: skip
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


@pytest.mark.parametrize(("arguments", "message"), [
    ({"monitor": "mood"}, "`mode` must be 'min' or 'max' .* Received: mode=None, monitor='mood'"),
    ({"mode": "up"}, "`mode` must be 'min' or 'max' .* Received: mode='up', monitor='val_loss'"),
    ({"patience": 0}, "`patience` must be at least 1, or None, .* Received: patience=0, min_delta=0.0"),
    ({"min_delta": -0.1}, "`min_delta` at least 0. Received: patience=None, min_delta=-0.1"),
])  # fmt: skip
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**arguments)
