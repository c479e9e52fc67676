import keras
import numpy as np
import pytest

from tfkit.callbacks import LearningRateFinder
from tfkit.optimizers import optimizer
from tfkit.training import fit

NAN, INF = float("nan"), float("inf")
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(160, 4)).astype("float32")
Y = X.sum(1, keepdims=True)
RATES = 1e-6 * 10 ** (7 * np.arange(100) / 99)


def network(rate=0.05, wrap=lambda made: made):
    """A small model with all that has a state of its own."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(1)])
    model.compile(wrap(keras.optimizers.Adam(rate)), "mse")
    return model


def drive(finder, passes, model=None):
    """Let the batches of each pass have these losses; how many each pass took."""
    model = model or network()
    finder.set_model(model)
    finder.set_params({"steps": 1000, "epochs": 1})
    finder.on_train_begin()
    model.stop_training, taken = False, []
    for losses in passes:
        taken.append(0)
        before = finder._pass
        for loss in losses:
            finder.on_train_batch_begin(0)
            model.optimizer.iterations.assign_add(1)
            finder.on_train_batch_end(0, {"loss": loss})
            taken[-1] += 1
            if finder._pass > before:
                break
    assert model.stop_training
    finder.on_train_end()
    return taken


def curve(lowest, noise=0.0):
    """A loss that falls by the logarithm of the rate from 1e-4 on, is smallest at a step, and explodes."""
    step = np.arange(100)
    fallen = 2.0 - 1.5 * np.clip((step - 28) / (lowest - 28), 0, 1)
    return fallen + np.where(step > lowest, 2.0 ** (step - lowest) - 1, 0) + noise * RANDOM.normal(size=100)


def reference(losses):
    """The step of the smallest smoothed loss: weights that fall with the age of a loss, by a third of a decade."""
    losses = np.array([loss for loss in losses if np.isfinite(loss)])
    keep = 1 - 3 * 7 / 100
    means = [np.average(losses[: i + 1], weights=keep ** np.arange(i, -1, -1)) for i in range(len(losses))]
    return int(np.argmin(means))


@pytest.mark.parametrize("lowest", [[60], [80], [50, 70, 60]])
def test_the_suggestion_is_a_fifth_of_the_rate_of_the_smallest_smoothed_loss(lowest):
    passes = [curve(step, noise=0.02) for step in lowest]
    finder = LearningRateFinder(steps=100, passes=len(passes))
    drive(finder, passes)
    expected = np.exp(np.mean([np.log(RATES[reference(losses)]) for losses in passes])) / 5
    assert finder.suggestion == pytest.approx(expected, rel=1e-6)
    assert np.abs(np.log10(5 * finder.suggestion / np.exp(np.log(RATES[lowest]).mean()))) < 0.35
    np.testing.assert_allclose(finder.rates, RATES)


@pytest.mark.parametrize("shift", [-5.0, 0.0, 100.0])
def test_what_is_added_to_a_loss_changes_nothing(shift):
    finder, plain = LearningRateFinder(steps=100, passes=1), LearningRateFinder(steps=100, passes=1)
    drive(finder, [curve(60) + shift])
    drive(plain, [curve(60)])
    assert finder.suggestion == pytest.approx(plain.suggestion)


@pytest.mark.parametrize(("bad", "end"), [(NAN, 71), (INF, 71), (1e6, 71), (2.0, 100)])
def test_a_pass_ends_where_the_loss_explodes(bad, end):
    losses = [*curve(70)[:70], *[bad] * 30]
    finder = LearningRateFinder(steps=100, passes=2)
    assert drive(finder, [losses, losses]) == [end, end]
    assert np.isnan(finder.losses[:, end:]).all()
    assert finder.suggestion == pytest.approx(RATES[69] / 5, rel=1e-6)


def test_the_steps_go_up_in_equal_ratios_and_the_losses_are_those_of_single_batches():
    model = network()
    model.layers[2].rate = 0.0
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seen.append(float(model.optimizer.learning_rate))
    )
    finder = LearningRateFinder(1e-12, 1e-10, steps=50, passes=1)
    finder._lowest = lambda losses: 0  # at such rates nothing falls
    model.fit(X, Y, batch_size=16, epochs=5, shuffle=False, verbose=0, callbacks=[finder, watch])
    np.testing.assert_allclose(seen, 1e-12 * 100 ** (np.arange(50) / 49), rtol=1e-5)
    normalized = keras.Sequential(model.layers)
    parts = zip(np.split(X, 10), np.split(Y, 10), strict=True)
    expected = [np.mean((np.asarray(normalized(x, training=True)) - y) ** 2) for x, y in parts]
    np.testing.assert_allclose(finder.losses[0], expected * 5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rate", "wrap"),
    [("cosine", lambda o: o), (0.05, keras.optimizers.LossScaleOptimizer)],
    ids=["schedule", "float16"],
)
def test_all_is_as_before_and_training_goes_on_as_if_nothing_had_been(rate, wrap):
    def schedule():
        return optimizer("adam", decay=rate, steps=40)._learning_rate if rate == "cosine" else rate

    model, other = network(schedule(), wrap), network(schedule(), wrap)
    own = getattr(model.optimizer, "inner_optimizer", model.optimizer)._learning_rate
    for one in (model, other):
        one.fit(X, Y, batch_size=32, epochs=1, shuffle=False, verbose=0)  # compiled before
    finder = LearningRateFinder(steps=50, passes=2)
    model.fit(X, Y, batch_size=16, epochs=10, verbose=0, callbacks=[finder])
    assert finder.suggestion > 1e-5
    assert getattr(model.optimizer, "inner_optimizer", model.optimizer)._learning_rate is own
    for one in (model, other):
        one.fit(X, Y, batch_size=32, epochs=1, shuffle=False, verbose=0)
    for one, another in zip(
        [*model.variables, *model.optimizer.variables], [*other.variables, *other.optimizer.variables], strict=True
    ):
        np.testing.assert_array_equal(one.numpy(), another.numpy())


def test_every_pass_begins_with_the_same_weights_and_other_random_states():
    model = network()
    begun = []

    def note(batch, logs):
        if finder._step == 0:
            begun.append([v.numpy() for v in (model.layers[0].kernel, model.layers[2].seed_generator.state)])

    finder = LearningRateFinder(steps=50, passes=3)
    watch = keras.callbacks.LambdaCallback(on_train_batch_begin=note)
    model.fit(X, Y, batch_size=16, epochs=15, verbose=0, callbacks=[finder, watch])
    assert len(begun) == 3
    for kernel, seed in begun[1:]:
        np.testing.assert_array_equal(kernel, begun[0][0])
        assert (seed != begun[0][1]).any()


def test_the_suggestion_trains():
    """A line is learnt at it, neither at a hundredth of it nor at a hundred times as much."""
    left = {}
    for factor in (0.01, 1.0, 100.0):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        model.compile("adam", "mse")
        if not left:
            finder = LearningRateFinder(steps=100, passes=1)
            model.fit(X, Y, batch_size=16, epochs=10, verbose=0, callbacks=[finder])
        model.optimizer.learning_rate = factor * finder.suggestion
        left[factor] = model.fit(X, Y, batch_size=16, epochs=4, verbose=0).history["loss"][-1]
    assert left[1.0] < 0.3 * min(left[0.01], left[100.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": 0.0}, "`low` must be above 0 and below `high`, .* Received: low=0.0, high=10.0, steps=200, passes=3"),
        ({"low": 1.0, "high": 0.1}, "low=1.0, high=0.1"),
        ({"steps": 49}, "`steps` at least 50 .* steps=49"),
        ({"passes": 0}, "`passes` at least 1. .* passes=0"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LearningRateFinder(**arguments)


def test_too_few_batches_are_refused_at_the_beginning():
    model = network()
    with pytest.raises(ValueError, match=r"more epochs\. Received: 50 batches, 3 passes of 200 steps"):
        model.fit(X, Y, batch_size=16, epochs=5, verbose=0, callbacks=[LearningRateFinder()])


def test_calls_of_many_steps_are_refused_and_leave_no_trace(monkeypatch):
    monkeypatch.setattr(fit._Order, "pace", lambda self, seconds: setattr(self, "a_call", 4))
    model = network()
    before = model.layers[0].kernel.numpy()
    with pytest.raises(ValueError, match=r"must be one step: .* Received: 4 steps"):
        fit.fit(model, X, Y, batch_size=16, epochs=10, callbacks=[LearningRateFinder(steps=50, passes=1)])
    np.testing.assert_array_equal(model.layers[0].kernel, before)


@pytest.mark.parametrize("losses", [[2.0, 2.1] * 50, [NAN], np.linspace(2, 3, 100)], ids=["flat", "nan", "rising"])
def test_a_loss_that_never_fell_is_said(losses):
    model = network()
    before = model.layers[0].kernel.numpy()
    with pytest.raises(ValueError, match=r"must fall somewhere .* low=1e-06, high=10\.0, a loss of (2|nan) at"):
        drive(LearningRateFinder(steps=100, passes=1), [losses], model)
    np.testing.assert_array_equal(model.layers[0].kernel, before)
