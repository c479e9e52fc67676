"""How far into the future a forecast can be trusted."""

from typing import Any

import numpy as np

from tfkit.report.figures import DASHES, INK, MUTED, ONE, SERIES, Figure, Table, draw, legend
from tfkit.report.reading import Record
from tfkit.report.section import Section
from tfkit.report.words import number, percent, spoken


def forecast(record: Record) -> list[Section]:
    """Fans over the last windows, error and coverage by horizon."""
    told = record.evidence.get("forecast")
    if not told:
        return []
    fans = [_fan(one, record) for one in told["fans"]]
    words = [
        f"Each window sees {record.info['past']:,} steps and foretells {record.info['horizon']:,}; "
        f"{told['windows']:,} windows of the test."
    ]
    steps = [_error(told, record)] if record.info["horizon"] > 1 else []
    if told["coverage"]:
        steps.append(_coverage(told, record))
    return [Section("The last windows", words, fans), Section("How far ahead it can be trusted", [], steps)]


def _array(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], "float64")


def _fan(one: dict[str, Any], record: Record) -> Figure:
    quantiles, half = record.info["quantiles"], len(record.info["quantiles"]) // 2
    past, truth = _array(one["past"]), _array(one["truth"])
    answer = [_array(values) for values in one["answer"]]
    ahead = np.arange(1, len(truth) + 1)

    def paint(axes):  # type: ignore[no-untyped-def]
        axes.plot(np.arange(1 - len(past), 1), past, color=MUTED, lw=1, label="past")
        for i in range(half):
            share = f"{100 * (quantiles[-1 - i] - quantiles[i]):.0f}% band"
            axes.fill_between(ahead, answer[i], answer[-1 - i], color=ONE, alpha=0.18, lw=0, label=share)
        axes.plot(ahead, answer[half], color=ONE, label="forecast")
        axes.plot(ahead, truth, color=INK, lw=1.1, ls="--", label="truth")
        legend(axes, ncols=5, handlelength=1.4, columnspacing=1.0)

    series = f"{one['series']}, " if len(record.info["series"]["names"]) > 1 else ""
    error = np.nanmean(np.abs(truth - answer[half])) if np.isfinite(truth).any() else np.nan
    rows = [
        [int(step), number(float(t)), *(number(float(values[i])) for values in answer)]
        for i, (step, t) in enumerate(zip(ahead, truth, strict=True))
    ]
    head = ["step", "truth", *(f"{q:.1%} quantile" for q in quantiles)]
    says = f"{one['begins']} to {one['ends']}: off by {number(float(error))} on average"
    return draw(
        f"{series}{one['begins']} to {one['ends']}",
        says,
        paint,
        x="steps from the last known value",
        numbers=Table("Truth and forecast", head, rows),
        wide=True,
        height=2.6,
    )


def _error(told: dict[str, Any], record: Record) -> Figure:
    lines = {name: _array(values) for name, values in told["error"].items()}

    def paint(axes):  # type: ignore[no-untyped-def]
        for (name, values), colour, dash in zip(lines.items(), SERIES, DASHES, strict=False):
            axes.plot(range(1, len(values) + 1), values, ls=dash, color=colour, label=spoken(name))
        axes.set_ylim(bottom=0)
        legend(axes, ncols=3)

    rows = [[i + 1, *(number(float(v[i])) for v in lines.values())] for i in range(len(lines["model"]))]
    first, last = float(lines["model"][0]), float(lines["model"][-1])
    says = f"mean absolute error of the model from {number(first)} one step ahead to {number(last)} at the last"
    return draw(
        "Error by horizon",
        says,
        paint,
        x="steps ahead",
        y="mean absolute error",
        numbers=Table("Mean absolute error by step", ["step", *map(spoken, lines)], rows),
    )


def _coverage(told: dict[str, Any], record: Record) -> Figure:
    lines = {f"{float(share):.0%} band": (float(share), _array(values)) for share, values in told["coverage"].items()}

    def paint(axes):  # type: ignore[no-untyped-def]
        for (name, (share, values)), colour, dash in zip(lines.items(), SERIES, DASHES, strict=False):
            axes.plot(range(1, len(values) + 1), values, ls=dash, color=colour, label=name)
            axes.axhline(share, color=colour, lw=0.8, ls=":")
        axes.set_ylim(0, 1.03)
        legend(axes)

    rows = [[i + 1, *(percent(float(v[i])) for _, v in lines.values())] for i in range(record.info["horizon"])]
    held = ", ".join(f"the {name} holds {percent(float(np.nanmean(v)))}" for name, (_, v) in lines.items())
    return draw(
        "Coverage by horizon",
        f"{held} of the values; dotted is what it should be",
        paint,
        x="steps ahead",
        y="share inside",
        numbers=Table("Share of values inside", ["step", *lines], rows),
    )
