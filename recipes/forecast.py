"""Foretell the next values of one series or many, with bands that say how sure they are.

Data     co2.csv.gz: carbon dioxide in the air, weekly for 43 years; the next year? (data/co2.md)
         Yours: a CSV, TSV, Parquet or JSON-lines file with a column of times and a column for each series, or with one
         row for each series and time (series_column=). Steps may be missing, series of any units and lengths.
Expect   a mean absolute error of 0.60 parts per million, 95% interval 0.50 to 0.72, against 1.72 of the seasonal naive;
         0.81 of the test values in the band of 80% (two cores, seed 0). ETTh1, 96 hours ahead: mean squared error 0.367
         standardised, 0.78 in the band of 80%, 35 s. More series, and lstm and transformer: README.md.
Try      make train RECIPE=forecast
         make train RECIPE=forecast ARGS="table=sales.csv series_id_column=shop target=sold horizon=28 known_covariates=holiday,price"
         make train RECIPE=forecast ARGS="table=load.csv architecture=lstm test_steps=2880"
"""

from pathlib import Path
from typing import Literal

import keras

import tfkit


class Config(tfkit.Config):
    data: Path = tfkit.sample_path(
        "co2.csv.gz"
    )  # the rows: one a time with a column a series, or one a series and time
    target: list[str] = []  # the columns to forecast; none: all columns of numbers
    time_column: str | None = None  # none: the first column of dates; plain numbers count steps
    series_id_column: str | None = None  # of a long table: which series a row is of
    known_covariates: list[str] = []  # columns whose future is known: holidays, prices
    exclude_columns: list[str] = []  # columns that are not used
    horizon: tfkit.PositiveInt | Literal["auto"] = "auto"  # steps to foretell; auto: a season
    context_length: tfkit.PositiveInt | Literal["auto"] = (
        "auto"  # steps that are seen; auto: 3.5 horizons where there is room
    )
    season_length: tfkit.PositiveInt | Literal["auto"] = (
        "auto"  # steps of the seasonal cycle; auto: that of the frequency
    )
    calendar_features: list[str] | Literal["auto"] = (
        "auto"  # some of hour, weekday, yearday; auto: those the past cannot show
    )
    fill_missing: Literal["ffill", "linear", "error"] = (
        "ffill"  # what stands for missing values: the last one, a line, nothing
    )
    test_fraction: tfkit.Fraction = 0.2  # share of the steps for the test, the last ones
    val_fraction: tfkit.Fraction = 0.15  # share of the steps that choose the best epoch, those before
    train_steps: tfkit.PositiveInt | None = (
        None  # numbers of steps in place of shares; with train_steps the rest is left out
    )
    val_steps: tfkit.PositiveInt | None = None  # those before the test
    test_steps: tfkit.PositiveInt | None = None  # the last ones
    delimiter: str | None = None  # of a text file; none: found
    encoding: str | None = None  # of a text file; none: found
    na_values: list[str] | None = None  # cells that mean "missing"; none: the usual ones
    architecture: Literal["linear", "lstm", "transformer"] = "linear"  # what reads the past
    window_center: Literal["last", "mean"] = (
        "last"  # what the values of a window are measured from, in their own spread
    )
    linear_skip: bool = True  # beside lstm and transformer a linear map of the past, which they correct
    trend_window: tfkit.PositiveInt = 25  # steps of the mean that draws the trend out, for the linear map
    patch_length: tfkit.PositiveInt | Literal["auto"] = (
        "auto"  # steps that lstm, transformer read at once; auto: about a season
    )
    num_layers: tfkit.PositiveInt = 1  # layers of lstm, transformer
    units: tfkit.PositiveInt | Literal["auto"] = "auto"  # width of them
    dropout: tfkit.Fraction = 0.2  # share of units dropped in training
    loss: Literal["quantile", "mse"] = "quantile"  # squared: the mean alone, without bands
    quantiles: list[float] = [0.025, 0.1, 0.5, 0.9, 0.975]  # what is foretold: the median, and bands around it
    epochs: tfkit.PositiveInt | Literal["auto"] = "auto"
    batch_size: tfkit.PositiveInt | Literal["all", "auto"] = "auto"
    learning_rate: tfkit.PositiveFloat | Literal["auto"] = "auto"
    learning_rate_schedule: tfkit.ScheduleName = "cosine"
    refit: bool | Literal["auto"] = "auto"  # once more on training and validation steps; auto: where windows are few

    def validate_settings(self):
        told = self.quantiles
        if told != sorted({*told}) or any(abs(a + b - 1) > 1e-9 for a, b in zip(told, told[::-1], strict=True)):
            raise tfkit.UserError(
                f"`quantiles` must be the median and pairs around it, such as 0.1,0.5,0.9, in order. Received: {told}"
            )
        if not told or len(told) % 2 == 0 or told[0] <= 0:
            raise tfkit.UserError(
                f"`quantiles` must lie between 0 and 1, with the median, 0.5, in the middle. Received: {told}"
            )
        if self.refit is True and self.learning_rate_schedule == "plateau":
            raise tfkit.UserError("learning_rate_decay=plateau needs validation rows, and refit=true leaves none.")


