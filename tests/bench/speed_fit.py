"""Benchmarks of `speed.py` on arrays: `fit` of tfkit against `fit` of Keras and a PyTorch loop."""

import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np

NUM_ROWS, NUM_COLUMNS = 50_000, 20
LONG_TRAINING_EPOCHS = 12  # epochs of 50,000 rows; in a training of this length tfkit uses fused steps
RANDOM = np.random.default_rng(0)


def mlp(args):
    """Time an MLP 20-256-128-1 with batch normalization, dropout and Adam."""
    import keras

    x, y = table(NUM_ROWS)

    def build():
        layers = keras.layers
        return keras.Sequential(
            [
                keras.Input((NUM_COLUMNS,)),
                layers.Dense(256, activation="relu"),
                layers.BatchNormalization(),
                layers.Dropout(0.1),
                layers.Dense(128, activation="relu"),
                layers.BatchNormalization(),
                layers.Dropout(0.1),
                layers.Dense(1, activation="sigmoid"),
            ]
        )

    for batch in (32, 256):
        with torch_epoch(args.torch_python, batch) as torch:
            sides = {
                "long": tfkit_epoch(build, x, y, batch, LONG_TRAINING_EPOCHS),
                "short": tfkit_epoch(build, x, y, batch),
                "keras": keras_epoch(build, x, y, batch),
                "torch": torch,
            }
            name = f"mlp, batch {batch}"
            compared = {
                name: ("long", "keras"),
                f"{name}, torch": ("long", "torch"),
                f"{name}, short": ("short", "keras"),
            }
            yield from alternate_timings(compared, sides, len(x), args.repeats)


def cnn(args):
    """Time three convolutions on images of 32 x 32 pixels."""
    import keras

    x, y = RANDOM.normal(size=(4000, 32, 32, 3)).astype("float32"), RANDOM.integers(0, 2, 4000)

    def build():
        layers = keras.layers
        convolutions = [layers.Conv2D(width, 3, strides=2, activation="relu") for width in (32, 64, 128)]
        return keras.Sequential(
            [
                keras.Input((32, 32, 3)),
                *convolutions,
                layers.GlobalAveragePooling2D(),
                layers.Dense(1, activation="sigmoid"),
            ]
        )

    yield from against_keras("cnn", build, x, y, 64, args.repeats)


def transformer(args):
    """Time two transformer blocks on series of 64 steps."""
    import keras

    x, y = series(3000)

    def build():
        layers = keras.layers
        inputs = keras.Input(x.shape[1:])
        z = layers.Dense(64)(inputs)
        for _ in range(2):
            normalized = layers.LayerNormalization()(z)
            z = z + layers.MultiHeadAttention(4, 16)(normalized, normalized)
            z = z + layers.Dense(64)(layers.Dense(128, activation="relu")(layers.LayerNormalization()(z)))
        outputs = layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling1D()(z))
        return keras.Model(inputs, outputs)

    yield from against_keras("transformer", build, x, y, 32, args.repeats)


def lstm(args):
    """Time an LSTM of 64 units on series of 64 steps."""
    import keras

    x, y = series(6000)

    def build():
        return keras.Sequential(
            [keras.Input(x.shape[1:]), keras.layers.LSTM(64), keras.layers.Dense(1, activation="sigmoid")]
        )

    yield from against_keras("lstm", build, x, y, 32, args.repeats)


