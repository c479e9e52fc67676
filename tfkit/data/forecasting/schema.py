"""Load forecasting data, split it by time, fit its schema on the training steps, and create windows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfkit.data.columns import frequencies
from tfkit.data.forecasting.features import select_calendar
from tfkit.data.forecasting.series_grid import SeriesGrid
from tfkit.errors import UserError, format_list

MIN_PAST_SEASONS, MIN_PAST_HORIZONS, MIN_PAST_STEPS = 2, 3.5, 24  # past=auto is the largest of these, if it fits

MAX_AUTO_HORIZON, MAX_AUTO_PAST = 168, 1024  # steps


def learn_history(
    grid: SeriesGrid,
    present: np.ndarray,
    rules: Mapping[str, Any],
    splits: Mapping[str, Sequence[int]],
    *,
    horizon: int,
    past: int | str = "auto",
    calendar: Sequence[str] | str = "auto",
    quantiles: Sequence[float] = (0.5,),
) -> dict[str, Any]:
    """Fit the schema of the series on the training steps, as JSON-compatible values.

    Args:
        grid, present, rules: Results of `load_history`.
        splits: Result of `split_history`.
        horizon: Steps to forecast.
        past: Steps that the model sees; "auto" for the largest of 3.5 horizons, two seasons and 24 steps, but at most
            half of the training steps and 1,024; a multiple of the season if it contains one.
        calendar: Calendar features among hour, weekday and yearday; "auto" for those of which the training steps
            contain two cycles, and the past does not.
        quantiles: Quantiles to predict for every step, ascending, the median in the middle.

    Returns:
        `info`: task, target, inputs, and the parameters of `prepare_windows`.

    Raises:
        UserError: If every series is constant or too short for one window.
    """
    begin, end = splits["train"]
    season = rules["season"]
    past = _choose_past(end - begin, horizon, season) if past == "auto" else int(past)
    in_train = present & (grid.time_index < end)
    messages, statistics = list(rules["cleaning"]), _series_statistics(grid, in_train, season)
    short, constant = [], []
    for steps, name, scale in zip(grid.slices(), grid.names, statistics["scale"], strict=True):
        if (grid.time_index[steps] < end).sum() < past + horizon:
            short.append(name)
        elif not scale:
            constant.append(name)
    if len(short) + len(constant) == len(grid.names):
        if constant:
            raise UserError(
                f"At least one series must vary in training. Received: {format_list(constant)}, constant in "
                "all training rows"
            )
        raise UserError(
            f"The training steps must contain at least one window of past and horizon; use a shorter context_length= or "
            f"horizon=. Received: {past=}, {horizon=}, and {end - begin:,} steps"
        )
    for names, reason in ((short, "too short for one window in training"), (constant, "constant in training")):
        if names:
            messages.append(
                f"{len(names):,} of {len(grid.names):,} series excluded from training: {reason}: {format_list(names)}"
            )
    features = select_calendar(calendar, rules["frequency"], end - begin, past)
    inputs: dict[str, Any] = {"values": {"dtype": "float32", "shape": [past]}}
    if features:
        inputs["calendar"] = {"dtype": "float32", "shape": [past + horizon, len(features)], "parts": features}
    moments = {}
    if rules["known"]:
        inputs["known"] = {"dtype": "float32", "shape": [past + horizon, len(rules["known"])]}
        train = grid.covariates[grid.time_index < end]
        moments = {"mean": train.mean(0).tolist(), "variance": (train.var(0) + (train.var(0) == 0)).tolist()}
    return {
        "task": "forecast",
        "target": {"name": " ".join(rules["target"]), "classes": None, "positive": None},
        "cleaning": messages,
        "rules": {name: rules[name] for name in ("time", "series_column", "target", "known", "frequency", "gaps")},
        "reading": rules["reading"],
        "columns": _column_roles(rules, features),
        "inputs": inputs,
        "past": past,
        "horizon": horizon,
        "season": season,
        "quantiles": list(quantiles),
        "splits": {name: list(bounds) for name, bounds in splits.items()},
        "series": {"names": grid.names, **statistics, "left_out": short + constant},
        "known": moments,
        "block": horizon * (len(grid.names) - len(short + constant)),
    }


def _series_statistics(grid: SeriesGrid, in_train: np.ndarray, season: int) -> dict[str, list[float]]:
    """Compute mean, standard deviation and mean absolute seasonal naive error of each series in training."""
    statistics: dict[str, list[float]] = {"mean": [], "scale": [], "naive_error": []}
    for steps in grid.slices():
        values, mask = grid.values[steps], in_train[steps]
        train = values[mask]
        mean = float(train.mean()) if len(train) else 0.0
        std = float(train.std()) if len(train) else 0.0
        errors = np.abs(values[season:] - values[:-season])[mask[season:] & mask[:-season]]
        statistics["mean"].append(mean)
        statistics["scale"].append(std if std > 1e-9 * abs(mean) else 0.0)
        statistics["naive_error"].append(float(errors.mean()) if len(errors) else 0.0)
    return statistics


def _choose_past(steps: int, horizon: int, season: int) -> int:
    """Return the default number of past steps."""
    longest = max(int(MIN_PAST_HORIZONS * horizon), MIN_PAST_SEASONS * season, MIN_PAST_STEPS)
    past = max(1, min(longest, (steps - horizon) // 2, MAX_AUTO_PAST))
    return past // season * season or past


def _column_roles(rules: Mapping[str, Any], calendar: Sequence[str]) -> dict[str, dict[str, str]]:
    """Describe kind and treatment of each column."""
    time = f"steps of {frequencies.spoken(rules['frequency'])}" + (f"; {', '.join(calendar)}" if calendar else "")
    roles = {rules["time"]["column"]: {"kind": "time", "treatment": time}}
    if rules["series_column"]:
        roles[rules["series_column"]] = {"kind": "series", "treatment": "series id"}
    roles |= {name: {"kind": "value", "treatment": "forecast"} for name in rules["target"]}
    return roles | {name: {"kind": "known", "treatment": "known covariate; standardized"} for name in rules["known"]}
