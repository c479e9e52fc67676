import keras
import numpy as np
import pytest

from tfkit.callbacks import LearningRateFinder
from tfkit.optimizers import make_optimizer
from tfkit.training import fit as training_fit

NAN, INF = float("nan"), float("inf")
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(160, 4)).astype("float32")
Y = X.sum(1, keepdims=True)
RATES = 1e-6 * 10 ** (7 * np.arange(100) / 99)


def make_model(rate=0.05, wrap=lambda optimizer: optimizer):
    """A small compiled model with weights, moving statistics and random states."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(1)])
    model.compile(wrap(keras.optimizers.Adam(rate)), "mse")
    return model


def run_passes(finder, passes, model=None):
    """Feed the losses of each pass to the finder and return the number of steps of each pass."""
    model = model or make_model()
    finder.set_model(model)
    finder.set_params({"steps": 1000, "epochs": 1})
    finder.on_train_begin()
    model.stop_training, num_steps = False, []
    for losses in passes:
        num_steps.append(0)
        current_pass = finder._pass
        for loss in losses:
            finder.on_train_batch_begin(0)
            model.optimizer.iterations.assign_add(1)
            finder.on_train_batch_end(0, {"loss": loss})
            num_steps[-1] += 1
            if finder._pass > current_pass:
                break
    assert model.stop_training
    finder.on_train_end()
    return num_steps


def loss_curve(best_step, noise=0.0):
    """Losses that fall with the log rate from 1e-4 on, are smallest at `best_step`, then diverge."""
    step = np.arange(100)
    losses = 2.0 - 1.5 * np.clip((step - 28) / (best_step - 28), 0, 1)
    return losses + np.where(step > best_step, 2.0 ** (step - best_step) - 1, 0) + noise * RANDOM.normal(size=100)


def reference_best_step(losses):
    """The step of the smallest loss, smoothed with exponential weights over a third of a decade."""
    losses = np.array([loss for loss in losses if np.isfinite(loss)])
    base = 1 - 3 * 7 / 100
    means = [np.average(losses[: i + 1], weights=base ** np.arange(i, -1, -1)) for i in range(len(losses))]
    return int(np.argmin(means))


@pytest.mark.parametrize("best_steps", [[60], [80], [50, 70, 60]])
def test_suggestion_is_a_fifth_of_the_rate_with_the_smallest_smoothed_loss(best_steps):
    passes = [loss_curve(step, noise=0.02) for step in best_steps]
    finder = LearningRateFinder(steps=100, passes=len(passes))
    run_passes(finder, passes)
    expected = np.exp(np.mean([np.log(RATES[reference_best_step(losses)]) for losses in passes])) / 5
    assert finder.suggestion == pytest.approx(expected, rel=1e-6)
    assert np.abs(np.log10(5 * finder.suggestion / np.exp(np.log(RATES[best_steps]).mean()))) < 0.35
    np.testing.assert_allclose(finder.rates, RATES)


@pytest.mark.parametrize("shift", [-5.0, 0.0, 100.0])
def test_suggestion_is_invariant_to_a_constant_added_to_the_loss(shift):
    finder, reference = LearningRateFinder(steps=100, passes=1), LearningRateFinder(steps=100, passes=1)
    run_passes(finder, [loss_curve(60) + shift])
    run_passes(reference, [loss_curve(60)])
    assert finder.suggestion == pytest.approx(reference.suggestion)


@pytest.mark.parametrize(("bad", "end"), [(NAN, 71), (INF, 71), (1e6, 71), (2.0, 100)])
def test_a_pass_ends_when_the_loss_diverges(bad, end):
    losses = [*loss_curve(70)[:70], *[bad] * 30]
    finder = LearningRateFinder(steps=100, passes=2)
    assert run_passes(finder, [losses, losses]) == [end, end]
    assert np.isnan(finder.losses[:, end:]).all()
    assert finder.suggestion == pytest.approx(RATES[69] / 5, rel=1e-6)


def test_rates_rise_geometrically_and_losses_are_of_single_batches():
    model = make_model()
    model.layers[2].rate = 0.0
    rates = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: rates.append(float(model.optimizer.learning_rate))
    )
    finder = LearningRateFinder(1e-12, 1e-10, steps=50, passes=1)
    finder._best_step = lambda losses: 0  # the loss does not fall at such small rates
    model.fit(X, Y, batch_size=16, epochs=5, shuffle=False, verbose=0, callbacks=[finder, record])
    np.testing.assert_allclose(rates, 1e-12 * 100 ** (np.arange(50) / 49), rtol=1e-5)
    normalized = keras.Sequential(model.layers)
    batches = zip(np.split(X, 10), np.split(Y, 10), strict=True)
    expected = [np.mean((np.asarray(normalized(x, training=True)) - y) ** 2) for x, y in batches]
    np.testing.assert_allclose(finder.losses[0], expected * 5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rate", "wrap"),
    [("cosine", lambda optimizer: optimizer), (0.05, keras.optimizers.LossScaleOptimizer)],
    ids=["schedule", "float16"],
)
def test_training_after_the_finder_equals_training_without_it(rate, wrap):
    def make_rate():
        return make_optimizer("adam", decay=rate, steps=40)._learning_rate if rate == "cosine" else rate

    model, reference = make_model(make_rate(), wrap), make_model(make_rate(), wrap)
    original_rate = getattr(model.optimizer, "inner_optimizer", model.optimizer)._learning_rate
    for fitted in (model, reference):
        fitted.fit(X, Y, batch_size=32, epochs=1, shuffle=False, verbose=0)  # compiles the training step
    finder = LearningRateFinder(steps=50, passes=2)
    model.fit(X, Y, batch_size=16, epochs=10, verbose=0, callbacks=[finder])
    assert finder.suggestion > 1e-5
    assert getattr(model.optimizer, "inner_optimizer", model.optimizer)._learning_rate is original_rate
    for fitted in (model, reference):
        fitted.fit(X, Y, batch_size=32, epochs=1, shuffle=False, verbose=0)
    variables = [*model.variables, *model.optimizer.variables]
    expected_variables = [*reference.variables, *reference.optimizer.variables]
    for variable, expected in zip(variables, expected_variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), expected.numpy())


def test_every_pass_starts_with_the_same_weights_and_new_random_states():
    model = make_model()
    initial_states = []

    def record_state(batch, logs):
        if finder._step == 0:
            variables = model.layers[0].kernel, model.layers[2].seed_generator.state
            initial_states.append([variable.numpy() for variable in variables])

    finder = LearningRateFinder(steps=50, passes=3)
    record = keras.callbacks.LambdaCallback(on_train_batch_begin=record_state)
    model.fit(X, Y, batch_size=16, epochs=15, verbose=0, callbacks=[finder, record])
    assert len(initial_states) == 3
    for kernel, seed in initial_states[1:]:
        np.testing.assert_array_equal(kernel, initial_states[0][0])
        assert (seed != initial_states[0][1]).any()


def test_suggestion_trains_a_linear_model():
    """The loss falls with the suggestion, not with 1/100 or 100 times of it."""
    final_losses = {}
    for factor in (0.01, 1.0, 100.0):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        model.compile("adam", "mse")
        if not final_losses:
            finder = LearningRateFinder(steps=100, passes=1)
            model.fit(X, Y, batch_size=16, epochs=10, verbose=0, callbacks=[finder])
        model.optimizer.learning_rate = factor * finder.suggestion
        final_losses[factor] = model.fit(X, Y, batch_size=16, epochs=4, verbose=0).history["loss"][-1]
    assert final_losses[1.0] < 0.3 * min(final_losses[0.01], final_losses[100.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": 0.0}, "`low` must be above 0 and below `high`, .* Received: low=0.0, high=10.0, steps=200, passes=3"),
        ({"low": 1.0, "high": 0.1}, "low=1.0, high=0.1"),
        ({"steps": 49}, "`steps` at least 50 .* steps=49"),
        ({"passes": 0}, "`passes` at least 1. .* passes=0"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        LearningRateFinder(**arguments)


def test_too_few_batches_raise_on_train_begin():
    model = make_model()
    with pytest.raises(ValueError, match=r"more epochs\. Received: 50 batches, 3 passes of 200 steps"):
        model.fit(X, Y, batch_size=16, epochs=5, verbose=0, callbacks=[LearningRateFinder()])


def test_several_steps_per_call_raise_and_restore_the_weights(monkeypatch):
    monkeypatch.setattr(
        training_fit.EpochRunner, "adapt_steps_per_call", lambda self, seconds: setattr(self, "steps_per_call", 4)
    )
    model = make_model()
    initial_kernel = model.layers[0].kernel.numpy()
    with pytest.raises(ValueError, match=r"must be one step: .* Received: 4 steps"):
        training_fit.fit(model, X, Y, batch_size=16, epochs=10, callbacks=[LearningRateFinder(steps=50, passes=1)])
    np.testing.assert_array_equal(model.layers[0].kernel, initial_kernel)


@pytest.mark.parametrize("losses", [[2.0, 2.1] * 50, [NAN], np.linspace(2, 3, 100)], ids=["flat", "nan", "rising"])
def test_a_loss_that_never_falls_raises(losses):
    model = make_model()
    initial_kernel = model.layers[0].kernel.numpy()
    with pytest.raises(ValueError, match=r"must fall somewhere .* low=1e-06, high=10\.0, initial loss (2|nan)"):
        run_passes(LearningRateFinder(steps=100, passes=1), [losses], model)
    np.testing.assert_array_equal(model.layers[0].kernel, initial_kernel)
