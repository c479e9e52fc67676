"""Predict a column of a table from the others: a class or a number.

Data     adult.csv.gz: 32,561 people of the 1994 census; does one earn more than 50,000 dollars? (data/adult.md)
         Yours: a CSV, TSV, Parquet or JSON lines file, or a folder of them, of any size. Cells may be missing, numbers
         may be written 1,234.5.
Expect   test accuracy 0.865, 95% interval 0.855 to 0.875, gradient boosting 0.863; 24 s for the complete process (two
         cores, seed 0). Eight other tables: docs/benchmarks.md
Try      make train RECIPE=tabular
         make train RECIPE=tabular ARGS="data=data/diamonds.csv.gz target=price"
         make train RECIPE=tabular ARGS="data=sales.parquet target=churned epochs=30 architecture=mlp"
"""

from pathlib import Path
from typing import Literal

import keras

import tfkit

Scaling = Literal["robust", "standard", "minmax", "minmax_symmetric", "quantile"]


class Config(tfkit.SupervisedConfig):
    data: Path = tfkit.sample_path("adult.csv.gz")  # the table
    target: str = "income"  # the column to predict
    time_column: str | None = None  # the latest rows are the test split
    numeric_columns: list[str] = []  # columns that are numbers, whatever they look like
    categorical_columns: list[str] = []  # columns that are categories
    date_columns: list[str] = []  # columns that are dates
    day_first: bool | None = None  # whether 01/02/2024 is 1 February; none: the order that reads most cells
    exclude_columns: list[str] = []  # columns that are not used
    slice_columns: list[str] = []  # columns whose values the report always evaluates separately, such as sex,race
    duplicates: Literal["drop", "keep"] = "drop"  # rows that are equal to another row
    delimiter: str | None = None  # of a text file; none: detected
    encoding: str | None = None  # of a text file; none: detected
    na_values: list[str] | None = None  # cells that count as missing; none: the usual markers
    scaling: Scaling = "robust"  # of numbers
    architecture: Literal["tabm", "mlp"] = "tabm"  # an ensemble of MLPs with shared weights, or one MLP
    ensemble_size: tfkit.PositiveInt = 8  # tabm: number of MLPs
    num_layers: tfkit.PositiveInt = 3  # hidden layers
    units: tfkit.PositiveInt | Literal["auto"] = "auto"  # width of each hidden layer
    dropout: tfkit.Fraction | Literal["auto"] = "auto"  # fraction of units dropped in training
    embedding_dim: tfkit.NonNegativeInt = 8  # size of the embedding of a number or category; 0: numbers unchanged
    num_bins: tfkit.PositiveInt = 128  # of the embedding of a number, at most
    loss: tfkit.LossName | Literal["quantile"] = "auto"  # auto: cross_entropy for classes, mse for numbers
    quantile: tfkit.PositiveFraction = 0.5  # the quantile that loss=quantile predicts

    sample_only_defaults = {"data": ("target",)}

    def validate_settings(self):
        if self.loss != "quantile" and self.quantile != 0.5:
            received = f"Received: quantile={self.quantile} loss={self.loss}"
            raise tfkit.UserError(f"`quantile=` needs loss=quantile, which predicts that quantile. {received}")
        if self.architecture == "mlp" and self.ensemble_size != 8:
            received = f"Received: ensemble_size={self.ensemble_size}"
            raise tfkit.UserError(f"`ensemble_size=` needs architecture=tabm; mlp is a single network. {received}")
        if self.time_column and self.group_column:
            raise tfkit.UserError("Rows are split by time or by group: give time_column= or group_column=, not both.")


