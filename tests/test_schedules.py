import keras
import numpy as np
import pytest

from tfkit import schedules
from tfkit.schedules import InverseSquareRoot, OneCycle, Scaled, Warmup, WarmupStableDecay, scale_rate, simulate
from tfkit.testing import check_schedule
from tfkit.training import fit as training_fit

K = np.arange(60, dtype="float64")
theirs = keras.optimizers.schedules


def one_cycle(k, high, steps, warmup):
    k, top, low, end = np.minimum(k, steps), warmup * steps, high / 25, high / 250_000
    rise = low + (high - low) * (1 - np.cos(np.pi * k / top)) / 2
    fall = end + (high - end) * (1 + np.cos(np.pi * (k - top) / (steps - top))) / 2
    return np.where(k <= top, rise, fall)


def stable(k, steps, warmup, decay):
    fallen = np.clip((k - (1 - decay) * steps) / (decay * steps), 0, 1)
    return 0.5 * np.minimum(k / (warmup * steps), 1 - np.sqrt(fallen))


INVERSE = 0.5 * np.minimum(K / 7, np.sqrt(7 / np.maximum(K, 1)))
CASES = {
    "warm-up to a number": (Warmup(0.5, 8), 0.5 * np.minimum(K / 8, 1)),
    "warm-up from a share": (Warmup(0.5, 8, start=0.25), 0.5 * (0.25 + 0.75 * np.minimum(K / 8, 1))),
    "warm-up, then linear": (
        Warmup(theirs.PolynomialDecay(0.5, 40, end_learning_rate=0.1), 8),
        np.where(K < 8, 0.5 * K / 8, 0.1 + 0.4 * (1 - np.clip(K - 8, 0, 40) / 40)),
    ),
    "warm-up, then steps": (
        Warmup(theirs.PiecewiseConstantDecay([9, 19], [0.5, 0.05, 0.005]), 10),
        np.where(K < 10, 0.05 * K, np.where(K < 20, 0.5, np.where(K < 30, 0.05, 0.005))),
    ),
    "warm-up of a warm-up": (Warmup(Warmup(0.5, 10, start=0.5), 10), 0.025 * np.minimum(K, 20)),
    "one cycle": (OneCycle(0.5, 50), one_cycle(K, 0.5, 50, 0.3)),
    "one cycle with its top elsewhere": (OneCycle(0.5, 55, warmup=0.5), one_cycle(K, 0.5, 55, 0.5)),
    "one cycle of one step": (OneCycle(0.5, 1), np.where(K < 1, 0.02, 2e-6)),
    "inverse square root": (InverseSquareRoot(0.5, 7), INVERSE),
    "warm-up, stable, decay": (WarmupStableDecay(0.5, 50, warmup=0.1, decay=0.4), stable(K, 50, 0.1, 0.4)),
    "no plateau": (WarmupStableDecay(0.5, 50, warmup=0.6, decay=0.4), stable(K, 50, 0.6, 0.4)),
    "scaled": (Scaled(InverseSquareRoot(0.5, 7), 0.25), 0.25 * INVERSE),
    "a scaled number": (Scaled(0.5, 0.25), np.full(60, 0.125)),
}
EACH = pytest.mark.parametrize(("schedule", "expected"), CASES.values(), ids=CASES)


