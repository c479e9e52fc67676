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

Loss = Literal["auto", "cross_entropy", "label_smoothing", "focal", "mse", "mae", "huber"]
Architecture = Literal["minirocket", "inception", "cnn", "lstm", "transformer"]


class Config(tfkit.Config):
    data: Path = tfkit.sample_path("japanese_vowels.ts.gz")  # the series
    target: str | None = None  # column to predict; none: the first if without name, or label, class, target
    task: Literal["auto", "classification", "regression"] = "auto"  # auto: inferred from the target
    positive_class: str | None = None  # class that precision, recall and F1 are of; none: the rarer of two
    label_normalization: Literal["none", "casefold"] = "none"  # casefold: join labels that differ in case or blanks
    test_data: Path | None = None  # separate test series; none: a fraction of the data
    test_fraction: tfkit.Fraction = 0.15  # fraction of the series for the test split, without test_data
    val_fraction: tfkit.Fraction = 0.15  # fraction of the series for validation
    series_id_column: str | None = None  # of a table with a row per step: the series of each row
    time_column: str | None = None  # of a table with a row per step: the time; none: the order of the rows
    value_columns: list[str] = []  # of a table with a row per step: the channels; none: all other columns
    group_column: str | None = None  # series of the same group are in the same split
    exclude_columns: list[str] = []  # columns that are not used
    delimiter: str | None = None  # of a text file; none: detected
    encoding: str | None = None  # of a text file; none: detected
    na_values: list[str] | None = None  # cells that mean "missing"; none: the usual ones
    variable_length: bool | Literal["auto"] = "auto"  # pad and mask series; auto: if their lengths differ
    normalization: Literal["dataset", "instance", "none"] = "dataset"  # by all training series, or by each series
    balance_classes: bool = False  # weight rows by inverse class frequency
    architecture: Architecture = "minirocket"  # network of the series
    num_features: tfkit.PositiveInt = 10000  # minirocket: number of features, rounded to a multiple of 84
    use_differences: bool = True  # minirocket: compute half of the features from differences of steps
    classifier: Literal["ridge", "softmax", "auto"] = "auto"  # minirocket; auto: softmax for many series
    num_layers: tfkit.PositiveInt | Literal["auto"] = "auto"  # other architectures: number of layers or blocks
    units: tfkit.PositiveInt | Literal["auto"] = "auto"  # other architectures: width of a layer
    dropout: tfkit.Fraction = 0.1  # fraction of units dropped in training
    refit: bool | Literal["auto"] = "auto"  # train again on training and validation series; auto: if they are few
    loss: Loss = "auto"  # auto: cross-entropy for classes, mean squared error for numbers
    epochs: tfkit.PositiveInt | Literal["auto"] = "auto"
    batch_size: tfkit.PositiveInt | Literal["all", "auto"] = "auto"
    learning_rate: tfkit.PositiveFloat | Literal["auto"] = "auto"
    learning_rate_schedule: tfkit.ScheduleName = "cosine"
    optimizer: tfkit.OptimizerName = "adamw"
    weight_decay: tfkit.NonNegativeFloat = 0.01

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
    read_options = {name: getattr(config, name) for name in kind.READ_OPTIONS} | {"static_columns": static_columns}
    files = {"data": config.data, "target": config.target, "test_data": config.test_data}
    series, test, messages = kind.load(**files, variable_length=config.variable_length, **read_options)
    options = config.model_dump(include={"task", "positive_class", "label_normalization"})
    target = kind.infer_target(series, **options)
    tfkit.tasks.validate_loss(config.loss, target)
    fractions = {"val_fraction": config.val_fraction, "test_fraction": config.test_fraction}
    options = {**fractions, "group_column": config.group_column, "seed": config.effective_split_seed}
    splits = kind.split(series, target, test_data=test, **options)
    metadata = kind.fit_schema(
        splits[0],
        target,
        other_splits=splits[1:],
        variable_length=config.variable_length,
        normalization=config.normalization,
        read_options=read_options,
        messages=messages,
    )
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
        x = encode(config, x, metadata.series.length)
    options = {"kernel_regularizer": penalty, "dtype": "float32", "trainable": not is_ridge}
    head = keras.layers.Dense(tfkit.tasks.num_outputs(metadata), name="head", **options)
    outputs = head(keras.layers.Dropout(0.0 if is_ridge else config.dropout)(x))
    if is_ridge:
        head.set_weights(tfkit.data.series.fit_ridge_head(data.train, metadata))
    model = keras.Model(inputs, outputs, name="network")
    loss = tfkit.tasks.make_loss(config.loss, metadata)
    model.compile(tfkit.make_optimizer(**config.optimizer_settings, steps=data.steps(config)), loss)
    return model


def encode(config, x, length):
    """Encode series `(steps, channels)` as one vector."""
    penalty = {"l1": config.l1, "l2": config.l2}
    if config.architecture == "inception":
        return tfkit.layers.InceptionTime(config.units, depth=config.num_layers, **penalty)(x)
    if config.architecture == "cnn":
        filters = [config.units, 2 * config.units, 4 * config.units]
        return tfkit.layers.ConvNet(filters, 7, rank=1, depth=config.num_layers, **penalty)(x)
    if config.architecture == "lstm":
        return tfkit.layers.RNNStack([config.units] * config.num_layers, bidirectional=True, dropout=config.dropout)(x)
    patch_length = max(1, min(16, length // 8))
    layers = [
        tfkit.layers.PatchEmbedding(patch_length, config.units, stride=(patch_length + 1) // 2),
        tfkit.layers.PositionalEmbedding(),
        tfkit.layers.TransformerEncoder(depth=config.num_layers, dropout=config.dropout, **penalty),
        tfkit.layers.GlobalPooling("mean"),
    ]
    for layer in layers:
        x = layer(x)
    return x


def auto_settings(config, metadata, rows):
    """Values of the settings that are "auto", by the number of training series.

    The ridge classifier and the differences of minirocket were chosen by leave-one-out errors on ten public data sets.
    The schedules of the other architectures are fixed, not searched for.
    """
    is_minirocket, is_classification = config.architecture == "minirocket", bool(metadata.target.classes)
    is_ridge = is_minirocket and rows <= 4000 and config.epochs == "auto"
    classifier = ("ridge" if is_ridge else "softmax") if config.classifier == "auto" else config.classifier
    epochs = 20 if is_minirocket else max(20, min(150, 30_000 // rows))
    return {
        "task": metadata.task,
        "loss": "cross_entropy" if is_classification else "mse",
        "refit": rows < 5000,
        "variable_length": metadata.series.variable_length,
        "classifier": classifier,
        "num_layers": {"inception": 3, "transformer": 2}.get(config.architecture, 1),
        "units": {"inception": 32, "cnn": 32}.get(config.architecture, 64),
        "epochs": 1 if classifier == "ridge" else epochs,
        "batch_size": 16 if rows < 1000 else 64,
        "learning_rate": 1e-4 if is_minirocket else 1e-3,
    }


SEARCH_SPACE = {
    "learning_rate": tfkit.log_uniform(1e-4, 1e-2),
    "batch_size": [8, 16, 32, 64],
    "architecture": ["minirocket", "inception", "cnn", "lstm", "transformer"],
    "dropout": (0.0, 0.5),
}
BASELINES = [tfkit.baselines.dummy, tfkit.baselines.nearest_neighbor, tfkit.baselines.linear_series]
recipe = tfkit.Recipe(Config, data, model, reader=tfkit.data.series, baselines=BASELINES, search_space=SEARCH_SPACE)
