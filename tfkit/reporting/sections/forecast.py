"""Sections of a forecast: the future, example forecasts, error and coverage by horizon."""

from typing import Any

import numpy as np

from tfkit.reporting.document import Section
from tfkit.reporting.figures import (
    BLUE,
    DASHES,
    INK,
    MUTED,
    ORANGE,
    SERIES,
    TEAL,
    Figure,
    Table,
    draw,
    evenly_spaced_indices,
    legend,
)
from tfkit.reporting.formatting import display_name, format_number, format_percent, shorten
from tfkit.reporting.run_results import RunResults

BANDS = (ORANGE, TEAL)  # colors of the intervals, the widest first

MAX_TIMES = 7  # on the time axis


def forecast(record: RunResults) -> list[Section]:
    """Return the forecast after the end of the data, those of the last test windows, and scores by horizon."""
    analysis = record.analysis.get("forecast")
    if not analysis:
        return []
    examples = [_forecast_figure(example, record) for example in analysis["examples"]]
    paragraphs = [
        f"Each forecast uses the last {record.metadata.context_length:,} steps to predict the next "
        f"{record.metadata.horizon:,}. The test set has {analysis['windows']:,} windows."
    ]
    by_horizon = [_error_by_horizon(analysis)] if record.metadata.horizon > 1 else []
    if analysis["coverage"]:
        by_horizon.append(_coverage_by_horizon(analysis, record))
    future = [_forecast_figure(example, record) for example in analysis.get("future", ())]
    unit = f"the next {record.metadata.horizon:,} steps" if record.metadata.horizon > 1 else "the next step"
    return [
        Section("Forecast", [f"Forecast of {unit} after the end of the data."] if future else [], future),
        Section("Test forecasts", paragraphs, examples),
        Section("Scores by horizon", [], by_horizon),
    ]


def _array(values: list[float | None]) -> np.ndarray:
    """Return an array with NaN instead of None."""
    return np.array([np.nan if value is None else value for value in values], "float64")


def _forecast_figure(example: dict[str, Any], record: RunResults) -> Figure:
    """Plot past values, forecast, prediction intervals and true values."""
    quantiles, middle = record.metadata.quantiles, len(record.metadata.quantiles) // 2
    past, y_true = _array(example["past"]), _array(example["y_true"])
    quantile_forecasts = [_array(values) for values in example["quantile_forecasts"]]
    ahead, times, is_scored = np.arange(1, len(y_true) + 1), example["times"], bool(np.isfinite(y_true).any())

    def plot(axes: Any) -> None:
        axes.plot(np.arange(1 - len(past), 1), past, color=MUTED, lw=1, label="past")
        for i in range(middle):
            label, color = f"{100 * (quantiles[-1 - i] - quantiles[i]):.0f}% interval", BANDS[i % len(BANDS)]
            axes.fill_between(
                ahead, quantile_forecasts[i], quantile_forecasts[-1 - i], color=color, alpha=0.3, lw=0, label=label
            )
        axes.plot(ahead, quantile_forecasts[middle], color=BLUE, label="forecast")
        if is_scored:
            axes.plot(ahead, y_true, color=INK, lw=1.1, ls="--", label="true")
        axes.axvline(0.5, color=MUTED, lw=0.8, ls=":")
        shown = evenly_spaced_indices(len(times), MAX_TIMES)
        axes.set_xticks(shown + 1 - len(past), [times[step] for step in shown])
        legend(axes, ncols=5, handlelength=1.4, columnspacing=1.0)

    series = f"{example['series']}, " if len(record.metadata.series.names) > 1 else ""
    rows = [
        [
            times[len(past) + i],
            *([format_number(value)] if is_scored else []),
            *(format_number(values[i]) for values in quantile_forecasts),
        ]
        for i, value in enumerate(y_true)
    ]
    head = ["time", *(["true"] if is_scored else []), *(f"{q:.1%} quantile" for q in quantiles)]
    period = times[-1] if len(y_true) == 1 else f"{times[len(past)]} to {times[-1]}"
    if is_scored:
        error = np.nanmean(np.abs(y_true - quantile_forecasts[middle]))
        description = f"{period}: mean absolute error {format_number(error)}"
    else:
        first, last = (format_number(float(quantile_forecasts[middle][step])) for step in (0, -1))
        description = f"{period}: {first}" if len(y_true) == 1 else f"{period}: from {first} to {last}"
    description += "; the dotted line is the start of the forecast"
    return draw(
        f"{series}{period}",
        description,
        plot,
        x="time",
        y=shorten(example["series"], 24),
        data=Table("True values and forecast", head, rows),
        wide=True,
        height=2.6,
    )


def _error_by_horizon(analysis: dict[str, Any]) -> Figure:
    """Plot the mean absolute error of model and baselines by step."""
    lines = {name: _array(values) for name, values in analysis["error"].items()}

    def plot(axes: Any) -> None:
        for (name, values), color, dash in zip(lines.items(), SERIES, DASHES, strict=False):
            axes.plot(range(1, len(values) + 1), values, ls=dash, color=color, label=display_name(name))
        axes.set_ylim(bottom=0)
        legend(axes, ncols=3)

    rows = [[i + 1, *(format_number(v[i]) for v in lines.values())] for i in range(len(lines["model"]))]
    first, last = float(lines["model"][0]), float(lines["model"][-1])
    description = f"mean absolute error of the model: {format_number(first)} one step ahead, "
    description += f"{format_number(last)} at the last step"
    return draw(
        "Error by horizon",
        description,
        plot,
        x="steps ahead",
        y="mean absolute error",
        data=Table("Mean absolute error by step", ["step", *map(display_name, lines)], rows),
    )


def _coverage_by_horizon(analysis: dict[str, Any], record: RunResults) -> Figure:
    """Plot the coverage of the prediction intervals by step."""
    lines = {
        f"{float(share):.0%} interval": (float(share), _array(values)) for share, values in analysis["coverage"].items()
    }

    def plot(axes: Any) -> None:
        for (name, (share, values)), color, dash in zip(lines.items(), SERIES, DASHES, strict=False):
            axes.plot(range(1, len(values) + 1), values, ls=dash, color=color, label=name)
            axes.axhline(share, color=color, lw=0.8, ls=":")
        axes.set_ylim(0, 1.03)
        legend(axes)

    rows = [[i + 1, *(format_percent(float(v[i])) for _, v in lines.values())] for i in range(record.metadata.horizon)]
    coverage = ", ".join(f"{format_percent(float(np.nanmean(v)))} for the {name}" for name, (_, v) in lines.items())
    return draw(
        "Coverage by horizon",
        f"coverage: {coverage}; dotted lines are nominal",
        plot,
        x="steps ahead",
        y="coverage",
        data=Table("Coverage by step", ["step", *lines], rows),
    )
