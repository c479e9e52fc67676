from typing import get_args

import keras
import numpy as np
import pytest

import tfkit
from tfkit.optimizers import DECAYS, OPTIMIZERS, make_optimizer
from tfkit.schedules import OneCycle, scale_learning_rate, simulate

EXPECTED_CLASSES = {
    "sgd": (keras.optimizers.SGD, {"momentum": 0.0, "nesterov": False}),
    "momentum": (keras.optimizers.SGD, {"momentum": 0.9, "nesterov": False}),
    "nesterov": (keras.optimizers.SGD, {"momentum": 0.9, "nesterov": True}),
    "rmsprop": (keras.optimizers.RMSprop, {}),
    "adam": (keras.optimizers.Adam, {}),
    "adamw": (keras.optimizers.AdamW, {}),
    "nadam": (keras.optimizers.Nadam, {}),
    "adagrad": (keras.optimizers.Adagrad, {}),
    "lion": (keras.optimizers.Lion, {}),
}


def weights_after_step(optimizer, *gradients, start=2.0):
    """Return weights that start at `start` after one step with these gradients."""
    weights = [keras.Variable(np.full(np.shape(gradient), start, "float32")) for gradient in gradients]
    optimizer.apply([np.asarray(gradient, "float32") for gradient in gradients], weights)
    return [weight.numpy() for weight in weights]


def rates(decay, steps, learning_rate=0.5):
    """Return the learning rate of every step, from step 0."""
    schedule = make_optimizer("sgd", learning_rate=learning_rate, decay=decay, steps=steps)._learning_rate
    return simulate(schedule, steps + 1)


def test_every_optimizer_name_is_tested():
    assert set(EXPECTED_CLASSES) == set(OPTIMIZERS)


@pytest.mark.parametrize("recipe", [None, *(name for name, _ in tfkit.list_recipes())])
def test_settings_list_the_same_names(recipe):
    """config.py does not import Keras, so it lists the names again."""
    fields = (tfkit.load_recipe(recipe).Config if recipe else tfkit.Config).model_fields
    assert get_args(fields["optimizer"].annotation) == tuple(OPTIMIZERS)
    assert get_args(fields["learning_rate_schedule"].annotation) == DECAYS


@pytest.mark.parametrize("name", EXPECTED_CLASSES)
def test_name_selects_the_optimizer_class(name):
    optimizer_class, options = EXPECTED_CLASSES[name]
    created = make_optimizer(name, learning_rate=0.25)
    assert type(created) is optimizer_class
    assert float(created.learning_rate) == 0.25
    assert {key: getattr(created, key) for key in options} == options
    assert created.global_clipnorm is None
    assert make_optimizer(name, global_clipnorm=0.5).global_clipnorm == 0.5


@pytest.mark.parametrize("name", EXPECTED_CLASSES)
def test_weight_decay_subtracts_a_fraction_times_the_learning_rate(name):
    assert weights_after_step(make_optimizer(name, learning_rate=0.25, weight_decay=0.1), [0.0])[0] == pytest.approx(
        2 * (1 - 0.1 * 0.25)
    )
    assert weights_after_step(make_optimizer(name, learning_rate=0.25), [0.0])[0] == 2.0


def test_clip_norm_is_the_global_norm():
    gradients = np.array([3.0, 0.0]), np.array([[4.0]])  # norm 5
    weights = weights_after_step(make_optimizer("sgd", learning_rate=1.0, global_clipnorm=1.0), *gradients)
    for weight, gradient in zip(weights, gradients, strict=True):
        np.testing.assert_allclose(weight, 2 - gradient / 5, rtol=1e-6)
    weights = weights_after_step(make_optimizer("sgd", learning_rate=1.0, global_clipnorm=6.0), *gradients)
    np.testing.assert_allclose(weights[0], 2 - gradients[0], rtol=1e-6)


@pytest.mark.parametrize("decay", ["none", "plateau"])
def test_constant_rate_can_be_changed(decay):
    created = make_optimizer("adam", learning_rate=0.25, decay=decay)
    created.learning_rate = 0.125
    assert float(created.learning_rate) == 0.125


def test_exponential_decay_to_one_percent():
    k = np.arange(41)
    np.testing.assert_allclose(rates("exponential", 40), 0.5 * 0.01 ** (k / 40), rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 40])
def test_step_decay_after_half_and_three_quarters_of_the_steps(steps):
    k = np.arange(steps + 1)
    expected = np.where(k < steps / 2, 0.5, np.where(k < 3 * steps / 4, 0.05, 0.005))
    np.testing.assert_allclose(rates("step", steps), expected, rtol=1e-6)


@pytest.mark.parametrize(("steps", "warmup"), [(100, 5), (59, 2), (20, 1), (19, 0), (1, 0)])
def test_cosine_has_5_percent_warmup_and_decays_to_zero(steps, warmup):
    k = np.arange(steps + 1)
    fall = 0.25 * (1 + np.cos(np.pi * (k - warmup) / (steps - warmup)))
    expected = np.where(k < warmup, 0.5 * k / max(1, warmup), fall)
    np.testing.assert_allclose(rates("cosine", steps), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("steps", "warmup"), [(100, 5), (59, 2), (20, 1), (19, 0), (1, 0)])
