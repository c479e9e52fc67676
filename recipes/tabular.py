"""Predict a column of a table from the others: a class or a number.

Data     adult.csv.gz: 32,561 people of the 1994 census; does one earn more than 50,000 dollars? (data/adult.md)
         Yours: any CSV, TSV, Parquet or JSON-lines file, or a folder of them, of any size. Cells may be
         missing, numbers may be written 1,234.5.
Expect   test accuracy 0.865, 95% interval 0.855 to 0.875, boosted trees 0.863; 24 s from start to end (two cores, seed
         0). Eight other tables: README.md.
Try      make train RECIPE=tabular
         make train RECIPE=tabular ARGS="table=data/diamonds.csv.gz target=price"
         make train RECIPE=tabular ARGS="table=sales.parquet target=churned epochs=30 architecture=mlp"
"""

from pathlib import Path
from typing import Literal

import keras

import tfkit

Loss = Literal["auto", "cross_entropy", "label_smoothing", "focal", "mse", "mae", "huber", "quantile"]


class Config(tfkit.Config):
    data: Path = tfkit.sample_path("adult.csv.gz")  # the rows
    target: str = "income"  # the column to predict
    task: Literal["auto", "classification", "regression"] = "auto"  # what the target is
    positive_class: str | None = None  # the class that precision, recall and F1 are of; none: the rarer of two
    test_data: Path | None = None  # rows of your own to test on; none: a share of the table
    test_fraction: tfkit.Fraction = 0.15  # share of the rows for the test, where there is no test_data
    val_fraction: tfkit.Fraction = 0.15  # share of the rows that choose the best epoch
    time_column: str | None = None  # the last rows in time are the test
    group_column: str | None = None  # rows of one group stay in one split
    numeric_columns: list[str] = []  # columns that are numbers, whatever they look like
    categorical_columns: list[str] = []  # columns that are categories
    date_columns: list[str] = []  # columns that are dates
    exclude_columns: list[str] = []  # columns that are not used
    slice_columns: list[str] = []  # columns whose values the report always shows apart, such as sex,race
    duplicates: Literal["drop", "keep"] = "drop"  # rows that stand there twice
    delimiter: str | None = None  # of a text file; none: found
    encoding: str | None = None  # of a text file; none: found
    na_values: list[str] | None = None  # cells that mean "missing"; none: the usual ones
    scaling: Literal["robust", "standard", "minmax", "minmax_symmetric", "quantile"] = "robust"  # of numbers
    balance_classes: bool = False  # rows of rare classes weigh more
    architecture: Literal["tabm", "mlp"] = "tabm"  # eight MLPs in one net (TabM), or one with batch normalisation
    ensemble_size: tfkit.PositiveInt = 8  # of the ensemble
    num_layers: tfkit.PositiveInt = 3  # hidden layers
    units: tfkit.PositiveInt | Literal["auto"] = "auto"  # width of each
    dropout: tfkit.Fraction | Literal["auto"] = "auto"  # share of units dropped in training
    embedding_dim: tfkit.NonNegativeInt = 8  # length of a number's or a category's vector; 0: numbers as they are
    num_bins: tfkit.PositiveInt = 128  # of a number's embedding, at most
    refit: bool | Literal["auto"] = "auto"  # once more on training and validation rows; auto: where rows are few
    loss: Loss = "auto"  # what training makes small; auto: cross-entropy of a class, squared error of a number
    quantile: tfkit.Fraction = 0.5  # what loss=quantile predicts
    epochs: tfkit.PositiveInt | Literal["auto"] = "auto"
    batch_size: tfkit.PositiveInt | Literal["all", "auto"] = "auto"
    learning_rate: tfkit.PositiveFloat | Literal["auto"] = "auto"
    learning_rate_schedule: tfkit.ScheduleName = "cosine"
    optimizer: tfkit.OptimizerName = "adamw"
    weight_decay: tfkit.NonNegativeFloat = 0.01

    sample_only_defaults = {"data": ("target",)}

    def validate_settings(self):
        if self.loss == "quantile" and not 0 < self.quantile < 1:
            raise tfkit.UserError(f"`quantile` must be above 0 and below 1. Received: quantile={self.quantile}")
        if self.loss != "quantile" and self.quantile != 0.5:
            raise tfkit.UserError(
                "`quantile=` needs loss=quantile, which predicts that quantile. "
                f"Received: quantile={self.quantile} loss={self.loss}"
            )
        if self.refit is True and self.learning_rate_schedule == "plateau":
            raise tfkit.UserError("learning_rate_decay=plateau needs validation rows, and refit=true leaves none.")
        if self.architecture == "mlp" and self.ensemble_size != 8:
            raise tfkit.UserError(
                f"`ensemble_size=` is of architecture=tabm; architecture=mlp has one. Received: ensemble_size={self.ensemble_size}"
            )
        if self.time_column and self.group_column:
            raise tfkit.UserError("Rows are split by time or by group: give time_column= or group_column=, not both.")


