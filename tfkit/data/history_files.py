"""Any table's series as the model file takes them, held against what was learnt: to go on from where they end."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data import frequencies
from tfkit.data.cells import plain
from tfkit.data.files import read_marked
from tfkit.data.forecasts import history_windows, stamps
from tfkit.data.history import History, filled, history, trimmed
from tfkit.data.tables import check_columns
from tfkit.data.targets import listed
from tfkit.errors import UserError

log = logging.getLogger("tfkit")

MOST = 20_000  # windows of a file that are scored


def read_history(source: Any, info: Mapping[str, Any], *, target: bool = False, own: bool = False) -> Any:
    """Windows of a table as the model file takes them, held against what was learnt.

    The past of the window of each series is what stands last in the table; what is known of its future stands below it,
    in rows without a value. With `target` every window of the table whose targets are known is wanted, and its truth.

    Args:
        source: A path, a DataFrame, or a dictionary of columns.
        info: What `learn_history` gave.
        target: Whether windows with their truth are wanted, in place of those that reach beyond the table.
        own: Whether a DataFrame is wanted too, that says of every answer its series and its time.

    Returns:
        A dictionary of arrays, one row a window; with `target`, also the truth; with `own`, also a DataFrame.

    Raises:
        UserError: If a column is not there or holds something else, or no series is as long as the past.
    """
    rules = info["rules"]
    frame, _ = read_marked(source, **info["reading"])
    needed = [rules["time"]["column"], *rules["target"], *rules["known"]]
    check_columns(frame, [*needed, *([rules["series_column"]] if rules["series_column"] else [])])
    frame = frame.assign(**{name: plain(column) for name, column in frame.items()})
    whole, _, said = history(frame, rules)
    told, more = trimmed(whole, rules["gaps"])
    for words in said + more:
        log.warning("%s", words)
    known = {name: code for code, name in enumerate(info["series"]["names"])}
    fresh = [name for name in told.names if name not in known]
    if fresh:
        log.warning("%d series that training did not have are foretold all the same: %s", len(fresh), listed(fresh))
    told, present = filled(told, rules["gaps"])
    if not target:
        raw, codes, origins = _last_windows(told, whole, info)
    else:
        every = {**info, "splits": {"file": [int(told.ticks.min()), int(told.ticks.max()) + 1]}}
        every["series"] = {"scale": [1.0] * len(told.names), "left_out": []}
        windows = history_windows(told, present, every, "file")
        if len(windows) > MOST:
            log.warning("%s of %s windows are scored, evenly spread", f"{MOST:,}", f"{len(windows):,}")
        chosen = np.unique(np.linspace(0, len(windows) - 1, min(MOST, len(windows))).astype(int))
        windows.origins = windows.origins[chosen]
        numbers = np.arange(len(windows))
        raw, codes, origins = windows.raw(numbers), told.series[windows.origins], told.ticks[windows.origins]
    found: list[Any] = [raw]
    if target:
        truth = windows.truth()
        truth["series"] = [known.get(told.names[code], -1) for code in codes]
        found.append(truth)
    if own:
        ticks = (origins[:, None] + np.arange(info["horizon"])).ravel()
        found.append(stamps(told.names, np.repeat(codes, info["horizon"]), ticks, info))
    return tuple(found) if len(found) > 1 else found[0]


def _last_windows(told: History, whole: History, info: Mapping[str, Any]) -> tuple[dict[str, Any], Any, Any]:
    """The window of each series that reaches beyond the table."""
    past, horizon, values, known, codes, origins, short = info["past"], info["horizon"], [], [], [], [], []
    for code, (name, here, span) in enumerate(zip(told.names, told.spans(), whole.spans(), strict=True)):
        if here.stop - here.start < past:
            short.append(name)
            continue
        end = int(told.ticks[here][-1]) + 1
        values.append(told.values[here][-past:])
        codes.append(code)
        origins.append(end)
        if info["known"]:
            ahead = whole.known[span][(whole.ticks[span] >= end) & (whole.ticks[span] < end + horizon)]
            if len(ahead) < horizon or np.isnan(ahead).any():
                there = int((~np.isnan(ahead).any(1)).sum())
                raise UserError(
                    f"What is known ahead must be told for every step of the horizon, in rows without a "
                    f"value below the last. Received: {listed(info['rules']['known'])} for {there} of "
                    f"{horizon} steps of {name!r}"
                )
            known.append(np.concatenate([told.known[here][-past:], ahead]))
    if not values:
        raise UserError(
            f"A series must have as many rows as the past that the model sees. Received: at most "
            f"{int(np.bincount(told.series).max()):,}, where {past:,} are needed"
        )
    if short:
        log.warning("%d series are left out: shorter than the past of %d steps: %s", len(short), past, listed(short))
    raw = {"values": np.array(values, "float32")}
    at = np.array(origins)
    if "calendar" in info["inputs"]:
        ticks = (at[:, None] + np.arange(-past, horizon)).ravel()
        names = info["inputs"]["calendar"]["parts"]
        parts = frequencies.parts(frequencies.moments(ticks, info["rules"]["frequency"]), names)
        raw["calendar"] = parts.reshape(len(at), past + horizon, -1)
    if info["known"]:
        raw["known"] = np.array(known, "float32")
    return raw, np.array(codes), at
