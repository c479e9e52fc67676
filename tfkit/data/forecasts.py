"""From a table with a time column to windows of its series; whatever is learnt is learnt from the training steps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfkit.data import frequencies
from tfkit.data.history import History, filled, history, learn_rules, trimmed
from tfkit.data.targets import listed
from tfkit.data.windows import Windows
from tfkit.errors import UserError

SEASONS, HORIZONS, STEPS = 2, 3.5, 24  # what a past holds at least, where there is room
MOST = 100_000  # windows that are validated or tested
LONGEST = {"horizon": 168, "past": 1024}  # that are chosen where none is told


def load_history(
    table: Any, *, gaps: str = "last", season: int | str = "auto", **rules: Any
) -> tuple[History, np.ndarray, dict[str, Any]]:
    """Read a table and lay its series on a grid without holes.

    Args:
        table: Whatever `read_frame` takes.
        gaps: How a missing value is filled: "last", "linear", or "refuse".
        season: Steps of the seasonal cycle; "auto" for that of the frequency.
        rules: As `learn_rules` has them.

    Returns:
        The history, which values were there, and what was learnt of columns and times.

    Raises:
        UserError: If no series can be read, or values are missing and are to be refused.
    """
    reading = dict(rules.get("reading") or {})
    frame, found = learn_rules(table, **rules)
    told, frequency, said = history(frame, found)
    told, more = trimmed(told, gaps)
    told, present = filled(told, gaps)
    cycle = frequencies.season(frequency) if season == "auto" else int(season)
    found |= {"frequency": frequency, "season": cycle, "gaps": gaps, "reading": reading, "cleaning": said + more}
    return told, present, found


def choose_horizon(told: History, rules: Mapping[str, Any]) -> int:
    """Steps to foretell where none are told: a season, or ten, but no more than a tenth of all steps."""
    steps = int(np.ptp(told.ticks)) + 1
    return max(1, min(rules["season"] if rules["season"] > 1 else 10, steps // 10, LONGEST["horizon"]))


def split_history(
    told: History,
    horizon: int,
    *,
    val_fraction: float,
    test_fraction: float,
    train_steps: int | None = None,
    val_steps: int | None = None,
    test_steps: int | None = None,
) -> dict[str, list[int]]:
    """Where in time each split begins and ends: a window is of the split in which its targets lie.

    Args:
        told: What `load_history` gave.
        horizon: Steps to foretell; validation and test have as many at least.
        val_fraction, test_fraction: Shares of the steps.
        train_steps, val_steps, test_steps: Numbers of steps in their place; with `train_steps` what is left over at the
            end is left out.

    Returns:
        train, val and test -> the ticks from which, and before which, their targets lie.

    Raises:
        UserError: If a split would be too short for the horizon.
    """
    low, high = int(told.ticks.min()), int(told.ticks.max()) + 1
    steps = high - low
    test = test_steps or max(horizon, round(test_fraction * steps))
    val = val_steps or max(horizon, round(val_fraction * steps))
    train = train_steps or steps - val - test
    if min(val, test) < horizon or train < horizon + 1 or train + val + test > steps:
        raise UserError(
            f"Training, validation and test must each have steps enough for the horizon; give a shorter "
            f"horizon=, or more rows. Received: horizon={horizon}, and of {steps:,} steps "
            f"{max(train, 0):,} to train, {val:,} to validate, {test:,} to test"
        )
    ends = np.cumsum([low, train, val, test]).tolist()
    return {name: ends[i : i + 2] for i, name in enumerate(("train", "val", "test"))}


def learn_history(
    told: History,
    present: np.ndarray,
    rules: Mapping[str, Any],
    splits: Mapping[str, Sequence[int]],
    *,
    horizon: int,
    past: int | str = "auto",
    calendar: Sequence[str] | str = "auto",
    quantiles: Sequence[float] = (0.5,),
) -> dict[str, Any]:
    """Everything that is learnt of the series before the end of the training steps, as plain JSON.

    Args:
        told, present, rules: What `load_history` gave.
        splits: What `split_history` gave.
        horizon: Steps to foretell.
        past: Steps that are seen; "auto" for 3.5 horizons, two seasons and 24 steps at least, but half of the training
            steps and 1,024 at most, whole seasons where it holds one.
        calendar: Which of hour, weekday and yearday are told; "auto" for those of which the training steps hold two
            cycles, and the past does not.
        quantiles: What is answered for every step, ascending, the median in the middle.

    Returns:
        `info`: task, target, inputs, and what `prepare_windows` is told.

    Raises:
        UserError: If every series is constant or too short for one window.
    """
    begin, end = splits["train"]
    cycle = rules["season"]
    past = _choose_past(end - begin, horizon, cycle) if past == "auto" else int(past)
    learning = present & (told.ticks < end)
    said, series = list(rules["cleaning"]), _learn_series(told, learning, cycle)
    short, constant = [], []
    for here, name, scale in zip(told.spans(), told.names, series["scale"], strict=True):
        if (told.ticks[here] < end).sum() < past + horizon:
            short.append(name)
        elif not scale:
            constant.append(name)
    if len(short) + len(constant) == len(told.names):
        if constant:
            raise UserError(
                f"A series must vary before it can be foretold. Received: {listed(constant)}, the same in "
                "all training rows"
            )
        raise UserError(
            f"The training steps must hold one window at least, past and horizon; give a shorter past= or "
            f"horizon=. Received: {past=}, {horizon=}, and {end - begin:,} steps"
        )
    for some, why in ((short, "too short for one window in training"), (constant, "constant in training")):
        if some:
            said.append(f"{len(some):,} of {len(told.names):,} series are not learnt from: {why}: {listed(some)}")
    names = _calendar(calendar, rules["frequency"], end - begin, past)
    inputs: dict[str, Any] = {"values": {"dtype": "float32", "shape": [past]}}
    if names:
        inputs["calendar"] = {"dtype": "float32", "shape": [past + horizon, len(names)], "parts": names}
    ahead = {}
    if rules["known"]:
        inputs["known"] = {"dtype": "float32", "shape": [past + horizon, len(rules["known"])]}
        seen = told.known[told.ticks < end]
        ahead = {"mean": seen.mean(0).tolist(), "variance": (seen.var(0) + (seen.var(0) == 0)).tolist()}
    return {
        "task": "forecast",
        "target": {"name": " ".join(rules["target"]), "classes": None, "positive": None},
        "cleaning": said,
        "rules": {name: rules[name] for name in ("time", "series_column", "target", "known", "frequency", "gaps")},
        "reading": rules["reading"],
        "columns": _columns(rules, names),
        "inputs": inputs,
        "past": past,
        "horizon": horizon,
        "season": cycle,
        "quantiles": list(quantiles),
        "splits": {name: list(ends) for name, ends in splits.items()},
        "series": {"names": told.names, **series, "left_out": short + constant},
        "known": ahead,
        "block": horizon * (len(told.names) - len(short + constant)),
    }


def prepare_windows(info: Mapping[str, Any]) -> Any:
    """Told layers from raw windows to what the model takes: the calendar round circles, what is known scaled."""
    import keras

    from tfkit import layers

    inputs = {name: keras.Input(rule["shape"], dtype="float32", name=name) for name, rule in info["inputs"].items()}
    x = dict(inputs)
    if "calendar" in inputs:
        periods = [frequencies.PERIODS[name] for name in info["inputs"]["calendar"]["parts"]]
        x["calendar"] = layers.CyclicEncoding(periods, dtype="float32", name="cycles")(inputs["calendar"])
    if "known" in inputs:
        told = {**info["known"], "dtype": "float32"}
        x["known"] = keras.layers.Normalization(axis=-1, name="scale_known", **told)(inputs["known"])
    return keras.Model(inputs, x, name="prepare")


def history_windows(
    told: History, present: np.ndarray, info: Mapping[str, Any], split: str, prepare: Any = None, *, power: int = 1
) -> Windows:
    """The windows of a split, in the order of time; of "train+val" both together.

    Validation and test have 100,000 windows at most: of more, every second, third, ... time begins some.

    Args:
        told, present: What `load_history` gave.
        info: What `learn_history` gave.
        split: train, val, test, or two of them with a plus between.
        prepare: What `prepare_windows` gave.
        power: How the loss grows with the unit of the values, 2 where it squares: series count the same in any unit.

    Raises:
        UserError: If it has no window.
    """
    bounds = [info["splits"][name] for name in split.split("+")]
    begin, end, past, horizon = bounds[0][0], bounds[-1][1], info["past"], info["horizon"]
    first: np.ndarray = np.zeros(len(told.names), "int64")
    last: np.ndarray = np.zeros(len(told.names), "int64")
    first[told.series[::-1]], last[told.series] = told.ticks[::-1], told.ticks
    left = np.isin(told.names, info["series"]["left_out"])
    inside = (told.ticks >= np.maximum(begin, first[told.series] + past)) & ~left[told.series]
    inside &= told.ticks + horizon <= np.minimum(end, last[told.series] + 1)
    origins = np.flatnonzero(inside)
    seen = np.concatenate([[0], np.cumsum(present)])
    origins = origins[seen[origins + horizon] > seen[origins]]
    if not len(origins):
        raise UserError(
            f"Every split must hold one window at least, its past before it; give a shorter past= or "
            f"horizon=. Received: {past=}, {horizon=}, none for {split}"
        )
    if split in ("val", "test"):
        origins = origins[(told.ticks[origins] - begin) % -(-len(origins) // MOST) == 0]
    origins = origins[np.lexsort((told.series[origins], told.ticks[origins]))]
    scale = np.array(info["series"]["scale"])
    weight = 1 / np.where(scale > 0, scale, 1) ** power
    return Windows(
        told.values,
        origins,
        past=past,
        horizon=horizon,
        covariates=_covariates(told, info),
        prepare=prepare,
        present=present,
        series=told.series,
        weight=weight,
        stamp=lambda steps: stamps(told.names, told.series[steps], told.ticks[steps], info),
    )


def stamps(names: Sequence[str], codes: np.ndarray, ticks: np.ndarray, info: Mapping[str, Any]) -> Any:
    """The series and the time of each step, a DataFrame."""
    import pandas as pd

    rules = info["rules"]
    distinct, places = np.unique(ticks, return_inverse=True)
    words = [frequencies.written(moment) for moment in frequencies.moments(distinct, rules["frequency"])]
    column = rules["series_column"] or ("series" if len(names) > 1 else None)
    frame = pd.DataFrame({rules["time"]["column"]: np.array(words, object)[places]})
    if column:
        frame.insert(0, column, np.array(names, object)[codes])
    return frame


def _covariates(told: History, info: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """What is known of every step."""
    found = {}
    if "calendar" in info["inputs"]:
        distinct, places = np.unique(told.ticks, return_inverse=True)
        moments = frequencies.moments(distinct, info["rules"]["frequency"])
        found["calendar"] = frequencies.parts(moments, info["inputs"]["calendar"]["parts"])[places]
    if info["known"]:
        found["known"] = told.known
    return found


def _learn_series(told: History, learning: np.ndarray, season: int) -> dict[str, list[float]]:
    """Of each series its mean, its standard deviation and the error of the seasonal naive in training."""
    found: dict[str, list[float]] = {"mean": [], "scale": [], "naive_error": []}
    for here in told.spans():
        values, there = told.values[here], learning[here]
        known = values[there]
        found["mean"].append(float(known.mean()) if len(known) else 0.0)
        spread = float(known.std()) if len(known) else 0.0
        found["scale"].append(spread if spread > 1e-9 * abs(found["mean"][-1]) else 0.0)
        both = there[season:] & there[:-season]
        errors = np.abs(values[season:] - values[:-season])[both]
        found["naive_error"].append(float(errors.mean()) if len(errors) else 0.0)
    return found


def _choose_past(steps: int, horizon: int, season: int) -> int:
    wanted = max(int(HORIZONS * horizon), SEASONS * season, STEPS)
    past = max(1, min(wanted, (steps - horizon) // 2, LONGEST["past"]))
    return past // season * season or past


def _calendar(told: Sequence[str] | str, frequency: Mapping[str, Any], steps: int, past: int) -> list[str]:
    """The numbers of the calendar that are told, in their order."""
    if told == "auto":
        shown = frequencies.calendar(frequency, past)
        return [name for name in frequencies.calendar(frequency, steps) if name not in shown]
    wrong = [name for name in told if name not in frequencies.CYCLES]
    if wrong:
        raise UserError(
            f"`calendar` must name some of {', '.join(frequencies.CYCLES)}, or be auto. Received: {listed(wrong)}"
        )
    if told and frequency["unit"] == "number":
        raise UserError(f"Plain numbers have no calendar: give dates, or leave calendar= out. Received: {listed(told)}")
    return [name for name in frequencies.CYCLES if name in told]


def _columns(rules: Mapping[str, Any], calendar: Sequence[str]) -> dict[str, dict[str, str]]:
    """What was done to which column, to be shown."""
    time = f"steps of {frequencies.spoken(rules['frequency'])}" + (f"; {', '.join(calendar)}" if calendar else "")
    found = {rules["time"]["column"]: {"kind": "time", "treatment": time}}
    if rules["series_column"]:
        found[rules["series_column"]] = {"kind": "series", "treatment": "tells series apart"}
    found |= {name: {"kind": "value", "treatment": "forecast"} for name in rules["target"]}
    return found | {name: {"kind": "known", "treatment": "its future is known; scaled"} for name in rules["known"]}
