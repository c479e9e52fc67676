"""Load forecasting data, split it by time, fit its schema on the training steps, and create windows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfkit.data import frequencies
from tfkit.data.forecast_features import covariates, select_calendar, stamps
from tfkit.data.history import History, filled, history, trimmed
from tfkit.data.history_columns import learn_rules
from tfkit.data.targets import listed
from tfkit.data.windows import Windows
from tfkit.errors import UserError

MIN_PAST_SEASONS, MIN_PAST_HORIZONS, MIN_PAST_STEPS = 2, 3.5, 24  # past=auto is the largest of these, if it fits
MAX_AUTO_HORIZON, MAX_AUTO_PAST = 168, 1024  # steps
MAX_EVAL_WINDOWS = 100_000  # of the validation split, and of the test split


def load_history(
    table: Any, *, gaps: str = "last", season: int | str = "auto", **rules: Any
) -> tuple[History, np.ndarray, dict[str, Any]]:
    """Read a table as series on a regular time grid, with missing values filled.

    Args:
        table: Any source that `read_frame` accepts.
        gaps: How missing values are filled: "last", "linear", or "refuse" to raise an error.
        season: Steps of the seasonal cycle; "auto" for that of the frequency.
        rules: Other arguments of `learn_rules`.

    Returns:
        The series, which values were present `(steps,)`, and the rules inferred from columns and times.

    Raises:
        UserError: If no series can be read, or values are missing and `gaps` is "refuse".
    """
    reading = dict(rules.get("reading") or {})
    frame, inferred = learn_rules(table, **rules)
    grid, frequency, messages = history(frame, inferred)
    grid, trim_messages = trimmed(grid, gaps)
    grid, present = filled(grid, gaps)
    cycle = frequencies.season(frequency) if season == "auto" else int(season)
    cleaning = messages + trim_messages
    inferred |= {"frequency": frequency, "season": cycle, "gaps": gaps, "reading": reading, "cleaning": cleaning}
    return grid, present, inferred


def choose_horizon(grid: History, rules: Mapping[str, Any]) -> int:
    """Return the default horizon: one season, or 10 steps without one, at most a tenth of all steps."""
    steps = int(np.ptp(grid.time_index)) + 1
    return max(1, min(rules["season"] if rules["season"] > 1 else 10, steps // 10, MAX_AUTO_HORIZON))


def split_history(
    grid: History,
    horizon: int,
    *,
    val_fraction: float,
    test_fraction: float,
    train_steps: int | None = None,
    val_steps: int | None = None,
    test_steps: int | None = None,
) -> dict[str, list[int]]:
    """Split the time axis into training, validation and test; a window belongs to the split of its targets.

    Args:
        grid: Series of `load_history`.
        horizon: Steps to forecast; the minimum length of validation and test.
        val_fraction, test_fraction: Fractions of the steps.
        train_steps, val_steps, test_steps: Numbers of steps, instead of fractions; with `train_steps` the steps after
            the test split are not used.

    Returns:
        train, val and test -> the time index of the first target, and of the end of the targets (exclusive).

    Raises:
        UserError: If a split is too short for the horizon.
    """
    start, end = int(grid.time_index.min()), int(grid.time_index.max()) + 1
    steps = end - start
    test = test_steps or max(horizon, round(test_fraction * steps))
    val = val_steps or max(horizon, round(val_fraction * steps))
    train = train_steps or steps - val - test
    if min(val, test) < horizon or train < horizon + 1 or train + val + test > steps:
        raise UserError(
            f"Training, validation and test must each have enough steps for the horizon; use a shorter "
            f"horizon=, or more rows. Received: horizon={horizon}, and of {steps:,} steps "
            f"{max(train, 0):,} to train, {val:,} to validate, {test:,} to test"
        )
    bounds = np.cumsum([start, train, val, test]).tolist()
    return {name: bounds[i : i + 2] for i, name in enumerate(("train", "val", "test"))}


def learn_history(
    grid: History,
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
                f"At least one series must vary in training. Received: {listed(constant)}, constant in "
                "all training rows"
            )
        raise UserError(
            f"The training steps must contain at least one window of past and horizon; use a shorter past= or "
            f"horizon=. Received: {past=}, {horizon=}, and {end - begin:,} steps"
        )
    for names, reason in ((short, "too short for one window in training"), (constant, "constant in training")):
        if names:
            messages.append(
                f"{len(names):,} of {len(grid.names):,} series excluded from training: {reason}: {listed(names)}"
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


def prepare_windows(info: Mapping[str, Any]) -> Any:
    """Build the preprocessing model: cyclic encoding of calendar features, standardized known covariates."""
    import keras

    from tfkit import layers

    inputs = {name: keras.Input(rule["shape"], dtype="float32", name=name) for name, rule in info["inputs"].items()}
    x = dict(inputs)
    if "calendar" in inputs:
        periods = [frequencies.PERIODS[name] for name in info["inputs"]["calendar"]["parts"]]
        x["calendar"] = layers.CyclicEncoding(periods, dtype="float32", name="cycles")(inputs["calendar"])
    if "known" in inputs:
        config = {**info["known"], "dtype": "float32"}
        x["known"] = keras.layers.Normalization(axis=-1, name="scale_known", **config)(inputs["known"])
    return keras.Model(inputs, x, name="prepare")


def history_windows(
    grid: History, present: np.ndarray, info: Mapping[str, Any], split: str, prepare: Any = None, *, power: int = 1
) -> Windows:
    """Create the windows of a split in the order of time; of "train+val" the windows of both splits.

    Validation and test have at most 100,000 windows: beyond that only every second, third, ... start time is used.

    Args:
        grid, present: Results of `load_history`.
        info: Result of `learn_history`.
        split: train, val, test, or two of them joined by a plus sign.
        prepare: Result of `prepare_windows`.
        power: Exponent of the unit of the values in the loss, 2 for squared errors; series are weighted so that their
            loss does not depend on their unit.

    Raises:
        UserError: If the split has no window.
    """
    bounds = [info["splits"][name] for name in split.split("+")]
    begin, end, past, horizon = bounds[0][0], bounds[-1][1], info["past"], info["horizon"]
    time_index, series_index = grid.time_index, grid.series_index
    first: np.ndarray = np.zeros(len(grid.names), "int64")
    last: np.ndarray = np.zeros(len(grid.names), "int64")
    first[series_index[::-1]], last[series_index] = time_index[::-1], time_index
    excluded = np.isin(grid.names, info["series"]["left_out"])
    is_origin = (time_index >= np.maximum(begin, first[series_index] + past)) & ~excluded[series_index]
    is_origin &= time_index + horizon <= np.minimum(end, last[series_index] + 1)
    origins = np.flatnonzero(is_origin)
    num_present = np.concatenate([[0], np.cumsum(present)])
    origins = origins[num_present[origins + horizon] > num_present[origins]]
    if not len(origins):
        raise UserError(
            f"Every split must contain at least one window, with its past before it; use a shorter past= or "
            f"horizon=. Received: {past=}, {horizon=}, none for {split}"
        )
    if split in ("val", "test"):
        origins = origins[(time_index[origins] - begin) % -(-len(origins) // MAX_EVAL_WINDOWS) == 0]
    origins = origins[np.lexsort((series_index[origins], time_index[origins]))]
    scale = np.array(info["series"]["scale"])
    weight = 1 / np.where(scale > 0, scale, 1) ** power
    return Windows(
        grid.values,
        origins,
        past=past,
        horizon=horizon,
        covariates=covariates(grid, info),
        prepare=prepare,
        present=present,
        series=series_index,
        weight=weight,
        stamp=lambda steps: stamps(grid.names, series_index[steps], time_index[steps], info),
    )


def _series_statistics(grid: History, in_train: np.ndarray, season: int) -> dict[str, list[float]]:
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
