"""Rows are held against what was learnt, a block at a time; what is to be said of them is said once, at the end."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data import columns
from tfkit.data.targets import listed
from tfkit.errors import UserError

log = logging.getLogger("tfkit")

REPORTS = 10  # columns that are reported one by one
UNSEEN = 100_000  # words of a column that are told apart in what is said


def raw_rows(frame: Any, info: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Rows as the model file takes them, and how many cells of which column do not fit its rule."""
    arrays, unread = {}, {}
    for name in dict.fromkeys(rule["column"] for rule in info["inputs"].values()):
        arrays[name], count = columns.convert(frame[name], info["columns"][name])
        if count:
            unread[name] = count
    return {name: arrays[rule["column"]][rule["part"]].reshape(-1, 1) for name, rule in info["inputs"].items()}, unread


class Held:
    """What is found of rows that are held against what was learnt.

    Args:
        info: What `learn_table` gave.
    """

    def __init__(self, info: Mapping[str, Any]):
        self.info = info
        self.extra: dict[str, None] = {}
        self.cells: dict[str, _Cells] = {}
        self.words = {name: {*rule["vocabulary"], ""} for name, rule in info["inputs"].items() if _is_word(rule)}
        self.unseen: dict[str, set[str]] = {name: set() for name in self.words}
        self.counts = dict.fromkeys(self.words, 0)

    def raw(self, frame: Any) -> dict[str, np.ndarray]:
        """Rows as the model file takes them."""
        known = {*self.info["columns"], self.info["target"]["name"]}
        self.extra |= dict.fromkeys(str(name) for name in frame.columns if name not in known)
        raw, unread = raw_rows(frame, self.info)
        for name in dict.fromkeys(rule["column"] for rule in self.info["inputs"].values()):
            self.cells.setdefault(name, _Cells()).see(frame[name], self.info["columns"][name], unread.get(name, 0))
        for name in self.words:
            self._see_words(name, raw[name][:, 0])
        return raw

    def say(self) -> None:
        """Say what does not fit.

        Raises:
            UserError: If a column holds nothing of what it held.
        """
        reports = [f"Columns that were not there in training are not used: {listed(self.extra)}"] if self.extra else []
        reports += [seen.report(name, self.info["columns"][name]) for name, seen in self.cells.items() if seen.unread]
        for name, words in self.unseen.items():
            if words:
                column = self.info["inputs"][name]["column"]
                reports.append(
                    f"{column}: {self.counts[name]:,} cells hold words that training did not, or once only: "
                    f"{listed(sorted(words))}"
                )
        for report in reports[:REPORTS]:
            log.warning("%s", report)
        if len(reports) > REPORTS:
            log.warning("... and %d more columns with cells that training did not have", len(reports) - REPORTS)

    def _see_words(self, name: str, values: np.ndarray) -> None:
        import pandas as pd

        unseen = [word for word in pd.unique(values) if word not in self.words[name]]
        if unseen:
            self.counts[name] += int(pd.Series(values, dtype=object).isin(unseen).sum())
            self.unseen[name].update(unseen[: UNSEEN - len(self.unseen[name])])


class _Cells:
    """The cells of a column that do not fit its rule."""

    def __init__(self) -> None:
        self.unread = self.present = 0
        self.first = ""
        self.numbers = True

    def see(self, column: Any, rule: dict[str, Any], unread: int) -> None:
        self.present += int(column.notna().sum())
        self.numbers = self.numbers and column.dtype.kind == "f"
        if unread and not self.unread:
            values = next(iter(columns.convert(column, rule)[0].values()))
            absent = values == "" if values.dtype == object else np.isnan(values)
            self.first = str(column[column.notna() & absent].iloc[0])
        self.unread += unread

    def report(self, name: str, rule: dict[str, Any]) -> str:
        """What is said of them; where none fits, the column is not what it was."""
        if self.unread == self.present and not self.numbers:  # infinite numbers are numbers, and missing
            raise UserError(
                f"The column {name!r} must hold what it held in training, {columns.called(rule)}. "
                f"Received: {self.unread:,} cells that are not, such as {self.first!r}"
            )
        return (
            f"{name}: {self.unread:,} of {self.present:,} cells are not {columns.called(rule)} and count as "
            f"missing, such as {self.first!r}"
        )


def _is_word(rule: Mapping[str, Any]) -> bool:
    return rule["dtype"] == "string"
