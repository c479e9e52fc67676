"""A recipe file of your own: trained, exported, used for predictions.

Everything from `Config` to `recipe` is the recipe; `tfkit train own_recipe.py` trains it too. Its rows are read by
code of its own, so it also has a reader for new rows.
"""

import keras
import numpy as np
import pandas as pd

import tfkit

COLUMNS = ["carat", "depth", "table", "x", "y", "z"]


class Config(tfkit.Config):
    rows: tfkit.PositiveInt = 10_000  # rows of the sample that are used
    units: tfkit.PositiveInt = 64  # hidden units
    epochs: tfkit.PositiveInt = 3
    learning_rate: tfkit.PositiveFloat = 3e-3


class Reader:
    """Reads new rows from a CSV file or a DataFrame."""

    def read(self, source, metadata, *, with_targets=False, with_columns=False):
        frame = source if isinstance(source, pd.DataFrame) else pd.read_csv(source)
        rows = {"size": frame[COLUMNS].to_numpy("float32")}
        extras = [frame["price"].to_numpy()] * with_targets + [frame] * with_columns
        return (rows, *extras) if extras else rows


def data(config):
    frame = pd.read_csv(tfkit.sample_path("diamonds.csv.gz"))
    frame = frame.sample(config.rows, random_state=config.effective_split_seed)
    x, price = frame[COLUMNS].to_numpy("float32"), frame["price"].to_numpy("float64")
    splits = np.split(np.arange(len(frame)), [int(0.7 * len(frame)), int(0.85 * len(frame))])
    mean, scale = price[splits[0]].mean(), price[splits[0]].std()
    inputs = {"size": keras.Input((len(COLUMNS),), name="size")}
    normalize = keras.layers.Normalization(mean=x[splits[0]].mean(axis=0), variance=x[splits[0]].var(axis=0))
    preprocessor = keras.Model(inputs, {"size": normalize(inputs["size"])})
    y = ((price - mean) / scale).astype("float32")
    datasets = [
        tfkit.ArrayDataset({"size": np.asarray(normalize(x[rows]))}, y[rows], raw={"size": x[rows]}) for rows in splits
    ]
    metadata = tfkit.Metadata(
        target=tfkit.Target(name="price", task="regression", mean=mean, scale=scale),
        inputs={"size": {"dtype": "float32", "shape": [len(COLUMNS)]}},
    )
    return tfkit.tasks.make_data(config, datasets, metadata, preprocessor, auto_settings={})


def model(config, data):
    inputs = tfkit.keras_inputs(data.train)
    x = tfkit.layers.MLP([config.units] * 2)(inputs["size"])
    model = keras.Model(inputs, keras.layers.Dense(1, dtype="float32")(x), name="network")
    model.compile(tfkit.make_optimizer(**config.optimizer_settings, steps=data.steps(config)), "mse")
    return model


recipe = tfkit.Recipe(Config, data, model, reader=Reader())


if __name__ == "__main__":
    run = tfkit.train(__file__, quiet=True, report=False)
    print("test:", {name: round(value, 3) for name, value in run.metrics["test"].items()})
    print("export:", run.export("savedmodel"))
    new_rows = pd.read_csv(tfkit.sample_path("diamonds.csv.gz")).head(3)
    print(new_rows[["carat", "price"]].join(run.predict(new_rows)))
