"""A layer in a Keras model.

`tfkit.layers.MLP` and `tfkit.fit` work with any Keras model: here they predict the price of a diamond from its size.
"""

import keras
import pandas as pd

import tfkit

COLUMNS = ["carat", "depth", "table", "x", "y", "z"]

frame = pd.read_csv(tfkit.sample_path("diamonds.csv.gz")).sample(10_000, random_state=0)
x = frame[COLUMNS].to_numpy("float32")
y = frame["price"].to_numpy("float32")[:, None] / 1000
train, val = slice(0, 8000), slice(8000, None)

inputs = keras.Input((len(COLUMNS),))
hidden = keras.layers.Normalization(mean=x[train].mean(axis=0), variance=x[train].var(axis=0))(inputs)
hidden = tfkit.layers.MLP([128, 128], dropout=0.1)(hidden)
model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
model.compile(tfkit.make_optimizer("adamw", learning_rate=3e-3), "mse")

history = tfkit.fit(model, x[train], y[train], validation_data=(x[val], y[val]), batch_size=64, epochs=5)
print("validation loss of each epoch:", [round(loss, 3) for loss in history.history["val_loss"]])
