"""Trainings that are compared between devices, run in processes of their own."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
ROWS, BATCH, EPOCHS = 53, 13, 4  # 20 steps; the last batch of an epoch has one row, so that a replica has none


# the cases: functions that return a compiled model


def make_rows():
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 6)).astype("float32")
    return x, (x[:, 0] * x[:, 1]).astype("float32"), random.uniform(0, 2, ROWS).astype("float32")


def dense_model(optimizer, **options):
    """A model with L2, batch statistics, metrics that are means and one that is not."""
    import keras

    layers = [keras.layers.Dense(16, "relu", kernel_regularizer="l2"), keras.layers.BatchNormalization()]
    model = keras.Sequential([keras.Input((6,)), *layers, keras.layers.Dense(1)])
    model.compile(optimizer, "mse", metrics=["mae", "r2_score"], weighted_metrics=["mse"], **options)
    return model


def adamw():
    import keras

    return dense_model(keras.optimizers.AdamW(0.01, global_clipnorm=0.05))


def sum_loss():
    """A loss that is a sum over the batch, not a mean."""
    import keras

    model = dense_model(keras.optimizers.SGD(1e-3))
    model.compile(model.optimizer, keras.losses.MeanSquaredError(reduction="sum"))
    return model


def weighted_loss():
    """A loss that is divided by the sum of the sample weights."""
    import keras

    model = dense_model(keras.optimizers.Adam(0.01, clipvalue=0.02))
    model.compile(model.optimizer, keras.losses.MeanSquaredError(reduction="mean_with_sample_weight"))
    return model


def gradient_accumulation():
    import keras

    return dense_model(keras.optimizers.Adam(0.01, gradient_accumulation_steps=3))


def weight_averaging():
    import keras

    return dense_model(keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=4))


def embedding():
    """Sparse gradients of an embedding, a mask, and a loop inside the loop of steps."""
    import keras

    layers = [keras.layers.Embedding(30, 8, mask_zero=True), keras.layers.LSTM(8), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((6,), dtype="int32"), *layers])
    model.compile(keras.optimizers.AdamW(0.01, global_clipnorm=0.05), "mse")
    return model


def gan():
    """A custom `train_step`, two optimizers first used in it, and gradients through one model into another."""
    import keras
    import tensorflow as tf

    class Gan(keras.Model):
        def __init__(self):
            super().__init__()
            layers = keras.layers
            self.generator = keras.Sequential([keras.Input((3,)), layers.Dense(8, "relu"), layers.Dense(6)])
            self.discriminator = keras.Sequential(
                [keras.Input((6,)), layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dense(1)]
            )
            self.discriminator_optimizer = keras.optimizers.Adam(0.01)
            self.generator_optimizer = keras.optimizers.AdamW(0.01)
            self.tracker = keras.metrics.Mean(name="generator_loss")

        def train_step(self, data):
            x, _, _ = data
            cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
            with tf.GradientTape() as tape:
                real = self.discriminator(x, training=True)
                fake = self.discriminator(self.generator(x[:, :3]), training=True)
                loss = cross_entropy(tf.ones_like(real), real) + cross_entropy(tf.zeros_like(fake), fake)
            weights = self.discriminator.trainable_variables
            self.discriminator_optimizer.apply(tape.gradient(loss, weights), weights)
            with tf.GradientTape() as tape:
                fake = self.discriminator(self.generator(x[:, :3], training=True), training=True)
                loss = cross_entropy(tf.ones_like(fake), fake)
            weights = self.generator.trainable_variables
            self.generator_optimizer.apply(tape.gradient(loss, weights), weights)
            self.tracker.update_state(loss)
            return self.get_metrics_result()

    model = Gan()
    model.compile()
    return model


def train(make_model):
    """Return weights, states of the optimizer and learning curves after twenty steps."""
    import keras

    from tfkit.training import devices, fit, seeding

    seeding.seed_everything(seed=1)
    with devices.strategy_scope():
        model = make_model()
    x, y, weight = make_rows()
    if make_model is embedding:
        x = np.abs(9 * x).astype("int32") % 30
    validation = {} if make_model is gan else {"validation_data": (x[:17], y[:17], weight[:17])}
    history = fit.fit(model, x, y, sample_weight=weight, batch_size=BATCH, epochs=EPOCHS, seed=3, **validation).history
    arrays = [*model.weights, *(model.optimizer.variables if model.optimizer else [])]
    return [*(keras.ops.convert_to_numpy(array) for array in arrays), *map(np.array, history.values())]


# special cases: functions that return arrays


def even_batches():
    """Train without clipping and batch statistics on even shards, for which Keras' own step is exact too."""
    import keras

    from tfkit.training import devices, fit, seeding

    seeding.seed_everything(seed=1)
    with devices.strategy_scope():
        layers = [keras.layers.Dense(16, "relu", kernel_regularizer="l2"), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((6,)), *layers])
        model.compile(keras.optimizers.AdamW(0.01), "mse", metrics=["mae"])
    x, y, _ = make_rows()
    history = fit.fit(
        model, x[:50], y[:50], batch_size=10, epochs=EPOCHS, seed=3, validation_data=(x[:16], y[:16])
    ).history
    return [*model.get_weights(), *map(np.array, history.values())]