def data(config):
    quantiles = config.quantiles if config.loss == "quantile" else [0.5]
    told, present, rules = tfkit.data.load_history(
        config.data,
        target=config.target,
        time_column=config.time_column,
        series_column=config.series_id_column,
        known=config.known_covariates,
        leave_out=config.exclude_columns,
        gaps=config.fill_missing,
        season=config.season_length,
        reading={"delimiter": config.delimiter, "encoding": config.encoding, "missing": config.na_values},
    )
    horizon = tfkit.data.default_horizon(told, rules) if config.horizon == "auto" else config.horizon
    splits = tfkit.data.split_history(
        told,
        horizon,
        val_fraction=config.val_fraction,
        test_fraction=config.test_fraction,
        train_steps=config.train_steps,
        val_steps=config.val_steps,
        test_steps=config.test_steps,
    )
    info = tfkit.data.learn_history(
        told,
        present,
        rules,
        splits,
        horizon=horizon,
        past=config.context_length,
        calendar=config.calendar_features,
        quantiles=quantiles,
    )
    prepare = tfkit.data.prepare_windows(info)
    power = 2 if config.loss == "mse" else 1
    train, val, test, both = (
        tfkit.data.history_windows(told, present, info, split, prepare, power=power)
        for split in ("train", "val", "test", "train+val")
    )
    auto = defaults(len(train), info, config.architecture)
    final = both if (auto["refit"] if config.refit == "auto" else config.refit) else None
    return tfkit.Data(
        train,
        val,
        test,
        info,
        prepare,
        tfkit.data.restore_windows(info),
        auto_settings=auto,
        refit_dataset=final,
        calibrate=tfkit.data.calibrate_intervals,
    )


def model(config, data):
    inputs, info = tfkit.keras_inputs(data.train), data.info
    horizon, answers, whole = info["horizon"], len(info["quantiles"]), {"dtype": "float32"}
    statistics = tfkit.layers.WindowStatistics(config.window_center, **whole)(inputs["values"])
    past = tfkit.layers.WindowScaling(**whole)(inputs["values"], statistics)
    told = [inputs[name] for name in ("calendar", "known") if name in inputs]
    if told:  # what they do is taken out of the past, and put into the future
        x = keras.layers.Concatenate()(told) if len(told) > 1 else told[0]
        x = tfkit.layers.MLP([32], dropout=config.dropout)(x)
        effect = keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False, name="effect", **whole)(x)
        before = keras.layers.Reshape((-1,))(keras.layers.Cropping1D((0, horizon))(effect))
        past = keras.layers.Subtract(**whole)([past, before])

    shrink = {"l1": config.l1, "l2": config.l2}
    dense = {"kernel_initializer": "zeros", "kernel_regularizer": keras.regularizers.L1L2(**shrink), **whole}
    parts = []
    if config.architecture == "linear" or config.linear_skip:
        trend = tfkit.layers.MovingAverage(config.trend_window)(past)
        rest = keras.layers.Subtract()([past, trend])
        parts += [keras.layers.Dense(horizon * answers, use_bias=False, **dense)(x) for x in (trend, rest)]
    if config.architecture != "linear":
        overlap = {"stride": max(1, config.patch_length // 2)} if config.architecture == "transformer" else {}
        x = keras.layers.Reshape((-1, 1))(past)
        x = tfkit.layers.PatchEmbedding(config.patch_length, config.units, **overlap, **shrink)(x)
        if config.architecture == "lstm":
            x = tfkit.layers.RNNStack([config.units] * config.num_layers, dropout=config.dropout)(x)
        else:
            x = tfkit.layers.PositionalEmbedding()(x)
            x = tfkit.layers.TransformerEncoder(depth=config.num_layers, dropout=config.dropout, **shrink)(x)
            x = keras.layers.Dropout(config.dropout)(keras.layers.Flatten()(x))
        parts.append(keras.layers.Dense(horizon * answers, name="head", **dense)(x))
    x = keras.layers.Add(**whole)(parts) if len(parts) > 1 else parts[0]
    parts = [keras.layers.Reshape((horizon, answers), **whole)(x)]
    if info["season"] <= info["past"]:  # it begins at the seasonal naive, and learns what to correct
        last = tfkit.layers.SeasonalNaive(info["season"], horizon, **whole)(past)
        parts.append(keras.layers.Reshape((horizon, 1), **whole)(last))
    if told:
        parts.append(keras.layers.Cropping1D((info["past"], 0), **whole)(effect))
    x = keras.layers.Add(**whole)(parts) if len(parts) > 1 else parts[0]
    outputs = tfkit.layers.WindowScaling(inverse=True, **whole)(x, statistics)
    model = keras.Model(inputs, outputs, name="network")
    loss = (
        tfkit.losses.QuantileLoss(info["quantiles"]) if config.loss == "quantile" else keras.losses.MeanSquaredError()
    )
    model.compile(tfkit.make_optimizer(**config.optimizer_settings, steps=data.steps(config)), loss)
    return model


def defaults(windows, info, body):
    """What "auto" means for so many training windows: chosen on validation steps of four open sets."""
    return {
        "horizon": info["horizon"],
        "context_length": info["past"],
        "season_length": info["season"],
        "calendar_features": info["inputs"].get("calendar", {}).get("parts", []),
        "refit": windows < 2000,
        "units": 16 if body == "transformer" else 64,
        "patch_length": info["season"] if 4 <= info["season"] <= 32 else 16,
        "epochs": 30 if windows < 2000 else 10 if windows < 20_000 else 5 if windows < 200_000 else 2,
        "batch_size": 16 if windows < 2000 else 128,
        "learning_rate": 1e-3 if body == "transformer" else 3e-3,
    }


recipe = tfkit.Recipe(
    Config,
    data,
    model,
    reader=tfkit.read_history,
    monitor="val_loss",
    baselines=[tfkit.baselines.naive, tfkit.baselines.seasonal_naive],
    search_space={
        "learning_rate": tfkit.log_uniform(1e-4, 1e-2),
        "batch_size": [32, 64, 128, 256],
        "architecture": ["linear", "lstm", "transformer"],
        "units": [32, 64, 128],
        "dropout": (0.0, 0.5),
    },
)
