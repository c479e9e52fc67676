"""Loading and splitting of time series to forecast."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from tfkit.data.columns import frequencies
from tfkit.data.files.read import read_messages
from tfkit.data.forecasting.columns import infer_columns
from tfkit.data.forecasting.metadata import TableRules
from tfkit.data.forecasting.schema import MAX_AUTO_HORIZON
from tfkit.data.forecasting.series_grid import SeriesGrid, fill_missing_values, to_series_grid, trim_missing_ends
from tfkit.errors import UserError

# Settings of a recipe that `load` and `split` take.
COLUMN_SETTINGS = frozenset(
    {"target", "time_column", "series_id_column", "known_covariates", "exclude_columns", "day_first"}
)
LOAD_SETTINGS = COLUMN_SETTINGS | {"fill_missing", "season_length", "delimiter", "encoding", "na_values"}
SPLIT_SETTINGS = frozenset({"val_fraction", "test_fraction", "train_steps", "val_steps", "test_steps"})


def load(
    data: Any,
    *,
    target: Sequence[str] = (),
    time_column: str | None = None,
    series_id_column: str | None = None,
    known_covariates: Sequence[str] = (),
    exclude_columns: Iterable[str] = (),
    day_first: bool | None = None,
    fill_missing: Literal["ffill", "linear", "error"] = "ffill",
    season_length: int | Literal["auto"] = "auto",
    **read_options: Any,
) -> tuple[SeriesGrid, TableRules]:
    """Read a table as series on a regular time grid, with missing values filled.

    Args:
        data: Any source that `read_frame` accepts.
        target, time_column, series_id_column, known_covariates, exclude_columns: The roles of columns, see
            `infer_columns`.
        day_first: Whether 01/02/2024 is 1 February; None for the order that gives regular steps.
        fill_missing: How missing values are filled: "ffill", "linear", or "error" to raise an error.
        season_length: Steps of the seasonal cycle; "auto" for that of the frequency.
        read_options: delimiter, encoding, na_values of `read_frame`.

    Returns:
        The series, and the rules inferred from columns and times, with messages about changes to the data in `notes`.

    Raises:
        UserError: If no series can be read, or values are missing and `fill_missing` is "error".
    """
    frame, rules = infer_columns(
        data,
        target=target,
        time_column=time_column,
        series_id_column=series_id_column,
        known_covariates=known_covariates,
        exclude_columns=exclude_columns,
        day_first=day_first,
        read_options=read_options,
    )
    grid, frequency, messages = to_series_grid(frame, rules)
    grid, trim_messages = trim_missing_ends(grid, fill_missing)
    inferred = {
        "frequency": frequency,
        "season_length": frequencies.season_length(frequency) if season_length == "auto" else season_length,
        "fill_missing": fill_missing,
        "notes": read_messages(frame) + rules.notes + messages + trim_messages,
    }
    return fill_missing_values(grid, fill_missing), rules.model_copy(update=inferred)


def default_horizon(grid: SeriesGrid, rules: TableRules) -> int:
    """Return the default horizon: one season, or 10 steps without one, at most a tenth of all steps."""
    steps = int(np.ptp(grid.time_index)) + 1
    return max(1, min(rules.season_length if rules.season_length > 1 else 10, steps // 10, MAX_AUTO_HORIZON))


def split(
    grid: SeriesGrid,
    horizon: int,
    *,
    val_fraction: float,
    test_fraction: float,
    train_steps: int | None = None,
    val_steps: int | None = None,
    test_steps: int | None = None,
) -> dict[str, tuple[int, int]]:
    """Split the time axis into training, validation and test; a window belongs to the split of its targets.

    Args:
        grid: Series of `load`.
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
    return {name: (bounds[i], bounds[i + 1]) for i, name in enumerate(("train", "val", "test"))}
