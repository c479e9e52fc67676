"""Several replicas against one device, each in a process of its own: `python -m tests.test_replicas DEVICE ...`."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
ROWS, BATCH, EPOCHS = 53, 13, 4  # 20 steps; the last of an epoch has one row, so that a replica has none
PAGES = [
    ["tabular", {"body": "mlp", "units": 16, "depth": 2, "l2": 0.001, "clip_norm": 0.1, "class_weights": True}],
    ["tabular", {"units": 16, "depth": 2, "members": 3, "clip_norm": 0.1}],
    ["image", {"filters": [4, 8], "clip_norm": 0.1, "mixup": 0.2}],
    ["image", {"body": "transformer", "units": 16, "depth": 1, "class_weights": True, "optimizer": "momentum"}],
    ["text", {"units": 16, "vocabulary": 200, "num_ngrams": 500, "ngram_dim": 8, "clip_norm": 0.1, "l2": 0.001}],
    ["text", {"encoder": "lstm", "units": 8, "vocabulary": 200, "ngrams": "none", "max_length": 30}],
    ["series", {"features": 84, "head": "trained"}],
    ["series", {"body": "convolution", "units": 8, "depth": 1, "class_weights": True, "clip_norm": 0.1}],
    ["forecast", {"past": 24, "horizon": 6}],
    ["forecast", {"past": 24, "horizon": 6, "body": "lstm", "units": 8, "optimizer": "lion"}],
]


# what each side does


def rows():
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 6)).astype("float32")
    return x, (x[:, 0] * x[:, 1]).astype("float32"), random.uniform(0, 2, ROWS).astype("float32")


def network(optimizer, **options):
    """L2, batch statistics, and metrics that are means and one that is none."""
    import keras

    layers = [keras.layers.Dense(16, "relu", kernel_regularizer="l2"), keras.layers.BatchNormalization()]
    model = keras.Sequential([keras.Input((6,)), *layers, keras.layers.Dense(1)])
    model.compile(optimizer, "mse", metrics=["mae", "r2_score"], weighted_metrics=["mse"], **options)
    return model


def plain():
    import keras

    return network(keras.optimizers.AdamW(0.01, global_clipnorm=0.05))


def summed():
    """A loss that is a sum, no mean."""
    import keras

    model = network(keras.optimizers.SGD(1e-3))
    model.compile(model.optimizer, keras.losses.MeanSquaredError(reduction="sum"))
    return model


def weighed():
    """A loss that is divided by the weights of the rows."""
    import keras

    model = network(keras.optimizers.Adam(0.01, clipvalue=0.02))
    model.compile(model.optimizer, keras.losses.MeanSquaredError(reduction="mean_with_sample_weight"))
    return model


def accumulated():
    import keras

    return network(keras.optimizers.Adam(0.01, gradient_accumulation_steps=3))


def averaged():
    import keras

    return network(keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=4))


def sparse():
    """Slopes of an embedding, a mask, and a loop in the loop."""
    import keras

    layers = [keras.layers.Embedding(30, 8, mask_zero=True), keras.layers.LSTM(8), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((6,), dtype="int32"), *layers])
    model.compile(keras.optimizers.AdamW(0.01, global_clipnorm=0.05), "mse")
    return model


def gan():
    """A `train_step` of its own, two optimizers that are first used in it, and slopes through one model to another."""
    import keras
    import tensorflow as tf

    class Gan(keras.Model):
        def __init__(self):
            super().__init__()
            layers = keras.layers
            self.generator = keras.Sequential([keras.Input((3,)), layers.Dense(8, "relu"), layers.Dense(6)])
            self.judge = keras.Sequential(
                [keras.Input((6,)), layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dense(1)]
            )
            self.first, self.second = keras.optimizers.Adam(0.01), keras.optimizers.AdamW(0.01)
            self.tracker = keras.metrics.Mean(name="generator_loss")

        def train_step(self, data):
            x, _, _ = data
            cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
            with tf.GradientTape() as tape:
                real, made = self.judge(x, training=True), self.judge(self.generator(x[:, :3]), training=True)
                loss = cross_entropy(tf.ones_like(real), real) + cross_entropy(tf.zeros_like(made), made)
            weights = self.judge.trainable_variables
            self.first.apply(tape.gradient(loss, weights), weights)
            with tf.GradientTape() as tape:
                made = self.judge(self.generator(x[:, :3], training=True), training=True)
                loss = cross_entropy(tf.ones_like(made), made)
            weights = self.generator.trainable_variables
            self.second.apply(tape.gradient(loss, weights), weights)
            self.tracker.update_state(loss)
            return self.get_metrics_result()

    model = Gan()
    model.compile()
    return model


def trained(make):
    """Weights, states of the optimizer and curves after twenty steps."""
    import keras

    from tfkit import devices, loop

    devices.set_up(seed=1)
    with devices.scope():
        model = make()
    x, y, weight = rows()
    if make is sparse:
        x = np.abs(9 * x).astype("int32") % 30
    watched = {} if make is gan else {"validation_data": (x[:17], y[:17], weight[:17])}
    history = loop.fit(model, x, y, sample_weight=weight, batch_size=BATCH, epochs=EPOCHS, seed=3, **watched).history
    arrays = [*model.weights, *(model.optimizer.variables if model.optimizer else [])]
    return [*(keras.ops.convert_to_numpy(array) for array in arrays), *map(np.array, history.values())]


def masks():
    """What is left of ones after dropout: of all rows twice, of all rows again from the start, and both seeds after."""
    import keras
    import tensorflow as tf

    from tfkit import devices, replicas

    found = []
    for _ in range(2):
        devices.set_up(seed=1)
        with devices.scope():
            model = keras.Sequential([keras.Input((40,)), keras.layers.Dropout(0.5)])
        with replicas.spread(model) as spread:
            step = tf.function(spread(lambda x, model=model: model(x, training=True)), autograph=False)
            found += [step(tf.ones((6, 40))).numpy() for _ in range(2)]
    strategy = replicas.strategy_of(model)
    [seed] = [v for v in model.non_trainable_variables if "seed_generator" in v.path]
    return [*found, *(part.numpy() for part in strategy.experimental_local_results(seed._value))]


def refusals():
    """What is said of models that replicas cannot share."""
    import keras
    import tensorflow as tf

    from tfkit import devices, loop
    from tfkit.errors import UserError

    class Alone(keras.Model):
        def train_step(self, data):
            return {"loss": tf.reduce_mean(data[0])}

    class Adding(keras.layers.Layer):
        def call(self, x):
            self.add_loss(keras.ops.mean(x))
            return x

    class One(keras.Model):
        def call(self, x):
            return keras.ops.mean(x)

        def train_step(self, data):
            return {"loss": self(data[0])}

    class Penalty(keras.Model):
        def __init__(self):
            super().__init__()
            self.judge = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)])

        def train_step(self, data):
            with tf.GradientTape() as outer:
                with tf.GradientTape() as tape:
                    tape.watch(data[0])
                    said = self.judge(data[0], training=True)
                penalty = tf.reduce_sum(tape.gradient(said, data[0]) ** 2)
            weights = self.judge.trainable_variables
            self.optimizer.apply(outer.gradient(penalty, weights), weights)
            return {"loss": penalty}

    def small(layer):
        return keras.Sequential([keras.Input((6,)), keras.layers.Dense(1), layer])

    strategy, said = devices._chosen["strategy"], []
    for make, scope in (
        (Alone, devices.scope),
        (lambda: small(Adding()), devices.scope),
        (One, devices.scope),
        (Penalty, devices.scope),
        (lambda: small(keras.layers.ReLU()), strategy.scope),
    ):
        with scope():
            model = make()
            model.compile("sgd", "mse")
        with pytest.raises((ValueError, UserError)) as caught:
            loop.fit(model, *rows()[:2])
        said.append(str(caught.value))
    return [np.array(said)]


def overflow():
    """Half precision, where the rows of one replica alone overflow: weights and the scale of the loss after a step."""
    import keras

    from tfkit import devices, loop

    with devices.precision("mixed_float16"), devices.scope():
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, kernel_initializer="ones")])
        model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=1024.0), "mse")
    x = np.zeros((2, 6), "float32")
    x[np.random.default_rng((0, 0)).permutation(2)[1]] = 1000.0  # the row of the second replica
    loop.fit(model, x, np.zeros(2, "float32"), batch_size=2)
    return [*model.get_weights(), model.optimizer.dynamic_scale.numpy()]


def side(device, out, names):
    """Do the named things on a device and put down what comes of them."""
    from tfkit import devices

    devices.choose(device)
    special = {"masks": masks, "refusals": refusals, "overflow": overflow}
    done = {name: special[name]() if name in special else trained(globals()[name]) for name in names}
    np.savez(out, **{f"{name} {i:03d}": array for name, arrays in done.items() for i, array in enumerate(arrays)})


# both sides


def process(*words, workers=1):
    """Run a module as one process, or as several workers; an error of one is the error of the test."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(workers)]}
    running = []
    for index in range(workers):
        told = {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})}
        running.append(
            subprocess.Popen(
                [sys.executable, "-m", *[word.format(index=index) for word in words]],
                cwd=ROOT,
                text=True,
                env=environment | (told if workers > 1 else {}),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
    said = [each.communicate(timeout=600) for each in running]
    assert [each.returncode for each in running] == [0] * workers, [words[1][-2000:] for words in said]
    return [words[0] for words in said]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def run(device, out, names, workers=1):
    """What a device makes of each name, computed by processes of their own."""
    process("tests.test_replicas", device, f"{out}.{{index}}.npz", *names, workers=workers)
    found = []
    for index in range(workers):
        with np.load(f"{out}.{index}.npz", allow_pickle=False) as arrays:
            found.append({name: [arrays[key] for key in arrays if key.split()[0] == name] for name in names})
    return found


def assert_same(one, other):
    assert len(one) == len(other) > 0
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What two replicas make of the fast cases."""
    return run("mirrored:2", tmp_path_factory.mktemp("two") / "of", ["plain", "masks", "refusals"])[0]


def test_two_replicas_train_what_one_device_trains(two):
    assert_same(two["plain"], trained(plain))


def test_masks_differ_between_replicas_and_repeat_with_the_seed(two):
    first, second, again, _, *seeds = two["masks"]
    assert set(np.unique(first)) == {0.0, 2.0}
    assert not np.array_equal(first[:3], first[3:])
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(*seeds)  # afterwards they are alike again


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (0, "a `train_step` must call a keras.Model with rows"),
        (1, "a layer must add no loss of what it sees"),
        (2, "a model must answer row by row"),
        (3, "must take no slope of a slope"),
        (4, "must be made and compiled inside `tfkit.replicas.scope"),
    ],
    ids=["no model", "add_loss", "one number", "penalty", "plain scope"],
)
def test_what_replicas_cannot_share_is_refused(two, place, words):
    said = str(two["refusals"][0][place])
    assert words in said
    assert "\n" not in said


CASES = ["plain", "summed", "weighed", "accumulated", "averaged", "sparse", "gan"]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """What one device makes of all cases."""
    return run("cpu", tmp_path_factory.mktemp("one") / "of", CASES)[0]


@pytest.mark.long
@pytest.mark.parametrize("replicas", [2, 3])
def test_replicas_train_what_one_device_trains(replicas, one, tmp_path):
    [several] = run(f"mirrored:{replicas}", tmp_path / "of", CASES)
    for name in CASES:
        assert_same(several[name], one[name])


@pytest.mark.long
def test_two_workers_train_what_one_device_trains(one, tmp_path):
    for several in run("multiworker", tmp_path / "of", CASES, workers=2):
        for name in CASES:
            assert_same(several[name], one[name])


@pytest.mark.long
def test_where_one_replica_overflows_no_weight_moves_and_the_loss_is_scaled_less(tmp_path):
    kernel, bias, scale = run("mirrored:2", tmp_path / "of", ["overflow"])[0]["overflow"]
    assert (kernel == 1).all()
    assert (bias == 0).all()
    assert scale == 512


@pytest.mark.long
@pytest.mark.parametrize(("device", "workers"), [("mirrored:2", 1), ("multiworker", 2)])
def test_every_page_has_the_weights_of_one_device_after_twenty_steps(device, workers, tmp_path, pages):
    from tfkit.checks.replicas import differences

    task = {"do": "steps", "device": device, "cases": PAGES}
    process("tfkit.checks.child", json_of({**task, "out": str(tmp_path / "of-{index}.npz")}), workers=workers)
    for index in range(workers):
        assert differences(pages, tmp_path / f"of-{index}.npz", 1e-5) == [""] * len(PAGES)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The steps of every page on one device."""
    out = tmp_path_factory.mktemp("pages") / "one.npz"
    process("tfkit.checks.child", json_of({"do": "steps", "device": "cpu", "cases": PAGES, "out": str(out)}))
    return out


def json_of(task):
    """JSON that `str.format` leaves alone, but for `{index}`."""
    return json.dumps(task).replace("{", "{{").replace("}", "}}").replace("{{index}}", "{index}")


if __name__ == "__main__":
    side(sys.argv[1], sys.argv[2], sys.argv[3:])
