"""Twenty rows, one layer: a page whose training takes a second."""

import os
import signal
import time

import keras
import numpy as np

import tfkit


class Config(tfkit.Config):
    units: tfkit.count = 4  # of the hidden layer
    epochs: tfkit.count = 6
    batch_size: tfkit.count = 32
    fault: str = "none"  # what goes wrong: raise, kill, nan, or seconds of sleep
    log: str = ""  # a file that gets a line whenever rows are read


def data(config):
    if config.log:
        with open(config.log, "a") as file:
            file.write("read\n")
    x = np.random.default_rng(config.seed_of_splits).normal(size=(90, 2)).astype("float32")
    y = (x.sum(1, keepdims=True) * 2).astype("float32")
    parts = [tfkit.Rows({"x": x[i : i + 30]}, y[i : i + 30], raw={"x": x[i : i + 30]}) for i in (0, 30, 60)]
    inputs = {"x": keras.Input((2,), name="x")}
    info = {
        "task": "own",
        "inputs": {"x": {"dtype": "float32"}},
        "target": {"classes": None, "positive": None, "scale": 1.0, "mean": 0.0},
    }
    return tfkit.Data(*parts, info, keras.Model(inputs, inputs))


def model(config, data):
    if config.fault == "raise":
        raise RuntimeError("no such luck")
    if config.fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    x = inputs = tfkit.inputs(data.train)
    x = keras.layers.Dense(config.units, "tanh")(x["x"])
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    loss = (lambda y, p: keras.ops.mean(p) * np.nan) if config.fault == "nan" else "mse"
    model.compile(tfkit.optimizer(**config.optimization, steps=data.steps(config)), loss)
    if config.fault.isdigit():
        time.sleep(int(config.fault))
    return model


recipe = tfkit.Recipe(Config, data, model, search={"units": [2, 4, 8]})
