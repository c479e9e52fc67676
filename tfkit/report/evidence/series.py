"""The series that a model is most wrong about, as they ran."""

from typing import Any

import numpy as np

from tfkit.report.evidence.trained import Trained, beside, row_loss

SHOWN, STEPS, CHANNELS = 6, 150, 4


def worst_series(trained: Trained) -> dict[str, Any]:
    """The worst test series, each with one that the model is surest of in the class that it took it for."""
    truth, answer = trained.said["test"]
    classes = trained.info["target"]["classes"]
    loss = row_loss(truth, answer, trained.info)
    found = []
    for row in np.argsort(-loss, kind="stable")[:SHOWN].tolist():
        one = {"values": _course(trained, row)}
        found.append(one | beside(truth[row], answer[row], classes))
    return {"worst": found, "channels": [str(name) for name in trained.info["series"]["channels"]][:CHANNELS]}


def _course(trained: Trained, row: int) -> list[list[float | None]]:
    """Some steps of the first channels; None where missing."""
    values = np.asarray(next(iter(trained.test.raw(np.array([row])).values())))[0]
    known = np.flatnonzero(np.isfinite(values).any(axis=1))
    values = values[: known[-1] + 1 if len(known) else 1, :CHANNELS]
    values = values[np.unique(np.linspace(0, len(values) - 1, min(STEPS, len(values))).round().astype(int))]
    return [[float(f"{v:.5g}") if np.isfinite(v) else None for v in channel] for channel in values.T]
