"""Forecast the next values of one or many time series, with prediction intervals.

Data     co2.csv.gz: carbon dioxide in the air, weekly for 43 years; the next year? (data/co2.md)
         Yours: a table with a time column and a column per series, or with a row per series and time.
Expect   mean absolute error 0.60 ppm (95% interval 0.50 to 0.72; seasonal naive 1.72), 80% interval: coverage 0.85
         (two cores, seed 0). ETTh1, 96 hours: standardized mean squared error 0.367, coverage 0.83, 30 s.
Try      make train RECIPE=forecast
         make train RECIPE=forecast ARGS="data=sales.csv series_id_column=shop target=sold known_covariates=price"
"""

from pathlib import Path
from typing import Literal

import keras

import tfkit


class Config(tfkit.Config):
    data: Path = tfkit.sample_path("co2.csv.gz")  # a table of series
    target: list[str] = []  # columns to forecast; none: all numeric columns
    time_column: str | None = None  # none: the first column with dates; plain numbers count steps
    series_id_column: str | None = None  # of a table with a row per series and time: the series of each row
    known_covariates: list[str] = []  # columns whose future values are known: holidays, prices
    exclude_columns: list[str] = []  # columns that are not used
    day_first: bool | None = None  # whether 01/02/2024 is 1 February; none: the order that gives regular steps
    horizon: tfkit.PositiveInt | Literal["auto"] = "auto"  # steps to forecast; auto: a season
    context_length: tfkit.PositiveInt | Literal["auto"] = "auto"  # past steps; auto: about 3.5 horizons
    season_length: tfkit.PositiveInt | Literal["auto"] = "auto"  # steps of the seasonal cycle; auto: by the frequency
    calendar_features: list[str] | Literal["auto"] = "auto"  # hour, weekday, yearday; auto: if useful
    fill_missing: Literal["ffill", "linear", "error"] = "ffill"  # previous value, linear interpolation, or an error
    test_fraction: tfkit.Fraction = 0.2  # fraction of the steps for the test split, the last ones
    val_fraction: tfkit.Fraction = 0.15  # fraction of the steps for validation, those before the test split
    train_steps: tfkit.PositiveInt | None = None  # number of steps instead of the fraction; later steps are not used
    val_steps: tfkit.PositiveInt | None = None  # number of steps instead of val_fraction
    test_steps: tfkit.PositiveInt | None = None  # number of steps instead of test_fraction
    delimiter: str | None = None  # of a text file; none: detected
    encoding: str | None = None  # of a text file; none: detected
    na_values: list[str] | None = None  # cells that mean "missing"; none: the usual ones
    architecture: Literal["linear", "lstm", "transformer"] = "linear"  # network of the past
    window_center: Literal["last", "mean"] = "last"  # what is subtracted from the values of a window
    linear_skip: bool = True  # lstm, transformer: add the linear model to their output
    trend_window: tfkit.PositiveInt = 25  # steps of the moving average that is the trend, for the linear model
    patch_length: tfkit.PositiveInt | Literal["auto"] = "auto"  # lstm, transformer: steps; auto: a season
    num_layers: tfkit.PositiveInt = 1  # lstm, transformer: number of layers
    units: tfkit.PositiveInt | Literal["auto"] = "auto"  # lstm, transformer: width of a layer
    dropout: tfkit.Fraction = 0.2  # fraction of units dropped in training
    loss: Literal["quantile", "mse"] = "quantile"  # mse: the mean only, without prediction intervals
    quantiles: list[float] = [0.025, 0.1, 0.5, 0.9, 0.975]  # the median, and the ends of the prediction intervals
    epochs: tfkit.PositiveInt | Literal["auto"] = "auto"
    batch_size: tfkit.PositiveInt | Literal["all", "auto"] = "auto"
    learning_rate: tfkit.PositiveFloat | Literal["auto"] = "auto"
    learning_rate_schedule: tfkit.ScheduleName = "cosine"
    refit: bool | Literal["auto"] = "auto"  # train again on training and validation steps; auto: if windows are few

    def validate_settings(self):
        tfkit.data.forecasting.validate_quantiles(self.quantiles)


