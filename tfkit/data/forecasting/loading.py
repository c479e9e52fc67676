"""Loading and splitting of time series to forecast."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data.columns import frequencies
from tfkit.data.forecasting.columns import infer_columns
from tfkit.data.forecasting.schema import MAX_AUTO_HORIZON
from tfkit.data.forecasting.series_grid import SeriesGrid, fill_missing, to_series_grid, trim_missing_ends
from tfkit.errors import UserError


def load_history(
    table: Any, *, gaps: str = "last", season: int | str = "auto", **rules: Any
) -> tuple[SeriesGrid, np.ndarray, dict[str, Any]]:
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
    frame, inferred = infer_columns(table, **rules)
    grid, frequency, messages = to_series_grid(frame, inferred)
    grid, trim_messages = trim_missing_ends(grid, gaps)
    grid, present = fill_missing(grid, gaps)
    cycle = frequencies.season(frequency) if season == "auto" else int(season)
    cleaning = messages + trim_messages
    inferred |= {"frequency": frequency, "season": cycle, "gaps": gaps, "reading": reading, "cleaning": cleaning}
    return grid, present, inferred


def default_horizon(grid: SeriesGrid, rules: Mapping[str, Any]) -> int:
    """Return the default horizon: one season, or 10 steps without one, at most a tenth of all steps."""
    steps = int(np.ptp(grid.time_index)) + 1
    return max(1, min(rules["season"] if rules["season"] > 1 else 10, steps // 10, MAX_AUTO_HORIZON))


def split_history(
    grid: SeriesGrid,
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
