import json
import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfkit.callbacks import StopOnNonFinite
from tfkit.errors import NotFiniteError
from tfkit.optimizers import optimizer
from tfkit.training import checkpoint as training_checkpoint
from tfkit.training import fit as training_fit

NAN = float("nan")
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(53, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def drive(callback, losses, name="loss"):
    """Feed it the losses of calls, three to an epoch."""
    for call, loss in enumerate(losses):
        if call % 3 == 0:
            callback.on_epoch_begin(call // 3)
        callback.on_train_batch_end(call % 3, {"accuracy": float("nan"), name: loss})


@pytest.mark.parametrize("kind", [float, np.float32, tf.constant])
def test_finite_losses_pass(kind):
    drive(StopOnNonFinite(), [kind(v) for v in (1.0, -3.0, 0.0, 1e30)])
    StopOnNonFinite().on_train_batch_end(0, None)


@pytest.mark.parametrize("kind", [float, np.float32, tf.constant])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_the_first_loss_that_is_not_finite_ends_training_with_a_word(kind, bad):
    callback = StopOnNonFinite()
    drive(callback, [kind(1.0)] * 4)
    with pytest.raises(ArithmeticError, match=rf"^The loss must stay finite; loss became {bad} in epoch 2\."):
        callback.on_train_batch_end(1, {"loss": kind(bad)})


def test_losses_of_a_train_step_of_ones_own_are_watched():
    with pytest.raises(ArithmeticError, match="generator_loss became nan in epoch 1"):
        drive(StopOnNonFinite(), [float("nan")], name="generator_loss")


def test_the_error_may_be_ones_own():
    with pytest.raises(NotFiniteError, match="must stay finite"):
        drive(StopOnNonFinite(NotFiniteError), [float("nan")])


# going back


def network(rate=0.1, wrap=lambda adam: adam):
    """A small model with all that has a state of its own, built and compiled."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(3, name="hidden"), keras.layers.BatchNormalization(name="norm")]
    layers += [keras.layers.Dropout(0.5), keras.layers.Dense(1, name="head")]
    model = keras.Sequential([keras.Input((4,)), *layers], name="net")
    model.compile(wrap(keras.optimizers.Adam(rate, name="adam")), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def values(model):
    """All that training changes, but the rate and the random states, by path."""
    variables = [*model.variables, *model.optimizer.variables]
    return {v.path: v.numpy() for v in variables if not v.path.endswith(("learning_rate", "generator_state"))}


def move(model, by):
    """What a step may do: every number changes."""
    for variable in [*model.variables, *model.optimizer.variables]:
        if not variable.path.endswith("learning_rate"):
            variable.assign(variable + (by if "float" in variable.dtype else 1))


def begin(callback, model):
    callback.set_model(model)
    callback.set_params({})
    callback.on_train_begin()
    return callback


def epoch(callback, number, losses, *, end=None):
    """An epoch whose calls have these running losses; a loss that is not finite spoils every weight."""
    callback.on_epoch_begin(number)
    for call, loss in enumerate(losses):
        move(callback.model, 1 if np.isfinite(loss) else NAN)
        callback.on_train_batch_end(call, {"loss": loss})
    callback.on_epoch_end(number, {"loss": losses[-1] if end is None else end})


@pytest.mark.parametrize("rate", [0.5, "cosine"])
@pytest.mark.parametrize("wrap", [lambda o: o, keras.optimizers.LossScaleOptimizer], ids=["float32", "float16"])
def test_all_goes_back_to_where_the_last_good_epoch_ended_and_the_rate_is_cut(wrap, rate):
    rate = optimizer("sgd", learning_rate=0.5, decay=rate, steps=100)._learning_rate if rate == "cosine" else rate
    callback = begin(StopOnNonFinite(retries=2, factor=0.5), model := network(rate, wrap))
    optimizer_ = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    epoch(callback, 0, [1.0, 0.9])
    good, before = values(model), float(optimizer_.learning_rate)
    seeds = [v.numpy() for v in model.variables if "seed" in v.path]
    callback.on_epoch_begin(1)
    move(model, 1)
    callback.on_train_batch_end(0, {"loss": 0.8})
    move(model, NAN)
    callback.on_train_batch_end(1, {"loss": NAN})
    for path, value in values(model).items():
        np.testing.assert_array_equal(value, good[path])
    callback.on_epoch_end(1, {"loss": NAN})
    assert float(optimizer_.learning_rate) == pytest.approx(before / 2)
    assert callback.retried == 1
    assert (np.array(seeds) != [v.numpy() for v in model.variables if "seed" in v.path]).any()
    epoch(callback, 2, [0.8, NAN])
    assert float(optimizer_.learning_rate) == pytest.approx(before / 4)
    with pytest.raises(ArithmeticError, match=r"nan in epoch 4\. .* Gone back 2 times, at last to where epoch 1 "):
        epoch(callback, 3, [NAN])
    np.testing.assert_array_equal(model.layers[0].kernel, good["net/hidden/kernel"])


@pytest.mark.parametrize(
    ("epochs", "good"),
    [
        ([[1.0, 0.9], [0.8, 0.7]], 2),
        ([[1.0, 0.9], [5.0, 2.1]], 1),  # has begun to explode
        ([[1.0, 0.9], [5.0, 1.9]], 2),
        ([[1.0, 50.0]], 0),
        ([[-1.0, -3.0], [-1.0, 0.1]], 1),  # of a loss that may be negative
        ([[NAN, NAN], [9.0, 8.0]], 2),  # the first step is the first that is finite
        ([[1.0, NAN]], 0),  # its loss is not known
        ([[1.0, 0.9], [0.9, NAN], [0.8, 0.7]], 3),
    ],
)
def test_what_a_good_epoch_is(epochs, good):
    callback = begin(StopOnNonFinite(retries=9), model := network())
    left = [values(model)]
    for number, losses in enumerate(epochs):
        epoch(callback, number, losses)
        left.append(values(model))
    assert callback.good == good
    epoch(callback, len(epochs), [NAN], end=NAN)
    for path, value in values(model).items():
        np.testing.assert_array_equal(value, left[good][path])


def test_weights_that_are_not_finite_at_the_end_of_an_epoch_go_back_too():
    callback = begin(StopOnNonFinite(retries=1), model := network())
    before = values(model)
    for part, bad in ((model.layers[1].moving_variance, np.inf), (model.optimizer.variables[-1], NAN)):
        callback.retried = 0
        callback.on_epoch_begin(0)
        part.assign(np.full(part.shape, bad))
        callback.on_train_batch_end(0, {"loss": 1.0})
        callback.on_epoch_end(0, {"loss": 1.0})
        assert callback.retried == 1
        for path, value in values(model).items():
            np.testing.assert_array_equal(value, before[path])


def test_an_epoch_that_went_back_is_watched_by_its_weights():
    """Its running loss is not finite to its end, whatever comes."""
    callback = begin(StopOnNonFinite(retries=2), model := network())
    callback.on_epoch_begin(0)
    move(model, NAN)
    callback.on_train_batch_end(0, {"loss": NAN})
    callback.on_train_batch_end(1, {"loss": NAN})
    assert callback.retried == 1
    move(model, NAN)
    callback.on_train_batch_end(2, {"loss": NAN})
    assert callback.retried == 2
    move(model, NAN)
    with pytest.raises(
        ArithmeticError,
        match=r"a weight became nan or infinite in epoch 1\. First not finite: the "
        r"weight net/hidden/kernel\. Gone back 2 times",
    ):
        callback.on_epoch_end(0, {"loss": NAN})


def test_a_new_training_has_all_its_retries_again():
    callback = begin(StopOnNonFinite(retries=1), network())
    epoch(callback, 0, [NAN])
    begin(callback, model := network())
    before = values(model)
    epoch(callback, 0, [NAN], end=NAN)
    np.testing.assert_array_equal(model.layers[0].kernel, before["net/hidden/kernel"])


def test_going_back_is_said(caplog):
    callback = begin(StopOnNonFinite(retries=3), network())
    with caplog.at_level(logging.WARNING, "tfkit"):
        epoch(callback, 0, [NAN])
        epoch(callback, 1, [1.0])
        epoch(callback, 2, [float("inf")])
    assert [record.getMessage().partition("; ")[2] for record in caplog.records] == [
        "loss became nan in epoch 1: back to where training began, at 0.3 times the learning rate and with clipped "
        "gradients (1 of 3)",
        "loss became inf in epoch 3: back to where epoch 2 ended, at 0.3 times the learning rate and with clipped "
        "gradients (2 of 3)",
    ]


@pytest.mark.parametrize(("fit", "decay"), [("Keras' own", "linear"), ("compiled", "linear"), ("compiled", "none")])
def test_a_rate_that_is_far_too_high_is_cut_until_training_succeeds(fit, decay):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(optimizer("sgd", learning_rate=1e9, decay=decay, steps=70), "mse")
    callback = StopOnNonFinite(retries=5, factor=0.01)
    run = model.fit if fit == "Keras' own" else lambda *data, **options: training_fit.fit(model, *data, **options)
    history = run(X, Y, batch_size=8, epochs=10, validation_data=(X, Y), callbacks=[callback], verbose=0).history
    assert 1 <= callback.retried <= 5
    assert history["val_loss"][-1] < 1 < float(np.mean(Y**2))


class Killed(Exception):
    """What stands for the end of the process."""


class Kill(keras.callbacks.Callback):
    def __init__(self, call):
        super().__init__()
        self.left = call

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.fixture
def two_steps_a_call(monkeypatch):
    start = training_fit._Order.begin

    def begin(self, number):
        start(self, number)
        self.a_call = 2

    monkeypatch.setattr(training_fit._Order, "begin", begin)
    monkeypatch.setattr(training_fit._Order, "pace", lambda self, seconds: None)
    monkeypatch.setattr(training_checkpoint, "SECONDS_BETWEEN", -1.0)
    monkeypatch.setattr(training_checkpoint, "MINUTES_INSIDE", -1.0)


@pytest.mark.slow
@pytest.mark.parametrize(("decay", "kills"), [("none", [2]), ("cosine", [1, 5])])
def test_going_on_after_a_kill_goes_back_as_never_having_stopped(decay, kills, tmp_path, two_steps_a_call):
    def train(folder, kill=None):
        rate = optimizer("sgd", learning_rate=0.05, decay=decay, steps=28)._learning_rate
        model, place = network(0.05 if decay == "none" else rate), training_fit.Place()
        callback = StopOnNonFinite(retries=4, factor=0.5)
        checkpoint = training_checkpoint.Checkpoint(folder, place, [callback])

        def poison(batch, logs):
            if (place.epoch, place.done) in ((0, 16), (1, 16), (1, 48), (2, 32)):
                move(model, NAN)
                logs["loss"] = NAN

        checkpoint.restore(model)
        callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=poison), callback]
        callbacks += [checkpoint, *([Kill(kill)] if kill else [])]
        history = training_fit.fit(
            model, X, Y, batch_size=8, epochs=4, callbacks=callbacks, place=place, seed=2, initial_epoch=place.epoch
        )
        return callback, values(model), float(model.optimizer.learning_rate), history.history["loss"][-1]

    whole, expected, *rest = train(tmp_path / "whole")
    assert whole.retried == 4
    for kill in kills:
        with pytest.raises(Killed):
            train(tmp_path / "killed", kill)
    last, found, *others = train(tmp_path / "killed")
    assert (last.retried, last.good, last.first, *others) == (whole.retried, whole.good, whole.first, *rest)
    for path, value in found.items():
        np.testing.assert_array_equal(value, expected[path])


def test_its_state_is_plain_values_and_arrays():
    callback = begin(StopOnNonFinite(retries=2), network())
    epoch(callback, 0, [1.0, 0.5])
    assert callback.state()["weights"] is None  # the model's own
    callback.on_train_batch_end(0, {"loss": 0.5})
    state = callback.state()
    assert all(isinstance(value, np.ndarray) for value in map(np.asarray, state.pop("weights")))
    assert json.loads(json.dumps(state)) == state


# what is to blame


def nested(function, dtype="float32"):
    """A model in a model, with this function in the middle of the inner."""
    inner_input = keras.Input((4,))
    inner = keras.Model(inner_input, keras.layers.Dense(1, name="out")(function(inner_input)), name="inner")
    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, keras.layers.Dense(1, name="head")(inner(keras.layers.Dense(4, name="first")(inputs))))
    model.compile("sgd", "mse")
    return model


def blame(model, callback):
    callback.set_model(model)
    callback.set_params({})
    callback.on_train_begin()
    with pytest.raises(ArithmeticError) as raised:
        callback.on_train_batch_end(0, {"loss": NAN})
    return str(raised.value).split("epoch 1. ")[1].partition("Lower ")[0].strip()


@pytest.mark.parametrize("sample", [X, (X, Y), (X, Y, None)], ids=["x", "x y", "x y weight"])
def test_the_first_layer_that_is_not_finite_is_named(sample):
    model = nested(lambda x: keras.layers.Activation(keras.ops.log, name="logarithm")(x))
    assert blame(model, StopOnNonFinite(sample=sample)) == "First not finite: inner/logarithm."


def test_without_rows_the_first_weight_is_named():
    model = network()
    model.layers[1].gamma.assign([1.0, NAN, 1.0])
    model.layers[3].kernel.assign(np.full((3, 1), NAN))
    assert blame(model, StopOnNonFinite()) == "First not finite: the weight net/norm/gamma."
    assert blame(network(), StopOnNonFinite()) == ""


def test_the_rows_may_be_to_blame():
    bad = np.where(np.eye(53, 4), NAN, X)
    assert blame(network(), StopOnNonFinite(sample=bad)) == "First not finite: input."
    assert blame(network(), StopOnNonFinite(sample=(X, Y * np.inf))) == "First not finite: the target of the sample."


def test_the_last_good_weights_are_asked_too():
    """Weights that are NaN all over would blame the first layer."""
    model = nested(lambda x: keras.layers.Activation(keras.ops.log, name="logarithm")(x))
    callback = StopOnNonFinite(retries=1, sample=X)
    callback.set_model(model)
    callback.set_params({})
    callback.on_train_begin()
    move(model, NAN)
    callback.on_train_batch_end(0, {"loss": NAN})
    move(model, NAN)
    with pytest.raises(ArithmeticError, match="First not finite: inner/logarithm"):
        callback.on_train_batch_end(1, {"loss": NAN})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StopOnNonFinite(retries=-1), r"`retries` must be at least 0 and `factor` in \(0, 1\). .* retries=-1"),
        (lambda: StopOnNonFinite(factor=1.0), r"`factor` in \(0, 1\). Received: retries=0, factor=1.0"),
        (lambda: StopOnNonFinite(factor=0.0), "factor=0.0"),
        (
            lambda: begin(StopOnNonFinite(retries=1), network(keras.optimizers.schedules.CosineDecay(0.1, 9))),
            r"Scaled\(schedule\). Received: CosineDecay",
        ),
        (
            lambda: begin(StopOnNonFinite(retries=1), keras.Sequential([keras.layers.Dense(1)], name="unbuilt")),
            "`retries` needs a model that is built and compiled .* Received: unbuilt",
        ),
        (
            lambda: begin(StopOnNonFinite(retries=1), keras.Sequential([keras.Input((1,))], name="bare")),
            "`retries` needs a model that is built and compiled .* Received: bare",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_training(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_gradients_are_clipped_after_going_back_but_not_where_they_are_clipped_already():
    callback = begin(StopOnNonFinite(retries=3, factor=0.5), model := network())
    assert model.optimizer.global_clipnorm is None
    epoch(callback, 0, [NAN])
    assert model.optimizer.global_clipnorm == 1.0
    epoch(callback, 1, [NAN])
    assert model.optimizer.global_clipnorm == 0.5
    for own, name in (({"clipnorm": 3.0}, "clipnorm"), ({"clipvalue": 3.0}, "clipvalue")):
        model = network(wrap=lambda adam, own=own: keras.optimizers.Adam(0.1, name="adam", **own))
        epoch(begin(StopOnNonFinite(retries=1), model), 0, [NAN])
        assert (getattr(model.optimizer, name), model.optimizer.global_clipnorm) == (3.0, None)
    model = network(wrap=lambda adam: keras.optimizers.Adam(0.1, name="adam", global_clipnorm=0.1))
    epoch(begin(StopOnNonFinite(retries=1, factor=0.5), model), 0, [NAN])
    assert model.optimizer.global_clipnorm == 0.05
    epoch(begin(StopOnNonFinite(retries=1, clip_norm=None), model := network()), 0, [NAN])
    assert model.optimizer.global_clipnorm is None


def test_the_compiled_step_clips_as_soon_as_it_is_told():
    """Gradient descent of a rate that leaps: clipped to 1e-6, no weight moves by more than the rate times that."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    seen = []

    class Clip(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            seen.append(np.concatenate([w.ravel() for w in model.get_weights()]))
            model.optimizer.global_clipnorm = 1e-6 if epoch == 1 else None

        def on_train_end(self, logs=None):
            self.on_epoch_begin(9)

    training_fit.fit(model, X, Y, batch_size=53, epochs=2, callbacks=[Clip()])
    start, middle, end = seen
    assert np.linalg.norm(middle - start) > 0.1
    assert np.linalg.norm(end - middle) == pytest.approx(1e-6, rel=0.2)


def test_when_it_gives_up_it_leaves_what_can_be_known(tmp_path):
    left = []
    model = network()
    callback = StopOnNonFinite(retries=1, sample=(X, Y), where=lambda: {"rows": [3, 5]}, report=left.append)
    begin(callback, model)
    epoch(callback, 0, [NAN])
    with pytest.raises(ArithmeticError):
        epoch(callback, 1, [NAN])
    [found] = left
    assert (found["what"], found["epoch"], found["rows"]) == ("loss became nan", 2, [3, 5])
    assert set(found["gradient_norms"]) == {w.path for w in model.trainable_variables}
    assert all(norm >= 0 for norm in found["gradient_norms"].values())
    assert any("learning_rate" in change for change in found["change"])
    json.dumps(found, allow_nan=False)


def test_what_is_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"`clip_norm` must be above 0, or None. Received: clip_norm=0"):
        StopOnNonFinite(clip_norm=0)