def test_linear_has_5_percent_warmup_and_decays_to_zero(steps, warmup):
    k = np.arange(steps + 1)
    expected = np.where(k < warmup, 0.5 * k / max(1, warmup), 0.5 * (steps - k) / (steps - warmup))
    np.testing.assert_allclose(rates("linear", steps), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("steps", [1, 40])
def test_polynomial_decay_is_quadratic(steps):
    k = np.arange(steps + 1)
    np.testing.assert_allclose(rates("polynomial", steps), 0.5 * (1 - k / steps) ** 2, rtol=1e-5, atol=1e-7)


def test_one_cycle_has_30_percent_warmup_and_decays_to_nearly_zero():
    k = np.arange(41)
    rise, fall = 1 - np.cos(np.pi * k / 12), 1 + np.cos(np.pi * (k - 12) / 28)
    expected = np.where(k < 12, 0.02 + 0.48 * rise / 2, 2e-6 + (0.5 - 2e-6) * fall / 2)
    np.testing.assert_allclose(rates("one_cycle", 40), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("steps", "warmup"), [(100, 5), (59, 2), (19, 1), (1, 1)])
def test_inverse_square_root_has_5_percent_warmup(steps, warmup):
    k = np.arange(steps + 1)
    expected = 0.5 * np.where(k < warmup, k / warmup, np.sqrt(warmup / np.maximum(k, 1)))
    np.testing.assert_allclose(rates("inverse_square_root", steps), expected, rtol=1e-5)


@pytest.mark.parametrize("decay", sorted(set(DECAYS) - {"none", "plateau"}))
def test_schedules_can_be_scaled_during_training(decay):
    created = make_optimizer("sgd", learning_rate=0.5, decay=decay, steps=40)
    scale_learning_rate(created, 0.25)
    np.testing.assert_allclose(simulate(created._learning_rate, 41), rates(decay, 40) / 4, rtol=1e-5)


def test_schedule_object_is_used_unchanged():
    schedule = OneCycle(0.5, 40)
    assert make_optimizer("adamw", learning_rate=schedule, weight_decay=0.1)._learning_rate is schedule


def test_schedules_count_batches_with_gradient_accumulation():
    """The docstring of `optimizer` describes this behavior of Keras."""
    schedule = keras.optimizers.schedules.PolynomialDecay(0.5, 10, end_learning_rate=0.0)
    created, weight, changes = keras.optimizers.SGD(schedule, gradient_accumulation_steps=2), keras.Variable(0.0), []
    for _ in range(4):
        previous = float(weight)
        created.apply([np.float32(1.0)], [weight])
        changes.append(previous - float(weight))
    np.testing.assert_allclose(changes, [0, 0.45, 0, 0.35], rtol=1e-5)


@pytest.mark.parametrize("decay", DECAYS)
def test_steps_use_the_rate_of_the_schedule(decay):
    created = make_optimizer("sgd", learning_rate=0.5, decay=decay, steps=40)
    weight, changes = keras.Variable(0.0), []
    for _ in range(4):
        previous = float(weight)
        created.apply([np.float32(1.0)], [weight])
        changes.append(previous - float(weight))
    expected = [0.5] * 4 if decay in ("none", "plateau") else rates(decay, 40)[:4]
    np.testing.assert_allclose(changes, expected, rtol=1e-4)


@pytest.mark.parametrize("decay", DECAYS)
def test_optimizer_is_restored_from_its_config(decay):
    created = make_optimizer("adamw", learning_rate=0.5, decay=decay, weight_decay=0.1, global_clipnorm=2.0, steps=40)
    loaded = keras.optimizers.deserialize(keras.optimizers.serialize(created))
    assert loaded.get_config() == created.get_config()
    if decay not in ("none", "plateau"):
        assert simulate(loaded._learning_rate, 41).tolist() == rates(decay, 40).tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "sgdd"}, "`name` must be one of sgd, momentum, .*, lion. Received: 'sgdd'"),
        ({"learning_rate": 0}, "must be above 0, .* Received: learning_rate=0, global_clipnorm=None, weight_decay=0.0"),
        ({"learning_rate": float("nan")}, "Received: learning_rate=nan"),
        ({"global_clipnorm": 0.0}, "Received: learning_rate=0.001, global_clipnorm=0.0"),
        ({"weight_decay": -0.1}, "`weight_decay` at least 0. Received: .*weight_decay=-0.1"),
        ({"weight_decay": float("nan")}, "`weight_decay` at least 0. Received: .*weight_decay=nan"),
        ({"weight_decay": 2.0, "learning_rate": 0.5}, "must be below 1. Received: weight_decay=2.0, learning_rate=0.5"),
        ({"decay": "square"}, "`decay` must be one of none, exponential, .*, plateau. Received: 'square'"),
        ({"decay": "plateau", "learning_rate": OneCycle(0.5, 9)}, "needs decay='none', .* learning_rate=OneCycle"),
        ({"decay": "cosine"}, "`steps`, .* must be at least 1 for decay='cosine'. Received: None"),
        ({"decay": "exponential", "steps": 0}, "for decay='exponential'. Received: 0"),
        ({"decay": "step", "steps": -5}, "for decay='step'. Received: -5"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_optimizer(**arguments)
