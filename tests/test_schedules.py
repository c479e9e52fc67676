import keras
import numpy as np
import pytest

from tfkit import schedules
from tfkit.schedules import (
    InverseSquareRoot,
    OneCycle,
    ScaledSchedule,
    Warmup,
    WarmupStableDecay,
    scale_learning_rate,
    simulate,
)
from tfkit.testing import check_schedule
from tfkit.training import fit as training_fit

STEPS = np.arange(60, dtype="float64")
keras_schedules = keras.optimizers.schedules


def one_cycle(k, high, steps, warmup):
    k, peak_step, low, end = np.minimum(k, steps), warmup * steps, high / 25, high / 250_000
    rise = low + (high - low) * (1 - np.cos(np.pi * k / peak_step)) / 2
    fall = end + (high - end) * (1 + np.cos(np.pi * (k - peak_step) / (steps - peak_step))) / 2
    return np.where(k <= peak_step, rise, fall)


def warmup_stable_decay(k, steps, warmup, decay):
    decay_progress = np.clip((k - (1 - decay) * steps) / (decay * steps), 0, 1)
    return 0.5 * np.minimum(k / (warmup * steps), 1 - np.sqrt(decay_progress))


INVERSE_SQUARE_ROOT = 0.5 * np.minimum(STEPS / 7, np.sqrt(7 / np.maximum(STEPS, 1)))
CASES = {
    "warmup to a constant": (Warmup(0.5, 8), 0.5 * np.minimum(STEPS / 8, 1)),
    "warmup from a fraction": (Warmup(0.5, 8, start=0.25), 0.5 * (0.25 + 0.75 * np.minimum(STEPS / 8, 1))),
    "warmup, then linear": (
        Warmup(keras_schedules.PolynomialDecay(0.5, 40, end_learning_rate=0.1), 8),
        np.where(STEPS < 8, 0.5 * STEPS / 8, 0.1 + 0.4 * (1 - np.clip(STEPS - 8, 0, 40) / 40)),
    ),
    "warmup, then step decay": (
        Warmup(keras_schedules.PiecewiseConstantDecay([9, 19], [0.5, 0.05, 0.005]), 10),
        np.where(STEPS < 10, 0.05 * STEPS, np.where(STEPS < 20, 0.5, np.where(STEPS < 30, 0.05, 0.005))),
    ),
    "warmup of a warmup": (Warmup(Warmup(0.5, 10, start=0.5), 10), 0.025 * np.minimum(STEPS, 20)),
    "one cycle": (OneCycle(0.5, 50), one_cycle(STEPS, 0.5, 50, 0.3)),
    "one cycle with a later peak": (OneCycle(0.5, 55, warmup=0.5), one_cycle(STEPS, 0.5, 55, 0.5)),
    "one cycle of one step": (OneCycle(0.5, 1), np.where(STEPS < 1, 0.02, 2e-6)),
    "inverse square root": (InverseSquareRoot(0.5, 7), INVERSE_SQUARE_ROOT),
    "warmup, stable, decay": (
        WarmupStableDecay(0.5, 50, warmup=0.1, decay=0.4),
        warmup_stable_decay(STEPS, 50, 0.1, 0.4),
    ),
    "warmup and decay without a constant phase": (
        WarmupStableDecay(0.5, 50, warmup=0.6, decay=0.4),
        warmup_stable_decay(STEPS, 50, 0.6, 0.4),
    ),
    "scaled": (ScaledSchedule(InverseSquareRoot(0.5, 7), 0.25), 0.25 * INVERSE_SQUARE_ROOT),
    "scaled constant": (ScaledSchedule(0.5, 0.25), np.full(60, 0.125)),
}
PARAMETRIZE_CASES = pytest.mark.parametrize(("schedule", "expected"), CASES.values(), ids=CASES)