def one_weight(rate):
    """A model of one weight whose gradient is 1, so that a step of SGD takes the rate away from it."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(rate), keras.losses.MeanAbsoluteError())
    return model


@EACH
def test_a_schedule_is_its_closed_form(schedule, expected):
    np.testing.assert_allclose(simulate(schedule, 60), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("schedule", "peak", "closed_form"),
    [
        (Warmup(0.5, 8, start=0.25), 8, lambda k: 0.5 * (0.25 + 0.75 * min(k / 8, 1))),
        (OneCycle(0.5, 50, warmup=0.5), 25, lambda k: float(one_cycle(k, 0.5, 50, 0.5))),
        (InverseSquareRoot(0.5, 7), 7, lambda k: 0.5 * min(k / 7, (7 / max(k, 1)) ** 0.5)),
        (WarmupStableDecay(0.5, 50, warmup=0.1, decay=0.4), 30, lambda k: float(stable(k, 50, 0.1, 0.4))),
        (Scaled(InverseSquareRoot(0.5, 7), 0.25), 7, lambda k: 0.125 * min(k / 7, (7 / max(k, 1)) ** 0.5)),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "get_config") else "",
)
def test_contract(schedule, peak, closed_form):
    check_schedule(schedule, 50, peak=peak, closed_form=closed_form)


@EACH
def test_what_is_drawn_is_what_an_optimizer_takes(schedule, expected):
    sgd, weight, moved = keras.optimizers.SGD(schedule), keras.Variable(0.0), []
    for _ in range(4):
        before = float(weight)
        sgd.apply([np.float32(1.0)], [weight])
        moved.append(before - float(weight))
    np.testing.assert_allclose(moved, expected[:4], rtol=1e-4, atol=1e-7)
    sgd.iterations.assign(41)
    assert float(sgd.learning_rate) == pytest.approx(expected[41], rel=1e-4)


@EACH
def test_a_schedule_comes_back_from_the_file_of_its_model(schedule, expected, tmp_path):
    one_weight(schedule).save(tmp_path / "model.keras")
    back = keras.saving.load_model(tmp_path / "model.keras").optimizer._learning_rate
    assert type(back) is type(schedule)
    assert back.get_config() == schedule.get_config()
    np.testing.assert_array_equal(simulate(back, 60), simulate(schedule, 60))


@pytest.mark.parametrize(
    "schedule",
    [
        theirs.ExponentialDecay(0.5, 10, 0.1, staircase=True),
        theirs.PiecewiseConstantDecay([10, 20], [0.5, 0.05, 0.005]),
        theirs.PolynomialDecay(0.5, 10, power=2.0, cycle=True),
        theirs.InverseTimeDecay(0.5, 10, 0.1),
        theirs.CosineDecay(0.0, 20, warmup_target=0.5, warmup_steps=10),
        theirs.CosineDecayRestarts(0.5, 10, m_mul=0.5),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_schedules_of_keras_are_drawn_too(schedule):
    expected = [float(schedule(k)) for k in range(35)]
    np.testing.assert_allclose(simulate(schedule, 35), expected, rtol=1e-5, atol=1e-7)


def test_a_number_is_the_rate_of_every_step():
    assert simulate(0.1, 3).tolist() == [0.1] * 3


def test_the_highest_rate_of_one_cycle_and_of_the_inverse_root_is_the_one_that_was_asked_for():
    for schedule, top in ((OneCycle(0.5, 50), 15), (InverseSquareRoot(0.5, 7), 7)):
        rates = simulate(schedule, 60)
        assert rates.argmax() == top
        assert rates.max() == pytest.approx(0.5)


# the factor


@pytest.mark.parametrize("rate", [lambda: 0.5, lambda: Scaled(0.5)], ids=["number", "schedule"])
@pytest.mark.parametrize("fit", ["Keras' own", "compiled epochs"])
def test_steps_that_were_compiled_before_see_the_factor(rate, fit):
    model, seen = one_weight(rate()), []

    def cut(epoch, logs):
        seen.append(float(model.layers[0].kernel[0, 0]))
        scale_rate(model.optimizer, 0.5)

    x, y, watch = np.ones((1, 1)), np.array([[9.0]]), [keras.callbacks.LambdaCallback(on_epoch_end=cut)]
    if fit == "Keras' own":
        model.fit(x, y, epochs=3, callbacks=watch, verbose=0)
    else:
        training_fit.fit(model, x, y, epochs=3, callbacks=watch)
    np.testing.assert_allclose(np.diff([0.0, *seen]), [0.5, 0.25, 0.125], rtol=1e-5)


def test_the_factor_goes_into_the_file():
    sgd = keras.optimizers.SGD(Scaled(OneCycle(0.5, 50)))
    scale_rate(sgd, 0.5)
    scale_rate(keras.optimizers.LossScaleOptimizer(sgd), 0.25)
    back = keras.optimizers.deserialize(keras.optimizers.serialize(sgd))
    np.testing.assert_allclose(simulate(back._learning_rate, 60), CASES["one cycle"][1] / 8, rtol=1e-5)


def test_a_factor_of_one_changes_no_bit():
    schedule = theirs.CosineDecay(0.0, 40, warmup_target=0.3, warmup_steps=5)
    assert [float(Scaled(schedule)(k)) for k in range(46)] == [float(schedule(k)) for k in range(46)]


@pytest.mark.parametrize("rate", [OneCycle(0.5, 50), lambda: 0.5], ids=["OneCycle", "function"])
def test_a_rate_that_cannot_be_cut_is_refused(rate):
    with pytest.raises(ValueError, match=rf"wrapped: .*Scaled\(schedule\). Received: {type(rate).__name__}"):
        scale_rate(keras.optimizers.SGD(rate), 0.5)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
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
        (WarmupStableDecay, {"learning_rate": 0.1, "steps": 5, "warmup": 0.0}, "above 0 and together .* warmup=0.0"),
        (WarmupStableDecay, {"learning_rate": 0.1, "steps": 5, "decay": 0.0}, "decay=0.0"),
        (WarmupStableDecay, {"learning_rate": 0.1, "steps": 5, "warmup": 0.7, "decay": 0.4}, "together at most 1"),
        (Scaled, {"schedule": 0.1, "factor": 0.0}, "`factor` must be above 0. Received: 0.0"),
        (simulate, {"schedule": 0.1, "steps": 0}, "`steps` must be at least 1. Received: 0"),
    ],
)
def test_what_cannot_be_is_refused(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**arguments)


def test_every_schedule_is_tested():
    kinds = [kind for kind in vars(schedules).values() if isinstance(kind, type)]
    here = {kind for kind in kinds if kind.__module__ == schedules.__name__}
    assert here == {type(schedule) for schedule, _ in CASES.values()}