def data(config):
    kind, read_options = tfkit.data.tabular, config.model_dump(include=tfkit.data.tabular.READ_OPTIONS)
    frame, test, messages = kind.load(config.data, config.target, **config.model_dump(include=kind.LOAD_SETTINGS))
    kind.require_columns(frame, config.slice_columns)
    target = kind.infer_target(frame[config.target], **config.model_dump(include=kind.TARGET_SETTINGS))
    tfkit.tasks.validate_loss(config.loss, target, quantile=config.quantile)
    target.quantile = config.quantile if config.loss == "quantile" else None
    options = {**config.model_dump(include=kind.SPLIT_SETTINGS), "seed": config.effective_split_seed}
    splits = kind.split(frame, target, test_data=test, **options)
    options = {**config.model_dump(include=kind.SCHEMA_SETTINGS), "read_options": read_options}
    metadata = kind.fit_schema(splits[0], target, messages=messages, **options)
    preprocessor = kind.make_preprocessor(metadata)
    datasets = [kind.make_dataset(split, metadata, preprocessor) for split in splits]
    auto = auto_settings(len(datasets[0]), metadata.target)
    return tfkit.tasks.make_data(config, datasets, metadata, preprocessor, auto_settings=auto)


def model(config, data):
    metadata, inputs, dim = data.metadata, tfkit.keras_inputs(data.train), config.embedding_dim
    features = [inputs[name] for name in ("numbers", "missing") if name in inputs]
    if "numbers" in inputs and dim:
        features.append(tfkit.layers.PiecewiseLinearEmbedding(metadata.edges, dim=dim)(inputs["numbers"]))
    if "categories" in inputs:
        features.append(tfkit.layers.CategoricalEmbedding(metadata.sizes, dim=dim or 8)(inputs["categories"]))
    x = keras.layers.Concatenate()(features) if len(features) > 1 else features[0]
    units, outputs = [config.units] * config.num_layers, tfkit.tasks.num_outputs(metadata)
    options, head = {"dropout": config.dropout, "l1": config.l1, "l2": config.l2}, {"dtype": "float32", "name": "head"}
    loss = tfkit.tasks.make_loss(config.loss, metadata)
    if config.architecture == "tabm":
        x = tfkit.layers.TabM(units, members=config.ensemble_size, **options)(x)
        x = tfkit.layers.BatchEnsembleDense(outputs, config.ensemble_size, shared=False, **head)(x)
        x = tfkit.layers.EnsembleAverage(tfkit.tasks.output_activation(metadata), dtype="float32")(x)
        loss = tfkit.losses.EnsembleLoss(loss)
    else:
        x = tfkit.layers.MLP(units, normalization="batch", **options)(x)
        x = keras.layers.Dense(outputs, **head)(x)
    model = keras.Model(inputs, x, name="tabular")
    model.compile(tfkit.make_optimizer(**config.optimizer_settings, steps=data.steps(config)), loss)
    return model


def auto_settings(rows, target):
    """Values of "auto" by the number of training rows, chosen on splits of the training rows of eight open tables."""
    classes, binary = bool(target.classes), target.is_binary or target.task == "multilabel"
    size = 0 if rows < 2000 else 1 if rows < 5000 else 2 if rows < 10000 else 3 if rows < 20000 else 4
    return {
        "refit": size == 0,
        "epochs": (12 if size == 4 else 15) if binary else (60, 30, 30, 30, 20)[size],
        "batch_size": (32, 64, 128, 256, 256)[size],
        "learning_rate": (3e-3 if size < 2 else 5e-3) if binary else 1e-2,
        "units": 128,
        "dropout": (0.3 if size < 3 else 0.1) if binary else 0.1 if size < 2 + classes else 0.0,
    }


NETWORK_SPACE = {"units": [128, 192, 256], "num_layers": (2, 4), "dropout": [0.0, 0.1, 0.2, 0.3]}
TRAINING_SPACE = {"batch_size": [32, 64, 128, 256, 512], "optimizer": ["adamw", "adam", "nadam", "rmsprop"]}
SEARCH_SPACE = {"learning_rate": tfkit.log_uniform(2e-3, 2e-2), **TRAINING_SPACE, **NETWORK_SPACE}
BASELINES = [tfkit.baselines.dummy, tfkit.baselines.linear, tfkit.baselines.gradient_boosting]
recipe = tfkit.Recipe(Config, data, model, reader=tfkit.data.tabular, baselines=BASELINES, search_space=SEARCH_SPACE)
