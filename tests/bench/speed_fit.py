"""The works of `speed.py` that train on arrays: tfkit's `fit` beside Keras' and a PyTorch loop."""

import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np

ROWS, COLUMNS = 50_000, 20
LONG = 12  # epochs of 50,000 rows: of trainings so long tfkit has the steps fused
RANDOM = np.random.default_rng(0)


def mlp(asked):
    """The MLP of 20-256-128-1 with batch normalisation and dropout, Adam."""
    import keras

    x, y = table(ROWS)

    def build():
        layers = keras.layers
        return keras.Sequential(
            [
                keras.Input((COLUMNS,)),
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
        with torch_epoch(asked.torch_python, batch) as torch:
            sides = {
                "long": tfkit_epoch(build, x, y, batch, LONG),
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
            yield from pairs(compared, sides, len(x), asked.repeats)


def cnn(asked):
    """Three convolutions on pictures of 32 x 32."""
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

    yield from beside_keras("cnn", build, x, y, 64, asked.repeats)


def transformer(asked):
    """Two blocks of attention on series of 64 steps."""
    import keras

    x, y = series(3000)

    def build():
        layers = keras.layers
        inputs = keras.Input(x.shape[1:])
        z = layers.Dense(64)(inputs)
        for _ in range(2):
            a = layers.LayerNormalization()(z)
            z = z + layers.MultiHeadAttention(4, 16)(a, a)
            z = z + layers.Dense(64)(layers.Dense(128, activation="relu")(layers.LayerNormalization()(z)))
        outputs = layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling1D()(z))
        return keras.Model(inputs, outputs)

    yield from beside_keras("transformer", build, x, y, 32, asked.repeats)


def lstm(asked):
    """An LSTM of 64 units on series of 64 steps."""
    import keras

    x, y = series(6000)

    def build():
        return keras.Sequential(
            [keras.Input(x.shape[1:]), keras.layers.LSTM(64), keras.layers.Dense(1, activation="sigmoid")]
        )

    yield from beside_keras("lstm", build, x, y, 32, asked.repeats)


def curve(asked):
    """Time of a row of an epoch, from 10,000 rows on, at batch 256, in trainings of one length; and its plot."""
    import keras

    def build():
        layers = [keras.layers.Dense(width, activation="relu") for width in (256, 128)]
        return keras.Sequential([keras.Input((COLUMNS,)), *layers, keras.layers.Dense(1, activation="sigmoid")])

    rows, told = 10_000, {"pair": "curve", "rows": [], "nanoseconds": []}
    while rows <= asked.curve_rows:
        epoch = tfkit_epoch(build, *table(rows), 256, max(2, LONG * ROWS // rows))
        epoch()
        seconds = statistics.median(epoch() for _ in range(asked.repeats if rows <= 10**6 else 1))
        told["rows"].append(rows)
        told["nanoseconds"].append(round(seconds / rows * 1e9))
        rows *= 10
    _plot(told)
    yield told


def _plot(told):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(told["rows"], [ns / 1000 for ns in told["nanoseconds"]], "o-")
    axes.set(xscale="log", xlabel="rows", ylabel="microseconds a row", title="One epoch, batch 256")
    axes.set_ylim(bottom=0)
    figure.savefig(Path(__file__).with_name("speed.svg"))


def pairs(compared, sides, rows, repeats):
    """Each side in turn, so many times after one to warm up; a line for each pair of which there are both."""
    epochs = {side: epoch for side, epoch in sides.items() if epoch is not None}
    for epoch in epochs.values():
        epoch()
    seconds = {side: [] for side in epochs}
    for _ in range(repeats):
        for side, epoch in epochs.items():
            seconds[side].append(epoch())
    rates = {side: round(rows / statistics.median(taken)) for side, taken in seconds.items()}
    for pair, (own, other) in compared.items():
        if other in rates:
            yield {"pair": pair, "tfkit": rates[own], "other": rates[other], "repeats": repeats}


def beside_keras(name, build, x, y, batch, repeats):
    """The pair of a model that is trained by both."""
    sides = {"tfkit": tfkit_epoch(build, x, y, batch), "keras": keras_epoch(build, x, y, batch)}
    yield from pairs({name: ("tfkit", "keras")}, sides, len(x), repeats)


def tfkit_epoch(build, x, y, batch, epochs=2):
    import tfkit

    model, rows = compiled(build), tfkit.Rows(x, y)
    return lambda: later(lambda mark: tfkit.fit(model, rows, batch_size=batch, epochs=epochs, callbacks=[mark]))


def keras_epoch(build, x, y, batch):
    model = compiled(build)
    return lambda: later(lambda mark: model.fit(x, y, batch_size=batch, epochs=2, verbose=0, callbacks=[mark]))


def later(fit):
    """Seconds of an epoch of a `fit`, the median of all but the first: no compilation is timed."""
    import keras

    begun, taken = [], []
    fit(
        keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: begun.append(time.perf_counter()),
            on_epoch_end=lambda epoch, logs: taken.append(time.perf_counter() - begun[-1]),
        )
    )
    return statistics.median(taken[1:])


@contextmanager
def torch_epoch(python, batch):
    """An epoch of the usual loop of PyTorch, in a process of its own; None where PyTorch is not installed."""
    if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode:
        print("PyTorch is not installed (pip install 'tfkit[bench]'): its side is left out.", file=sys.stderr)
        yield None
        return
    command = [python, str(Path(__file__).with_name("speed_torch.py")), *map(str, (ROWS, COLUMNS, batch))]
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
    x = RANDOM.normal(size=(rows, COLUMNS)).astype("float32")
    return x, (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype("int32")


def series(rows):
    return RANDOM.normal(size=(rows, 64, 8)).astype("float32"), RANDOM.integers(0, 2, rows)