def curve(args):
    """Time an epoch per row, from 10,000 rows on, at batch size 256; plot it.

    All trainings have about the same number of steps.
    """
    import keras

    def build():
        layers = [keras.layers.Dense(width, activation="relu") for width in (256, 128)]
        return keras.Sequential([keras.Input((NUM_COLUMNS,)), *layers, keras.layers.Dense(1, activation="sigmoid")])

    rows, record = 10_000, {"pair": "curve", "rows": [], "nanoseconds": []}
    while rows <= args.curve_rows:
        epoch = tfkit_epoch(build, *table(rows), 256, max(2, LONG_TRAINING_EPOCHS * NUM_ROWS // rows))
        epoch()
        seconds = statistics.median(epoch() for _ in range(args.repeats if rows <= 10**6 else 1))
        record["rows"].append(rows)
        record["nanoseconds"].append(round(seconds / rows * 1e9))
        rows *= 10
    _plot(record)
    yield record


def _plot(record):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(record["rows"], [ns / 1000 for ns in record["nanoseconds"]], "o-")
    axes.set(xscale="log", xlabel="rows", ylabel="microseconds a row", title="One epoch, batch 256")
    axes.set_ylim(bottom=0)
    figure.savefig(Path(__file__).parents[2] / "docs" / "images" / "speed.svg")


def alternate_timings(compared, sides, rows, repeats):
    """Time all sides alternately; yield a result for each pair with two sides.

    The first epoch of each side is a warm-up.
    """
    epochs = {side: epoch for side, epoch in sides.items() if epoch is not None}
    for epoch in epochs.values():
        epoch()
    seconds = {side: [] for side in epochs}
    for _ in range(repeats):
        for side, epoch in epochs.items():
            seconds[side].append(epoch())
    rates = {side: round(rows / statistics.median(side_seconds)) for side, side_seconds in seconds.items()}
    for pair, (tfkit_side, reference) in compared.items():
        if reference in rates:
            yield {"pair": pair, "tfkit": rates[tfkit_side], "other": rates[reference], "repeats": repeats}


def against_keras(name, build, x, y, batch, repeats):
    """Time the training of a model by tfkit and by Keras."""
    sides = {"tfkit": tfkit_epoch(build, x, y, batch), "keras": keras_epoch(build, x, y, batch)}
    yield from alternate_timings({name: ("tfkit", "keras")}, sides, len(x), repeats)


def tfkit_epoch(build, x, y, batch, epochs=2):
    """Return a function that times an epoch of `tfkit.fit`."""
    import tfkit

    model, rows = compiled(build), tfkit.ArrayDataset(x, y)
    return lambda: median_epoch_seconds(
        lambda timer: tfkit.fit(model, rows, batch_size=batch, epochs=epochs, callbacks=[timer])
    )


def keras_epoch(build, x, y, batch):
    """Return a function that times an epoch of `fit` of Keras."""
    model = compiled(build)
    return lambda: median_epoch_seconds(
        lambda timer: model.fit(x, y, batch_size=batch, epochs=2, verbose=0, callbacks=[timer])
    )


def median_epoch_seconds(fit):
    """Return the median seconds of an epoch, without the first one (compilation)."""
    import keras

    start_times, epoch_seconds = [], []
    fit(
        keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: start_times.append(time.perf_counter()),
            on_epoch_end=lambda epoch, logs: epoch_seconds.append(time.perf_counter() - start_times[-1]),
        )
    )
    return statistics.median(epoch_seconds[1:])


@contextmanager
def torch_epoch(python, batch):
    """Yield a function that times a PyTorch epoch, or None without PyTorch."""
    if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode:
        print("PyTorch is not installed (pip install 'keras-recipes[bench]'): skipping its pairs.", file=sys.stderr)
        yield None
        return
    command = [python, str(Path(__file__).with_name("speed_torch.py")), *map(str, (NUM_ROWS, NUM_COLUMNS, batch))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:

        def epoch():
            print(file=child.stdin, flush=True)
            return float(child.stdout.readline())

        yield epoch
        child.stdin.close()


def compiled(build):
    import keras

    keras.utils.set_random_seed(0)
    model = build()
    model.compile("adam", "binary_crossentropy")
    return model


def table(rows):
    x = RANDOM.normal(size=(rows, NUM_COLUMNS)).astype("float32")
    return x, (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype("int32")


def series(rows):
    return RANDOM.normal(size=(rows, 64, 8)).astype("float32"), RANDOM.integers(0, 2, rows)
