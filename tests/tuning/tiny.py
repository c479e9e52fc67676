"""Test recipe with 90 rows and one hidden layer, which trains in a second."""

import os
import signal
import time

import keras
import numpy as np

import tfkit
from tfkit.metadata import Metadata, Target


class Config(tfkit.Config):
    units: tfkit.PositiveInt = 4  # of the hidden layer
    epochs: tfkit.PositiveInt = 6
    batch_size: tfkit.PositiveInt = 32
    fault: str = "none"  # simulated failure: raise, kill, nan, or a number of seconds to sleep
    log: str = ""  # file to which a line is appended when the data is loaded


def data(config):
    if config.log:
        with open(config.log, "a") as file:
            file.write("read\n")
    x = np.random.default_rng(config.effective_split_seed).normal(size=(90, 2)).astype("float32")
    y = (x.sum(1, keepdims=True) * 2).astype("float32")
    splits = [tfkit.ArrayDataset({"x": x[i : i + 30]}, y[i : i + 30], raw={"x": x[i : i + 30]}) for i in (0, 30, 60)]
    inputs = {"x": keras.Input((2,), name="x")}
    metadata = Metadata(inputs={"x": {"dtype": "float32"}}, target=Target(task="custom"))
    return tfkit.Data(*splits, metadata, keras.Model(inputs, inputs))


def model(config, data):
    if config.fault == "raise":
        raise RuntimeError("simulated failure")
    if config.fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    inputs = tfkit.keras_inputs(data.train)
    x = keras.layers.Dense(config.units, "tanh")(inputs["x"])
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    loss = (lambda y_true, y_pred: keras.ops.mean(y_pred) * np.nan) if config.fault == "nan" else "mse"
    model.compile(tfkit.make_optimizer(**config.optimizer_settings, steps=data.steps(config)), loss)
    if config.fault.isdigit():
        time.sleep(int(config.fault))
    return model


recipe = tfkit.Recipe(Config, data, model, search_space={"units": [2, 4, 8]})