def data(config):
    reading = {"delimiter": config.delimiter, "encoding": config.encoding, "missing": config.na_values}
    frame, test, said = tfkit.data.load_table(
        config.data, config.target, test_data=config.test_data, duplicates=config.duplicates, **reading
    )
    tfkit.data.require_columns(frame, config.slice_columns)
    target = tfkit.data.infer_target(frame[config.target], kind=config.task, positive=config.positive_class)
    tfkit.data.validate_loss(config.loss, target, quantile=config.quantile)
    parts = tfkit.data.train_val_test_split(
        frame,
        target,
        test=test,
        val_fraction=config.val_fraction,
        test_fraction=config.test_fraction,
        time_column=config.time_column,
        group_column=config.group_column,
        leave_out=config.exclude_columns,
        seed=config.effective_split_seed,
    )
    kinds = {
        "number": config.numeric_columns,
        "category": config.categorical_columns,
        "date": config.date_columns,
        "leave_out": config.exclude_columns,
    }
    if config.group_column and not any(config.group_column in names for names in kinds.values()):
        kinds["leave_out"] = [*kinds["leave_out"], config.group_column]
    info = tfkit.data.learn_table(
        parts[0], target, kinds=kinds, scale=config.scaling, bins=config.num_bins, reading=reading, said=said
    )
    if config.loss == "quantile":
        info["target"]["quantile"] = config.quantile
    prepare = tfkit.data.prepare_table(info)
    train, val, test = (tfkit.data.table_rows(part, info, prepare) for part in parts)
    auto = defaults(len(train), info)
    auto["refit"] &= config.learning_rate_schedule != "plateau"  # which needs validation rows
    final = train.concatenate(val) if (auto["refit"] if config.refit == "auto" else config.refit) else None
    if config.balance_classes:
        train, final = (rows and tfkit.data.balance_classes(rows, info) for rows in (train, final))
    return tfkit.Data(
        train, val, test, info, prepare, tfkit.data.make_postprocessor(info), auto_settings=auto, refit_dataset=final
    )


def model(config, data):
    inputs = tfkit.keras_inputs(data.train)
    parts = [inputs[name] for name in ("numbers", "missing") if name in inputs]
    if "numbers" in inputs and config.embedding_dim:
        parts.append(
            tfkit.layers.PiecewiseLinearEmbedding(data.info["edges"], dim=config.embedding_dim)(inputs["numbers"])
        )
    if "categories" in inputs:
        dim = config.embedding_dim or 8
        parts.append(tfkit.layers.CategoricalEmbedding(data.info["sizes"], dim=dim)(inputs["categories"]))
    x = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]

    classes, units = data.info["target"]["classes"], [config.units] * config.num_layers
    shrink, answers = {"dropout": config.dropout, "l1": config.l1, "l2": config.l2}, len(classes or [None])
    if config.architecture == "tabm":
        x = tfkit.layers.TabM(units, members=config.ensemble_size, **shrink)(x)
        x = tfkit.layers.BatchEnsembleDense(answers, config.ensemble_size, shared=False, dtype="float32", name="head")(
            x
        )
        outputs = tfkit.layers.EnsembleAverage(logits=bool(classes), dtype="float32")(x)
    else:
        x = tfkit.layers.MLP(units, normalization="batch", **shrink)(x)
        outputs = keras.layers.Dense(answers, dtype="float32", name="head")(x)

    loss = tfkit.data.make_loss(config.loss, data.info, quantile=config.quantile)
    loss = tfkit.losses.EnsembleLoss(loss) if config.architecture == "tabm" else loss
    model = keras.Model(inputs, outputs, name="tabular")
    model.compile(tfkit.make_optimizer(**config.optimizer_settings, steps=data.steps(config)), loss)
    return model


def defaults(rows, info):
    """What "auto" means for so many training rows: chosen on splits of the training rows of eight open tables."""
    classes, binary = bool(info["target"]["classes"]), info["task"] == "binary"
    size = 0 if rows < 2000 else 1 if rows < 5000 else 2 if rows < 10000 else 3 if rows < 20000 else 4
    return {
        "task": "classification" if classes else "regression",
        "loss": "cross_entropy" if classes else "mse",
        "refit": size == 0,
        "epochs": (12 if size == 4 else 15) if binary else (60, 30, 30, 30, 20)[size],
        "batch_size": (32, 64, 128, 256, 256)[size],
        "learning_rate": (3e-3 if size < 2 else 5e-3) if binary else 1e-2,
        "units": 128,
        "dropout": (0.3 if size < 3 else 0.1) if binary else 0.1 if size < 2 + classes else 0.0,
    }


recipe = tfkit.Recipe(
    Config,
    data,
    model,
    reader=tfkit.read_table,
    monitor="val_loss",
    baselines=[tfkit.baselines.dummy, tfkit.baselines.linear, tfkit.baselines.gradient_boosting],
    search_space={
        "learning_rate": tfkit.log_uniform(2e-3, 2e-2),
        "batch_size": [32, 64, 128, 256, 512],
        "optimizer": ["adamw", "adam", "nadam", "rmsprop"],
        "units": [128, 192, 256],
        "num_layers": (2, 4),
        "dropout": [0.0, 0.1, 0.2, 0.3],
    },
)
