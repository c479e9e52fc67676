"""Predict a class or a number for whole time series.

Data     japanese_vowels.ts.gz: 640 recordings of two vowels; which of nine men speaks? (data/japanese_vowels.md)
         Yours: a table with a row per series (the target first if columns have no names) or a row per step
         (series_id_column=, time_column=), or a .ts file of the UCR and UEA archives. One or more channels.
Expect   mean test accuracy 0.949 on ten data sets of the UCR archive with official splits (published ResNet: 0.943);
         15 s of processor time each (seed 0, tests/bench/series.py).
Try      make train RECIPE=series
         make train RECIPE=series ARGS="data=hearts_TRAIN.tsv test_data=hearts_TEST.tsv"
         make train RECIPE=series ARGS="data=steps.csv series_id_column=patient time_column=time target=ill"
"""

from pathlib import Path
from typing import Literal

import keras

import tfkit


class Config(tfkit.SupervisedConfig):
    data: Path = tfkit.sample_path("japanese_vowels.ts.gz")  # the series
    target: str | None = None  # column to predict; none: the first if without name, or label, class, target
    series_id_column: str | None = None  # of a table with a row per step: the series of each row
    time_column: str | None = None  # of a table with a row per step: the time; none: the order of the rows
    value_columns: list[str] = []  # of a table with a row per step: the channels; none: all other columns
    exclude_columns: list[str] = []  # columns that are not used
    delimiter: str | None = None  # of a text file; none: detected
    encoding: str | None = None  # of a text file; none: detected
    na_values: list[str] | None = None  # cells that mean "missing"; none: the usual ones
    variable_length: bool | Literal["auto"] = "auto"  # pad and mask series; auto: if their lengths differ
    normalization: Literal["dataset", "instance", "none"] = "dataset"  # by all training series, or by each series
    architecture: Literal["minirocket", "inception", "cnn", "lstm", "transformer"] = "minirocket"  # network
    num_features: tfkit.PositiveInt = 10000  # minirocket: number of features, rounded to a multiple of 84
    use_differences: bool = True  # minirocket: compute half of the features from differences of steps
    classifier: Literal["ridge", "softmax", "auto"] = "auto"  # minirocket; auto: softmax for many series
    num_layers: tfkit.PositiveInt | Literal["auto"] = "auto"  # other architectures: number of layers or blocks
    units: tfkit.PositiveInt | Literal["auto"] = "auto"  # other architectures: width of a layer
    dropout: tfkit.Fraction = 0.1  # fraction of units dropped in training

    def validate_settings(self):
        is_minirocket = self.architecture == "minirocket"
        if self.time_column and not self.series_id_column:
            raise tfkit.UserError("`time_column` is for a table with a row per step: set series_id_column= too.")
        if is_minirocket and (self.num_layers not in ("auto", 1) or self.units not in ("auto", 64)):
            raise tfkit.UserError(
                "`num_layers` and `units` are for other architectures; architecture=minirocket has num_features=. "
                f"Received: num_layers={self.num_layers}, units={self.units}"
            )
        if self.classifier == "ridge" and not (is_minirocket and self.epochs in ("auto", 1)):
            raise tfkit.UserError(
                "`classifier=ridge` is for architecture=minirocket, and has a closed form: omit epochs=. "
                f"Received: architecture={self.architecture}, epochs={self.epochs}"
            )


def data(config):
    kind, static_columns = tfkit.data.series, [config.group_column] if config.group_column else []
    read_options = config.model_dump(include=kind.READ_OPTIONS) | {"static_columns": static_columns}
    options = {"test_data": config.test_data, "variable_length": config.variable_length, **read_options}
    series, test, messages = kind.load(config.data, config.target, **options)
    target = kind.infer_target(series, **config.model_dump(include=kind.TARGET_SETTINGS))
    tfkit.tasks.validate_loss(config.loss, target)
    options = {**config.model_dump(include=kind.SPLIT_SETTINGS), "seed": config.effective_split_seed}
    splits = kind.split(series, target, test_data=test, **options)
    options = {**config.model_dump(include=kind.SCHEMA_SETTINGS), "read_options": read_options}
    metadata = kind.fit_schema(splits[0], target, other_splits=splits[1:], messages=messages, **options)
    if config.architecture == "minirocket":
        options = {"num_features": config.num_features, "use_differences": config.use_differences}
        metadata = kind.fit_minirocket(splits[0], metadata, seed=config.seed, **options)
    preprocessor = kind.make_preprocessor(metadata)
    datasets = kind.make_dataset(splits, metadata, preprocessor)
    auto = auto_settings(config, metadata, len(datasets[0]))
    return tfkit.tasks.make_data(config, datasets, metadata, preprocessor, auto_settings=auto)


def model(config, data):
    inputs, metadata, is_ridge = tfkit.keras_inputs(data.train), data.metadata, config.classifier == "ridge"
    if config.architecture == "minirocket":
        x, penalty = inputs["features"], keras.regularizers.L1L2(config.l1, config.l2)
    else:
        x, penalty = inputs["series"], None
        if metadata.series.variable_length:
            x = keras.layers.Masking(tfkit.data.series.PADDING_VALUE)(x)
        options = config.model_dump(include={"units", "num_layers", "dropout", "l1", "l2"})
        options["patch_length"] = max(1, min(16, metadata.series.length // 8))
        x = tfkit.layers.encode_series(x, config.architecture, **options)
    options = {"kernel_regularizer": penalty, "dtype": "float32", "trainable": not is_ridge}
    head = keras.layers.Dense(tfkit.tasks.num_outputs(metadata), name="head", **options)
    outputs = head(keras.layers.Dropout(0.0 if is_ridge else config.dropout)(x))
    if is_ridge:
        head.set_weights(tfkit.linear_models.fit_ridge_head(data.train, metadata))
    model = keras.Model(inputs, outputs, name="network")
    loss = tfkit.tasks.make_loss(config.loss, metadata)
    model.compile(tfkit.make_optimizer(**config.optimizer_settings, steps=data.steps(config)), loss)
    return model


def auto_settings(config, metadata, rows):
    """Values of "auto"; those of minirocket were chosen by leave-one-out errors on ten public data sets."""
    is_minirocket = config.architecture == "minirocket"
    is_ridge = is_minirocket and rows <= 4000 and config.epochs == "auto"
    classifier = ("ridge" if is_ridge else "softmax") if config.classifier == "auto" else config.classifier
    epochs = 20 if is_minirocket else max(20, min(150, 30_000 // rows))
    return {
        "refit": rows < 5000,
        "variable_length": metadata.series.variable_length,
        "classifier": classifier,
        "num_layers": {"inception": 3, "transformer": 2}.get(config.architecture, 1),
        "units": {"inception": 32, "cnn": 32}.get(config.architecture, 64),
        "epochs": 1 if classifier == "ridge" else epochs,
        "batch_size": 16 if rows < 1000 else 64,
        "learning_rate": 1e-4 if is_minirocket else 1e-3,
    }


NETWORK_SPACE = {"architecture": ["minirocket", "inception", "cnn", "lstm", "transformer"], "dropout": (0.0, 0.5)}
SEARCH_SPACE = {"learning_rate": tfkit.log_uniform(1e-4, 1e-2), "batch_size": [8, 16, 32, 64], **NETWORK_SPACE}
BASELINES = [tfkit.baselines.dummy, tfkit.baselines.nearest_neighbor, tfkit.baselines.linear_series]
recipe = tfkit.Recipe(Config, data, model, reader=tfkit.data.series, baselines=BASELINES, search_space=SEARCH_SPACE)
