"""Say of a whole time series which class it is of, or a number.

Data     japanese_vowels.ts.gz: 640 recordings of two vowels; which of nine men speaks? (data/japanese_vowels.md)
         Yours: a CSV or TSV file with a row for each series (the target first where columns have no names), one with a
         row for each step (id_column=, time_column=), or a .ts file of the UCR and UEA archives. One or many channels,
         equal or unequal variable_length, gaps.
Expect   test accuracy 0.949 on average over ten sets of the UCR archive, official splits, where the published ResNet
         has 0.943; 15 s of processor time each (seed 0, tests/bench/series.py).
         Where series are few no epoch is chosen: the schedule is fixed, and fitted at last on all but the test series.
Try      make train RECIPE=series
         make train RECIPE=series ARGS="table=hearts_TRAIN.tsv test_data=hearts_TEST.tsv"
         make train RECIPE=series ARGS="table=steps.csv series_id_column=patient time_column=time target=ill architecture=inception"
"""

from pathlib import Path
from typing import Literal

import keras

import tfkit


class Config(tfkit.Config):
    data: Path = tfkit.sample_path("japanese_vowels.ts.gz")  # the series
    target: str | None = None  # the column to predict; none: the first without a name, or label, class, target
    task: Literal["auto", "classification", "regression"] = "auto"  # what the target is
    positive_class: str | None = None  # the class that precision, recall and F1 are of; none: the rarer of two
    test_data: Path | None = None  # series of your own to test on; none: a share of the table
    test_fraction: tfkit.Fraction = 0.15  # share of the series for the test, where there is no test_data
    val_fraction: tfkit.Fraction = 0.15  # share of the series that choose the best epoch
    series_id_column: str | None = None  # which series a row is a step of; none: every row is a series
    time_column: str | None = None  # when that step was; none: steps stand in order
    value_columns: list[str] = []  # the channels, where a row is a step; none: all other columns
    group_column: str | None = None  # series of one group stay in one split
    exclude_columns: list[str] = []  # columns that are not used
    delimiter: str | None = None  # of a text file; none: found
    encoding: str | None = None  # of a text file; none: found
    na_values: list[str] | None = None  # cells that mean "missing"; none: the usual ones
    variable_length: Literal["auto", "false", "true"] = (
        "auto"  # pad: unequal ones are padded and masked; auto: where they are
    )
    normalization: Literal["dataset", "instance", "none"] = (
        "dataset"  # of values: as in all training series, or each series by itself
    )
    balance_classes: bool = False  # series of rare classes weigh more
    architecture: Literal["minirocket", "inception", "cnn", "lstm", "transformer"] = "minirocket"  # what reads series
    num_features: tfkit.PositiveInt = 10000  # of minirocket: what it asks of a series, rounded to a multiple of 84
    use_differences: bool = True  # of minirocket: half of that it asks of the differences from step to step
    classifier: Literal["ridge", "softmax", "auto"] = (
        "auto"  # of minirocket: solved at once, or by steps; auto: many series
    )
    num_layers: tfkit.PositiveInt | Literal["auto"] = "auto"  # of the others: layers, or blocks
    units: tfkit.PositiveInt | Literal["auto"] = "auto"  # of the others: width of each
    dropout: tfkit.Fraction = 0.1  # share of units dropped in training
    refit: bool | Literal["auto"] = "auto"  # once more on training and validation series; auto: where they are few
    loss: Literal["auto", "cross_entropy", "label_smoothing", "focal", "mse", "mae", "huber"] = "auto"
    epochs: tfkit.PositiveInt | Literal["auto"] = "auto"
    batch_size: tfkit.PositiveInt | Literal["all", "auto"] = "auto"
    learning_rate: tfkit.PositiveFloat | Literal["auto"] = "auto"
    learning_rate_schedule: tfkit.ScheduleName = "cosine"
    optimizer: tfkit.OptimizerName = "adamw"
    weight_decay: tfkit.NonNegativeFloat = 0.01

    def validate_settings(self):
        if self.time_column and not self.series_id_column:
            raise tfkit.UserError("`time_column=` is of a table with a row for each step: give series_id_column= too.")
        if self.architecture == "minirocket" and (self.num_layers not in ("auto", 1) or self.units not in ("auto", 64)):
            raise tfkit.UserError(
                "`num_layers=` and `units=` are of the other bodies; architecture=minirocket has num_features=. "
                f"Received: num_layers={self.num_layers} units={self.units}"
            )
        if self.classifier == "ridge" and (self.architecture != "minirocket" or self.epochs not in ("auto", 1)):
            raise tfkit.UserError(
                "head=ridge is of architecture=minirocket, and solved at once: leave out architecture= and epochs=. "
                f"Received: architecture={self.architecture} epochs={self.epochs}"
            )
        if self.refit is True and self.learning_rate_schedule == "plateau":
            raise tfkit.UserError("learning_rate_decay=plateau needs validation rows, and refit=true leaves none.")


