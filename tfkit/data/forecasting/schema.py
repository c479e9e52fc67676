"""Schema of forecasting: fit the statistics of the series on the training steps."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from tfkit.data.columns import frequencies
from tfkit.data.columns.numeric import needs_float64
from tfkit.data.forecasting.features import select_calendar_features
from tfkit.data.forecasting.metadata import CovariateMoments, ForecastingMetadata, SeriesStatistics, TableRules
from tfkit.data.forecasting.series_grid import SeriesGrid
from tfkit.errors import UserError, format_list
from tfkit.metadata import Target

SCHEMA_SETTINGS = frozenset({"context_length", "calendar_features", "quantiles", "loss"})

CONTEXT_SEASONS, CONTEXT_HORIZONS, CONTEXT_STEPS = 2, 3.5, 24  # context_length=auto is the largest of these, if it fits

MIN_ZERO_FRACTION = 0.01  # of values that are never negative, so that 0 is a bound and not a coincidence

FLOAT64_MESSAGE = "read as float64, relative to the last known value: float32 would round the steps"

MAX_AUTO_HORIZON, MAX_AUTO_CONTEXT = 168, 1024  # steps


def fit_schema(
    grid: SeriesGrid,
    rules: TableRules,
    splits: Mapping[str, tuple[int, int]],
    *,
    horizon: int,
    context_length: int | str = "auto",
    calendar_features: Sequence[str] | str = "auto",
    quantiles: Sequence[float] = (0.5,),
    loss: Literal["quantile", "mse"] = "quantile",
) -> ForecastingMetadata:
    """Fit the schema of the series on the training steps.

    Args:
        grid, rules: Results of `load`.
        splits: Result of `split`.
        horizon: Steps to forecast.
        context_length: Past steps that the model sees; "auto" for the largest of 3.5 horizons, two seasons and 24
            steps, but at most half of the training steps and 1,024; a multiple of the season if it contains one.
        calendar_features: Some of hour, weekday and yearday; "auto" for those of which the training steps contain two
            cycles, and the past does not.
        quantiles: Quantiles to predict for every step, ascending, the median in the middle.
        loss: "mse" to predict the mean only, without quantiles.

    Raises:
        UserError: If every series is constant or too short for one window.
    """
    begin, end = splits["train"]
    season = rules.season_length
    past = _default_context_length(end - begin, horizon, season) if context_length == "auto" else int(context_length)
    statistics = _series_statistics(grid, grid.is_observed & (grid.time_index < end), season)
    short, constant = _series_without_windows(grid, statistics, past + horizon, end)
    if len(short) + len(constant) == len(grid.names):
        if constant:
            raise UserError(
                f"At least one series must vary in training. Received: {format_list(constant)}, constant in "
                "all training rows"
            )
        raise UserError(
            f"The training steps must contain at least one window of past and horizon; use a shorter context_length= "
            f"or horizon=. Received: context_length={past}, {horizon=}, and {end - begin:,} steps"
        )
    messages = list(rules.notes)
    for names, reason in ((short, "too short for one window in training"), (constant, "constant in training")):
        if names:
            messages.append(
                f"{len(names):,} of {len(grid.names):,} series excluded from training: {reason}: {format_list(names)}"
            )
    statistics.excluded = short + constant
    minimum = _minimum(grid.values[grid.is_observed & (grid.time_index < end)])
    if minimum is not None:
        messages.append("values are never negative: forecasts and prediction intervals are at least 0")
    features = select_calendar_features(calendar_features, rules.frequency, end - begin, past)
    dtype = _values_dtype(grid, end)
    messages += [FLOAT64_MESSAGE] if dtype == "float64" else []
    inputs: dict[str, Any] = {"values": {"dtype": dtype, "shape": [past]}}
    if features:
        inputs["calendar"] = {"dtype": "float32", "shape": [past + horizon, len(features)], "features": features}
    moments = None
    if rules.known_covariates:
        dtype, moments = _covariate_statistics(grid.covariates[grid.time_index < end])
        inputs["known"] = {"dtype": dtype, "shape": [past + horizon, len(rules.known_covariates)]}
    return ForecastingMetadata(
        **{**dict(rules), "notes": messages},
        target=Target(name=" ".join(rules.target_columns), task="forecasting"),
        inputs=inputs,
        columns=_column_roles(rules, features),
        horizon=horizon,
        context_length=past,
        quantiles=list(quantiles) if loss == "quantile" else [0.5],
        splits=dict(splits),
        series=statistics,
        covariate_moments=moments,
        minimum=minimum,
        block_length=horizon * (len(grid.names) - len(statistics.excluded)),
    )


def _covariate_statistics(train: np.ndarray) -> tuple[str, CovariateMoments]:
    """Return the dtype in which covariates `(steps, columns)` are read, and their moments."""
    dtype = "float64" if any(map(needs_float64, train.T, np.diff(train, axis=0).T)) else "float32"
    center = np.median(train, axis=0)  # sums of large values would round
    variance = (train - center).var(0)
    mean = center + (train - center).mean(0)
    return dtype, CovariateMoments(mean=mean.tolist(), variance=(variance + (variance == 0)).tolist())


def _values_dtype(grid: SeriesGrid, end: int) -> str:
    """Return float64 if float32 would round the training values by a visible part of their steps."""
    is_train = grid.is_observed & (grid.time_index < end)
    is_step = is_train[1:] & is_train[:-1] & (np.diff(grid.series_index) == 0)
    return "float64" if needs_float64(grid.values[is_train], np.diff(grid.values)[is_step]) else "float32"


def validate_quantiles(quantiles: Sequence[float]) -> None:
    """Raise an error if quantiles are not the median and pairs around it, in ascending order.

    Raises:
        UserError: If they are not.
    """
    pairs = zip(quantiles, quantiles[::-1], strict=True)
    if list(quantiles) != sorted({*quantiles}) or any(abs(low + high - 1) > 1e-9 for low, high in pairs):
        raise UserError(
            f"`quantiles` must be the median and pairs around it, such as 0.1,0.5,0.9, in order. Received: {quantiles}"
        )
    if len(quantiles) % 2 == 0 or quantiles[0] <= 0:
        raise UserError(
            f"`quantiles` must lie between 0 and 1, with the median, 0.5, in the middle. Received: {quantiles}"
        )


def _series_without_windows(
    grid: SeriesGrid, statistics: SeriesStatistics, window_length: int, end: int
) -> tuple[list[str], list[str]]:
    """Return the names of series that are too short for a window before `end`, and of constant series."""
    short, constant = [], []
    for steps, name, scale in zip(grid.slices(), grid.names, statistics.scale, strict=True):
        if (grid.time_index[steps] < end).sum() < window_length:
            short.append(name)
        elif not scale:
            constant.append(name)
    return short, constant


def _minimum(values: np.ndarray) -> float | None:
    """Return 0 if the values are counts, or are often 0, never negative, and near 0; else None."""
    if values.min() > 2 * values.std():
        return None
    is_count = bool((values % 1 == 0).all())
    return 0.0 if values.min() >= 0 and (is_count or (values == 0).mean() >= MIN_ZERO_FRACTION) else None


def _series_statistics(grid: SeriesGrid, in_train: np.ndarray, season: int) -> SeriesStatistics:
    """Compute mean, standard deviation and mean absolute seasonal naive error of each series in training."""
    statistics = SeriesStatistics(names=grid.names)
    for steps in grid.slices():
        values, mask = grid.values[steps], in_train[steps]
        train = values[mask]
        mean = float(train.mean()) if len(train) else 0.0
        std = float(train.std()) if len(train) else 0.0
        errors = np.abs(values[season:] - values[:-season])[mask[season:] & mask[:-season]]
        statistics.mean.append(mean)
        statistics.scale.append(std if std > 1e-9 * abs(mean) else 0.0)
        statistics.naive_error.append(float(errors.mean()) if len(errors) else 0.0)
    return statistics


def _default_context_length(steps: int, horizon: int, season: int) -> int:
    """Return the default number of past steps."""
    longest = max(int(CONTEXT_HORIZONS * horizon), CONTEXT_SEASONS * season, CONTEXT_STEPS)
    context_length = max(1, min(longest, (steps - horizon) // 2, MAX_AUTO_CONTEXT))
    return context_length // season * season or context_length


def _column_roles(rules: TableRules, features: Sequence[str]) -> dict[str, dict[str, str]]:
    """Describe kind and treatment of each column."""
    time = f"steps of {frequencies.format_frequency(rules.frequency)}" + (
        f"; {', '.join(features)}" if features else ""
    )
    roles = {name: {"kind": "time", "treatment": time} for name in rules.time["columns"]}
    if rules.series_id_column:
        roles[rules.series_id_column] = {"kind": "series", "treatment": "series id"}
    roles |= {name: {"kind": "value", "treatment": "forecast"} for name in rules.target_columns}
    covariate = {"kind": "known", "treatment": "known covariate; standardized"}
    return roles | {name: dict(covariate) for name in rules.known_covariates}
