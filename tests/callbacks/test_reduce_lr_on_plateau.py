import keras
import numpy as np
import pytest

from tfkit.callbacks import LearningRateDecay

NAN = float("nan")


class Model:
    """What the callback knows of a model: its optimizer."""

    def __init__(self, optimizer=None):
        self.optimizer = optimizer or keras.optimizers.SGD(1.0)


def drive(callback, values, model=None):
    """The learning rate after each of these values of the metric."""
    callback.set_model(model or Model())
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"loss": 9.0, callback.monitor: value})
        rates.append(float(callback.model.optimizer.learning_rate))
    return rates


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        ([5, 4, 4, 4, 4, 4], {"patience": 2}, [1, 1, 1, 0.5, 0.5, 0.25]),
        ([5, 4, 4, 3, 3, 3], {"patience": 2}, [1, 1, 1, 1, 1, 0.5]),
        ([1, 1, 1, 1], {"patience": 1}, [1, 0.5, 0.25, 0.125]),
        ([1, 2, 2, 3], {"patience": 1, "mode": "max"}, [1, 1, 0.5, 0.5]),
        ([NAN, 3, 2, 1], {"patience": 2}, [1, 1, 1, 1]),
        ([3, NAN, NAN, 2], {"patience": 2}, [1, 1, 0.5, 0.5]),
        ([1, 1, 1, 1, 1], {"patience": 1, "min_learning_rate": 0.2}, [1, 0.5, 0.25, 0.2, 0.2]),
        ([1, 1, 1], {"patience": 1, "min_learning_rate": 3.0}, [1, 1, 1]),  # never up
    ],
)
def test_the_rate_is_cut_on_a_plateau(values, options, expected):
    assert drive(LearningRateDecay(factor=0.5, **options), values) == pytest.approx(expected)


@pytest.mark.parametrize("cut", range(1, 8))
def test_going_on_from_a_state_decides_as_never_having_stopped(cut):
    values = [5, 4, 6, 4, 3, 3, 3, 3, 2]
    whole = drive(LearningRateDecay(factor=0.5, patience=2), values)
    first, second, model = LearningRateDecay(factor=0.5, patience=2), LearningRateDecay(factor=0.5, patience=2), Model()
    rates = drive(first, values[:cut], model)
    second.set_state(first.state())
    assert rates + drive(second, values[cut:], model) == whole
    assert whole == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_the_rate_of_half_precision_is_cut_too():
    model = Model(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0)))
    assert drive(LearningRateDecay(factor=0.5, patience=1), [1, 1], model) == [1.0, 0.5]
    assert float(model.optimizer.inner_optimizer.learning_rate) == 0.5


@pytest.mark.parametrize("wrap", [lambda o: o, keras.optimizers.LossScaleOptimizer], ids=["float32", "float16"])
def test_a_schedule_is_refused_before_the_first_epoch(wrap):
    callback = LearningRateDecay()
    callback.set_model(Model(wrap(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(1.0, 10)))))
    with pytest.raises(ValueError, match=r"needs an optimizer with a fixed learning rate, .* Received: CosineDecay"):
        callback.on_train_begin()


def test_a_metric_that_is_not_there_is_said_at_once():
    callback = LearningRateDecay("val_f1")
    callback.set_model(Model())
    with pytest.raises(ValueError, match=r"`monitor` must be .* Received: 'val_f1'; there are loss$"):
        callback.on_epoch_end(0, {"loss": np.float32(1.0)})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"monitor": "mood"}, "`mode` must be 'min' or 'max' .* Received: mode=None, monitor='mood'"),
        ({"mode": "up"}, "Received: mode='up', monitor='val_loss'"),
        ({"factor": 1.0}, r"`factor` must be in \(0, 1\), .* Received: factor=1.0, patience=5, min_learning_rate=0.0"),
        ({"factor": 0.0}, r"`factor` must be in \(0, 1\)"),
        ({"patience": 0}, "Received: factor=0.3, patience=0"),
        ({"min_learning_rate": -1}, "Received: factor=0.3, patience=5, min_learning_rate=-1"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LearningRateDecay(**arguments)