def data(config):
    names = ("id_column", "time_column", "value_columns", "leave_out", "delimiter", "encoding", "missing")
    reading = {name: getattr(config, name) for name in names}
    reading["keep"] = [config.group_column] if config.group_column else []
    found, test, said = tfkit.data.load_series(
        config.data, config.target, test_data=config.test_data, variable_length=config.variable_length, **reading
    )
    target = tfkit.data.learn_series_label(found, kind=config.task, positive=config.positive_class)
    tfkit.data.validate_loss(config.loss, target)
    parts = tfkit.data.split_series(
        found,
        target,
        test=test,
        val_fraction=config.val_fraction,
        test_fraction=config.test_fraction,
        group_column=config.group_column,
        seed=config.effective_split_seed,
    )
    info = tfkit.data.learn_series(
        parts[0],
        target,
        others=parts[1:],
        variable_length=config.variable_length,
        scale=config.normalization,
        reading=reading,
        said=said,
    )
    if config.architecture == "minirocket":
        info = tfkit.data.fit_minirocket(
            parts[0], info, features=config.num_features, differences=config.use_differences, seed=config.seed
        )
    prepare = tfkit.data.prepare_series(info)
    train, val, test = tfkit.data.series_rows(parts, info, prepare)
    auto = defaults(len(train), info, config)
    auto["refit"] &= config.learning_rate_schedule != "plateau"  # which needs validation rows
    final = train.concatenate(val) if (auto["refit"] if config.refit == "auto" else config.refit) else None
    if config.balance_classes:
        train, final = (rows and tfkit.data.balance_classes(rows, info) for rows in (train, final))
    return tfkit.Data(
        train, val, test, info, prepare, tfkit.data.make_postprocessor(info), auto_settings=auto, refit_dataset=final
    )


def model(config, data):
    inputs, info, solved = tfkit.keras_inputs(data.train), data.info, config.classifier == "ridge"
    if config.architecture == "minirocket":
        x = inputs["features"]
    else:
        x = inputs["series"]
        if info["series"]["variable_length"]:
            x = keras.layers.Masking(tfkit.data.PADDING)(x)
        x = read(config, info["series"]["length"])(x)
    shrink = keras.regularizers.L1L2(config.l1, config.l2) if config.architecture == "minirocket" else None
    head = keras.layers.Dense(
        len(info["target"]["classes"] or [None]),
        kernel_regularizer=shrink,
        dtype="float32",
        trainable=not solved,
        name="head",
    )
    outputs = head(keras.layers.Dropout(0.0 if solved else config.dropout)(x))
    if solved:
        head.set_weights(tfkit.data.fit_ridge_head(data.train, info))
    model = keras.Model(inputs, outputs, name="network")
    loss = tfkit.data.make_loss(config.loss, info)
    model.compile(tfkit.make_optimizer(**config.optimizer_settings, steps=data.steps(config)), loss)
    return model


def read(config, length):
    """Layers from series `(steps, channels)` to one vector."""
    shrink = {"dropout": config.dropout, "l1": config.l1, "l2": config.l2}
    if config.architecture == "inception":
        return tfkit.layers.InceptionTime(config.units, depth=config.num_layers, l1=config.l1, l2=config.l2)
    if config.architecture == "cnn":
        filters = [config.units, 2 * config.units, 4 * config.units]
        return tfkit.layers.ConvNet(filters, 7, rank=1, depth=config.num_layers, l1=config.l1, l2=config.l2)
    if config.architecture == "lstm":
        return tfkit.layers.RNNStack([config.units] * config.num_layers, bidirectional=True, dropout=config.dropout)
    size = max(1, min(16, length // 8))
    parts = [
        tfkit.layers.PatchEmbedding(size, config.units, stride=(size + 1) // 2),
        tfkit.layers.PositionalEmbedding(),
        tfkit.layers.TransformerEncoder(depth=config.num_layers, **shrink),
        tfkit.layers.GlobalPooling("mean"),
    ]
    return lambda x: [x := part(x) for part in parts][-1]


def defaults(rows, info, config):
    """What "auto" means for so many training series.

    That minirocket's head is solved, and reads differences too, was chosen by leaving out training series of ten open
    sets in turn. The schedules of the other bodies are fixed and were not searched for.
    """
    classes, solved = bool(info["target"]["classes"]), rows <= 4000 and config.epochs == "auto"
    rocket = config.architecture == "minirocket"
    head = ("ridge" if solved else "softmax") if config.classifier == "auto" and rocket else config.classifier
    return {
        "task": "classification" if classes else "regression",
        "loss": "cross_entropy" if classes else "mse",
        "refit": rows < 5000,
        "variable_length": info["series"]["lengths"],
        "classifier": head if rocket else "softmax",
        "num_layers": {"inception": 3, "transformer": 2}.get(config.architecture, 1),
        "units": {"inception": 32, "convolution": 32}.get(config.architecture, 64),
        "epochs": 1 if head == "ridge" and rocket else 20 if rocket else max(20, min(150, 30_000 // rows)),
        "batch_size": 16 if rows < 1000 else 64,
        "learning_rate": 1e-4 if rocket else 1e-3,
    }


recipe = tfkit.Recipe(
    Config,
    data,
    model,
    reader=tfkit.read_series,
    monitor="val_loss",
    baselines=[tfkit.baselines.dummy, tfkit.baselines.nearest_neighbor, tfkit.baselines.linear_series],
    search_space={
        "learning_rate": tfkit.log_uniform(1e-4, 1e-2),
        "batch_size": [8, 16, 32, 64],
        "architecture": ["minirocket", "inception", "cnn", "lstm", "transformer"],
        "dropout": (0.0, 0.5),
    },
)