def data(config):
    kind, power = tfkit.data.forecasting, 1 if config.loss == "quantile" else 2
    grid, rules = kind.load(config.data, **config.model_dump(include=kind.LOAD_SETTINGS))
    horizon = kind.default_horizon(grid, rules) if config.horizon == "auto" else config.horizon
    splits = kind.split(grid, horizon, **config.model_dump(include=kind.SPLIT_SETTINGS))
    metadata = kind.fit_schema(grid, rules, splits, horizon=horizon, **config.model_dump(include=kind.SCHEMA_SETTINGS))
    preprocessor = kind.make_preprocessor(metadata)
    datasets = [kind.make_dataset(grid, metadata, split, preprocessor, power=power) for split in metadata.splits]
    auto = auto_settings(config, metadata, len(datasets[0]))
    options = {"auto_settings": auto, "calibrate": kind.calibrate_intervals}
    return tfkit.tasks.make_data(config, datasets, metadata, preprocessor, **options)


def model(config, data):  # corrects the seasonal naive forecast by a linear model, a network and covariates
    inputs, metadata, float32 = tfkit.keras_inputs(data.train), data.metadata, {"dtype": "float32"}
    steps, horizon, num_outputs = metadata.context_length, metadata.horizon, tfkit.tasks.num_outputs(metadata)
    statistics = tfkit.layers.WindowStatistics(config.window_center, **float32)(inputs["values"])
    past = tfkit.layers.WindowScaling(**float32)(inputs["values"], statistics)
    covariates, corrections = [inputs[name] for name in ("calendar", "known") if name in inputs], []
    if covariates:  # their effect is subtracted from the past, and added to the forecast
        x = tfkit.layers.MLP([32], dropout=config.dropout)(keras.ops.concatenate(covariates, axis=-1))
        effect = keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False, name="effect", **float32)(x)
        past = past - effect[:, :steps, 0]
    if config.architecture == "linear" or config.linear_skip:
        options = {"kernel_size": config.trend_window, "l1": config.l1, "l2": config.l2, **float32}
        corrections.append(tfkit.layers.DLinear(horizon * num_outputs, **options)(past))
    if config.architecture != "linear":
        options = config.model_dump(include={"patch_length", "units", "num_layers", "dropout", "l1", "l2"})
        x = tfkit.layers.encode_past(past, config.architecture, **options)
        zeros = {"kernel_initializer": "zeros", "kernel_regularizer": keras.regularizers.L1L2(config.l1, config.l2)}
        corrections.append(keras.layers.Dense(horizon * num_outputs, name="head", **zeros, **float32)(x))
    forecast = keras.layers.Reshape((horizon, num_outputs), **float32)(sum(corrections[1:], corrections[0]))
    if metadata.season_length <= steps:
        forecast += tfkit.layers.SeasonalNaive(metadata.season_length, horizon, **float32)(past)[..., None]
    if covariates:
        forecast += effect[:, steps:]
    outputs = tfkit.layers.WindowScaling(inverse=True, **float32)(forecast, statistics)
    model = keras.Model(inputs, outputs, name="network")
    loss = tfkit.tasks.make_loss(config.loss, metadata)
    model.compile(tfkit.make_optimizer(**config.optimizer_settings, steps=data.steps(config)), loss)
    return model


def auto_settings(config, metadata, windows):
    """Values of the settings that are "auto", chosen on validation steps of four public data sets."""
    season, is_transformer = metadata.season_length, config.architecture == "transformer"
    return {
        **metadata.auto_settings,
        "refit": windows < 2000,
        "units": 16 if is_transformer else 64,
        "patch_length": season if 4 <= season <= 32 else 16,
        "epochs": 30 if windows < 2000 else 10 if windows < 20_000 else 5 if windows < 200_000 else 2,
        "batch_size": 16 if windows < 2000 else 128,
        "learning_rate": 1e-3 if is_transformer else 3e-3,
    }


NETWORK_SPACE = {"architecture": ["linear", "lstm", "transformer"], "units": [32, 64, 128], "dropout": (0.0, 0.5)}
SEARCH_SPACE = {"learning_rate": tfkit.log_uniform(1e-4, 1e-2), "batch_size": [32, 64, 128, 256], **NETWORK_SPACE}
READER, BASELINES = tfkit.data.forecasting, [tfkit.baselines.naive, tfkit.baselines.seasonal_naive]
recipe = tfkit.Recipe(Config, data, model, reader=READER, baselines=BASELINES, search_space=SEARCH_SPACE)