def dropout_masks():
    """Return the dropout masks of two steps, of the same two steps after seeding again, and the seeds of replicas."""
    import keras
    import tensorflow as tf

    from tfkit.training import devices, seeding
    from tfkit.training.replicas import scope as replicas_scope

    masks = []
    for _ in range(2):
        seeding.seed_everything(seed=1)
        with devices.strategy_scope():
            model = keras.Sequential([keras.Input((40,)), keras.layers.Dropout(0.5)])
        with replicas_scope.replica_context(model) as context:
            step = tf.function(context(lambda x, model=model: model(x, training=True)), autograph=False)
            masks += [step(tf.ones((6, 40))).numpy() for _ in range(2)]
    strategy = replicas_scope.strategy_of(model)
    [seed] = [v for v in model.non_trainable_variables if "seed_generator" in v.path]
    return [*masks, *(state.numpy() for state in strategy.experimental_local_results(seed._value))]


def error_messages():
    """Return the error messages of models that replicas cannot train."""
    import keras
    import tensorflow as tf

    from tfkit.errors import UserError
    from tfkit.training import devices, fit

    class NoModelCall(keras.Model):
        def train_step(self, data):
            return {"loss": tf.reduce_mean(data[0])}

    class AddLoss(keras.layers.Layer):
        def call(self, x):
            self.add_loss(keras.ops.mean(x))
            return x

    class ScalarOutput(keras.Model):
        def call(self, x):
            return keras.ops.mean(x)

        def train_step(self, data):
            return {"loss": self(data[0])}

    class GradientPenalty(keras.Model):
        def __init__(self):
            super().__init__()
            self.critic = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)])

        def train_step(self, data):
            with tf.GradientTape() as outer:
                with tf.GradientTape() as tape:
                    tape.watch(data[0])
                    score = self.critic(data[0], training=True)
                penalty = tf.reduce_sum(tape.gradient(score, data[0]) ** 2)
            weights = self.critic.trainable_variables
            self.optimizer.apply(outer.gradient(penalty, weights), weights)
            return {"loss": penalty}

    def small_model(layer):
        return keras.Sequential([keras.Input((6,)), keras.layers.Dense(1), layer])

    strategy, messages = devices._selected["strategy"], []
    for make_model, scope in (
        (NoModelCall, devices.strategy_scope),
        (lambda: small_model(AddLoss()), devices.strategy_scope),
        (ScalarOutput, devices.strategy_scope),
        (GradientPenalty, devices.strategy_scope),
        (lambda: small_model(keras.layers.ReLU()), strategy.scope),
    ):
        with scope():
            model = make_model()
            model.compile("sgd", "mse")
        with pytest.raises((ValueError, UserError)) as error:
            fit.fit(model, *make_rows()[:2])
        messages.append(str(error.value))
    return [np.array(messages)]


def overflow():
    """Return weights and loss scale after a step in half precision in which only the second replica overflows."""
    import keras

    from tfkit.training import devices, fit, seeding

    with seeding.precision_policy("mixed_float16"), devices.strategy_scope():
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, kernel_initializer="ones")])
        model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=1024.0), "mse")
    x = np.zeros((2, 6), "float32")
    x[np.random.default_rng((0, 0)).permutation(2)[1]] = 1000.0  # the row of the second replica
    fit.fit(model, x, np.zeros(2, "float32"), batch_size=2)
    return [*model.get_weights(), model.optimizer.dynamic_scale.numpy()]


# processes


def main(device, out, names):
    """Run the named cases on a device and save their arrays."""
    from tfkit.training import devices

    devices.select_devices(device)
    special_cases = {case.__name__: case for case in (even_batches, dropout_masks, error_messages, overflow)}
    results = {name: special_cases[name]() if name in special_cases else train(globals()[name]) for name in names}
    np.savez(out, **{f"{name} {i:03d}": array for name, arrays in results.items() for i, array in enumerate(arrays)})


def run_processes(*arguments, workers=1, **environment):
    """Run a module in one process, or in several workers, and return their outputs; an error fails the test."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT), **environment}
    cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(workers)]}
    processes = []
    for index in range(workers):
        tf_config = {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})}
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", *[argument.format(index=index) for argument in arguments]],
                cwd=ROOT,
                text=True,
                env=environment | (tf_config if workers > 1 else {}),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
    outputs = [process.communicate(timeout=600) for process in processes]
    return_codes = [process.returncode for process in processes]
    assert return_codes == [0] * workers, [stderr[-2000:] for _, stderr in outputs]
    return [stdout for stdout, _ in outputs]


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def run_cases(device, out, names, workers=1, **environment):
    """Run cases in processes; return for each worker a dictionary from name to arrays."""
    run_processes(
        "tests.training.replicas.replica_cases", device, f"{out}.{{index}}.npz", *names, workers=workers, **environment
    )
    results = []
    for index in range(workers):
        with np.load(f"{out}.{index}.npz", allow_pickle=False) as arrays:
            results.append({name: [arrays[key] for key in arrays if key.split()[0] == name] for name in names})
    return results


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
