import keras
import numpy as np
import pytest

from tfkit.callbacks import LearningRateDecay

NAN = float("nan")


class Model:
    """Stand-in for a model that has only an optimizer."""

    def __init__(self, optimizer=None):
        self.optimizer = optimizer or keras.optimizers.SGD(1.0)


def run_epochs(callback, values, model=None):
    """Run one epoch per metric value and return the learning rate after each."""
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
        ([1, 1, 1], {"patience": 1, "min_learning_rate": 3.0}, [1, 1, 1]),  # the rate is never increased
    ],
)
def test_learning_rate_is_reduced_on_a_plateau(values, options, expected):
    assert run_epochs(LearningRateDecay(factor=0.5, **options), values) == pytest.approx(expected)


@pytest.mark.parametrize("epochs_before_resume", range(1, 8))
def test_resumed_training_equals_uninterrupted_training(epochs_before_resume):
    values = [5, 4, 6, 4, 3, 3, 3, 3, 2]
    uninterrupted = run_epochs(LearningRateDecay(factor=0.5, patience=2), values)
    first, second, model = LearningRateDecay(factor=0.5, patience=2), LearningRateDecay(factor=0.5, patience=2), Model()
    rates = run_epochs(first, values[:epochs_before_resume], model)
    second.set_state(first.state())
    assert rates + run_epochs(second, values[epochs_before_resume:], model) == uninterrupted
    assert uninterrupted == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_learning_rate_of_loss_scale_optimizer_is_reduced():
    model = Model(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0)))
    assert run_epochs(LearningRateDecay(factor=0.5, patience=1), [1, 1], model) == [1.0, 0.5]
    assert float(model.optimizer.inner_optimizer.learning_rate) == 0.5


@pytest.mark.parametrize(
    "wrap", [lambda optimizer: optimizer, keras.optimizers.LossScaleOptimizer], ids=["float32", "float16"]
)
def test_optimizer_with_schedule_raises_on_train_begin(wrap):
    callback = LearningRateDecay()
    callback.set_model(Model(wrap(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(1.0, 10)))))
    with pytest.raises(ValueError, match=r"needs an optimizer with a fixed learning rate, .* Received: CosineDecay"):
        callback.on_train_begin()


def test_missing_metric_raises():
    callback = LearningRateDecay("val_f1")
    callback.set_model(Model())
    with pytest.raises(ValueError, match=r"`monitor` must be .* Received: 'val_f1'; available: loss$"):
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
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        LearningRateDecay(**arguments)