def one_weight_model(rate):
    """A model with one weight and gradient 1: a step of SGD changes it by the learning rate."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(rate), keras.losses.MeanAbsoluteError())
    return model


@PARAMETRIZE_CASES
def test_schedule_equals_its_closed_form(schedule, expected):
    np.testing.assert_allclose(simulate(schedule, 60), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("schedule", "peak", "closed_form"),
    [
        (Warmup(0.5, 8, start=0.25), 8, lambda k: 0.5 * (0.25 + 0.75 * min(k / 8, 1))),
        (OneCycle(0.5, 50, warmup=0.5), 25, lambda k: float(one_cycle(k, 0.5, 50, 0.5))),
        (InverseSquareRoot(0.5, 7), 7, lambda k: 0.5 * min(k / 7, (7 / max(k, 1)) ** 0.5)),
        (WarmupStableDecay(0.5, 50, warmup=0.1, decay=0.4), 30, lambda k: float(warmup_stable_decay(k, 50, 0.1, 0.4))),
        (ScaledSchedule(InverseSquareRoot(0.5, 7), 0.25), 7, lambda k: 0.125 * min(k / 7, (7 / max(k, 1)) ** 0.5)),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "get_config") else "",
)
def test_contract(schedule, peak, closed_form):
    check_schedule(schedule, 50, peak_step=peak, closed_form=closed_form)


@PARAMETRIZE_CASES
def test_simulated_rates_are_those_of_an_optimizer(schedule, expected):
    sgd, weight, changes = keras.optimizers.SGD(schedule), keras.Variable(0.0), []
    for _ in range(4):
        previous = float(weight)
        sgd.apply([np.float32(1.0)], [weight])
        changes.append(previous - float(weight))
    np.testing.assert_allclose(changes, expected[:4], rtol=1e-4, atol=1e-7)
    sgd.iterations.assign(41)
    assert float(sgd.learning_rate) == pytest.approx(expected[41], rel=1e-4)


@PARAMETRIZE_CASES
def test_schedule_is_restored_from_a_saved_model(schedule, expected, tmp_path):
    one_weight_model(schedule).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").optimizer._learning_rate
    assert type(loaded) is type(schedule)
    assert loaded.get_config() == schedule.get_config()
    np.testing.assert_array_equal(simulate(loaded, 60), simulate(schedule, 60))


@pytest.mark.parametrize(
    "schedule",
    [
        keras_schedules.ExponentialDecay(0.5, 10, 0.1, staircase=True),
        keras_schedules.PiecewiseConstantDecay([10, 20], [0.5, 0.05, 0.005]),
        keras_schedules.PolynomialDecay(0.5, 10, power=2.0, cycle=True),
        keras_schedules.InverseTimeDecay(0.5, 10, 0.1),
        keras_schedules.CosineDecay(0.0, 20, warmup_target=0.5, warmup_steps=10),
        keras_schedules.CosineDecayRestarts(0.5, 10, m_mul=0.5),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_simulate_with_schedules_of_keras(schedule):
    expected = [float(schedule(k)) for k in range(35)]
    np.testing.assert_allclose(simulate(schedule, 35), expected, rtol=1e-5, atol=1e-7)


def test_simulate_with_a_constant():
    assert simulate(0.1, 3).tolist() == [0.1] * 3


def test_highest_rate_is_the_learning_rate_argument():
    for schedule, peak_step in ((OneCycle(0.5, 50), 15), (InverseSquareRoot(0.5, 7), 7)):
        rates = simulate(schedule, 60)
        assert rates.argmax() == peak_step
        assert rates.max() == pytest.approx(0.5)


# factor of Scaled


@pytest.mark.parametrize("rate", [lambda: 0.5, lambda: ScaledSchedule(0.5)], ids=["number", "schedule"])
@pytest.mark.parametrize("fit", ["keras", "tfkit"])
def test_compiled_steps_use_the_new_factor(rate, fit):
    model, weights = one_weight_model(rate()), []

    def halve_rate(epoch, logs):
        weights.append(float(model.layers[0].kernel[0, 0]))
        scale_learning_rate(model.optimizer, 0.5)

    x, y = np.ones((1, 1)), np.array([[9.0]])
    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=halve_rate)]
    if fit == "keras":
        model.fit(x, y, epochs=3, callbacks=callbacks, verbose=0)
    else:
        training_fit.fit(model, x, y, epochs=3, callbacks=callbacks)
    np.testing.assert_allclose(np.diff([0.0, *weights]), [0.5, 0.25, 0.125], rtol=1e-5)


def test_factor_is_serialized():
    sgd = keras.optimizers.SGD(ScaledSchedule(OneCycle(0.5, 50)))
    scale_learning_rate(sgd, 0.5)
    scale_learning_rate(keras.optimizers.LossScaleOptimizer(sgd), 0.25)
    loaded = keras.optimizers.deserialize(keras.optimizers.serialize(sgd))
    np.testing.assert_allclose(simulate(loaded._learning_rate, 60), CASES["one cycle"][1] / 8, rtol=1e-5)


def test_factor_of_one_gives_identical_rates():
    schedule = keras_schedules.CosineDecay(0.0, 40, warmup_target=0.3, warmup_steps=5)
    assert [float(ScaledSchedule(schedule)(k)) for k in range(46)] == [float(schedule(k)) for k in range(46)]


@pytest.mark.parametrize("rate", [OneCycle(0.5, 50), lambda: 0.5], ids=["OneCycle", "function"])
def test_scaling_an_unwrapped_schedule_raises(rate):
    with pytest.raises(
        ValueError, match=rf"must be wrapped .*ScaledSchedule\(schedule\). Received: {type(rate).__name__}"
    ):
        scale_learning_rate(keras.optimizers.SGD(rate), 0.5)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (Warmup, {"schedule": 0.1, "steps": 0}, r"`steps` must be at least 1 and `start` in .* steps=0, start=0.0"),
        (Warmup, {"schedule": 0.1, "steps": 5, "start": 1.0}, r"`start` in \[0, 1\). Received: steps=5, start=1.0"),
        (
            OneCycle,
            {"learning_rate": 0.0, "steps": 5},
            "`learning_rate` must be above 0, .* learning_rate=0.0, steps=5",
        ),
        (OneCycle, {"learning_rate": 0.1, "steps": 0}, "`steps` at least 1 .* learning_rate=0.1, steps=0"),
        (OneCycle, {"learning_rate": 0.1, "steps": 5, "warmup": 0.0}, r"`warmup` in \(0, 1\). .* warmup=0.0"),
        (OneCycle, {"learning_rate": 0.1, "steps": 5, "warmup": 1.0}, "steps=5, warmup=1.0"),
        (InverseSquareRoot, {"learning_rate": -1.0, "warmup_steps": 5}, "must be above 0 .* learning_rate=-1.0"),
        (InverseSquareRoot, {"learning_rate": 0.1, "warmup_steps": 0}, "`warmup_steps` at least 1. .* warmup_steps=0"),
        (WarmupStableDecay, {"learning_rate": float("nan"), "steps": 5}, "must be above 0, .* learning_rate=nan"),
        (WarmupStableDecay, {"learning_rate": 0.1, "steps": 0}, "`steps` at least 1"),
        (WarmupStableDecay, {"learning_rate": 0.1, "steps": 5, "warmup": 0.0}, "above 0 and their sum .* warmup=0.0"),
        (WarmupStableDecay, {"learning_rate": 0.1, "steps": 5, "decay": 0.0}, "decay=0.0"),
        (WarmupStableDecay, {"learning_rate": 0.1, "steps": 5, "warmup": 0.7, "decay": 0.4}, "their sum at most 1"),
        (ScaledSchedule, {"schedule": 0.1, "factor": 0.0}, "`factor` must be above 0. Received: 0.0"),
        (simulate, {"schedule": 0.1, "steps": 0}, "`steps` must be at least 1. Received: 0"),
    ],
)
def test_invalid_arguments_raise(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(**arguments)


def test_every_schedule_is_tested():
    classes = [value for value in vars(schedules).values() if isinstance(value, type)]
    schedule_classes = {schedule for schedule in classes if schedule.__module__ == schedules.__name__}
    assert schedule_classes == {type(schedule) for schedule, _ in CASES.values()}
