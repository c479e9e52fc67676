"""Diagnoses from the training curves: overfitting, divergence, learning rate."""

from typing import Any

import numpy as np

from tfkit.reporting.diagnostics.diagnosis import (
    Diagnosis,
    balanced_classes,
    more_regularization,
    retrain_command,
    scale_learning_rate,
    smaller_steps,
)
from tfkit.reporting.diagnostics.scores import is_worse_than_baselines
from tfkit.reporting.formatting import display_name, format_number, format_percent
from tfkit.reporting.run_results import RunResults

MAX_LOSS_RATIO = 0.4  # of training to validation loss, below which the model has learned the training rows by heart


def overfitting(record: RunResults) -> Diagnosis | None:
    """Diagnose overfitting: validation loss rises while training loss still falls."""
    train, val = record.curve("loss"), record.curve("val_loss")
    if not _is_complete(train, val, min_epochs=5):
        return None
    best = int(val.argmin())
    tail = val[-max(2, len(val) // 10) :].mean()
    improvement, increase = val[0] - val[best], tail - val[best]
    if len(val) - 1 - best < max(3, len(val) // 5) or train[-1] > train[best] - 0.02 * abs(train[best]):
        return None
    if increase < 0.1 * abs(val[best]) or increase < min(0.2 * improvement, 0.25 * abs(val[best])):
        return None
    return Diagnosis(
        "The model overfits",
        f"Validation loss was lowest in epoch {best + 1}, {format_number(val[best])}, and rose to "
        f"{format_number(tail)} at the end, while training loss still fell from {format_number(train[best])} to "
        f"{format_number(train[-1])}. The model has the weights of the best epoch; later epochs did not help. Try more "
        "regularization.",
        retrain_command(record, **more_regularization(record)),
    )


def generalization_gap(record: RunResults) -> Diagnosis | None:
    """Diagnose overfitting without a rise: training loss is far below validation loss, and a baseline is better."""
    train, val = record.curve("loss"), record.curve("val_loss")
    if not _is_complete(train, val, min_epochs=3) or overfitting(record) or not is_worse_than_baselines(record):
        return None
    best = int(val.argmin())
    if not 0 < train[best] < MAX_LOSS_RATIO * val[best]:
        return None
    rows = record.provenance.get("rows")
    size = f" There are {rows[0]:,} training rows." if rows else ""
    return Diagnosis(
        "The model overfits: training loss is far below validation loss",
        f"In the best epoch, {best + 1} of {len(val)}, training loss was {format_number(train[best])} and validation "
        f"loss {format_number(val[best])}.{size} Try more regularization, a smaller network, or more rows.",
        retrain_command(record, **more_regularization(record)),
    )


def diverging(record: RunResults) -> Diagnosis | None:
    """Diagnose divergence: training loss rises back to its first value or above."""
    train = record.curve("loss")
    if not _is_complete(train, min_epochs=4):
        return None
    low, end = float(train.min()), float(train[-2:].mean())
    if end < low + 0.5 * max(train[0] - low, 0.0) or end < low + 0.2 * abs(low) or int(train.argmin()) > len(train) - 3:
        return None
    return Diagnosis(
        "Training diverged: the training loss rises",
        f"Training loss was {format_number(train[0])} in the first epoch, {format_number(low)} in epoch "
        f"{int(train.argmin()) + 1} and {format_number(end)} at the end. The learning rate was "
        f"{format_number(record.config['learning_rate'])}. Try a lower learning rate and gradient clipping.",
        retrain_command(record, **smaller_steps(record)),
    )


def still_improving(record: RunResults) -> Diagnosis | None:
    """Diagnose too few epochs: validation loss was still falling when training ended."""
    val = record.curve("val_loss")
    if not _is_complete(val, min_epochs=6) or val.argmin() < len(val) - 1:
        return None
    before = len(val) - 1 - max(2, len(val) // 4)
    gain, total = val[before] - val[-1], val[0] - val[-1]
    rates = record.curve("learning_rate")
    decayed = np.isfinite(rates[-2:]).all() and rates[-2] < 0.1 * np.nanmax(rates)  # the schedule ends here
    if gain < (0.1 if decayed else 0.05) * abs(val[-1]) or gain < (0.3 if decayed else 0.1) * total:
        return None
    return Diagnosis(
        "Training stopped too early: validation loss was still falling",
        f"Over the last {len(val) - 1 - before} epochs validation loss fell from {format_number(val[before])} to "
        f"{format_number(val[-1])}, {format_percent(gain / total)} of its total decrease, and the last epoch was the "
        "best. Try more epochs.",
        retrain_command(record, epochs=2 * int(record.config["epochs"])),
    )


def plateau(record: RunResults) -> Diagnosis | None:
    """Diagnose a plateau: validation loss did not improve for most of the epochs."""
    train, val = record.curve("loss"), record.curve("val_loss")
    if not _is_complete(train, val, min_epochs=12):
        return None
    best = int(val.argmin())
    epochs_after = len(val) - 1 - best
    reached = int(np.flatnonzero(val <= val[best] + 0.01 * max(val[0] - val[best], 0.0))[0])
    if max(epochs_after, 0) < 0.6 * len(val) or reached > 0.25 * len(val):
        return None
    if val[best:].mean() - val[best] > 0.05 * abs(val[best]) or overfitting(record):
        return None
    decays = record.config.get("learning_rate_schedule", "none") != "none"
    changes = {"early_stopping_patience": max(3, best // 2)} if decays else {"learning_rate_schedule": "plateau"}
    advice = "early stopping saves the others" if decays else "try a learning rate that falls"
    return Diagnosis(
        f"Most epochs were wasted: the best was epoch {best + 1} of {len(val)}",
        f"Validation loss was {format_number(val[best])} in epoch {best + 1}, and from there on "
        f"{format_number(val[best:].mean())} on average. The model has the weights of epoch {best + 1}; {advice}.",
        retrain_command(record, **changes),
    )


def learning_rate_too_high(record: RunResults) -> Diagnosis | None:
    """Diagnose a high learning rate by the range test or an oscillating loss."""
    finder = record.analysis.get("lr_range_test")
    learning_rate = record.config.get("learning_rate")
    if finder and isinstance(learning_rate, float) and learning_rate > 5 * finder["suggestion"]:
        evidence = _range_test_evidence(finder, learning_rate)
        return Diagnosis(
            "The learning rate is too high", evidence, retrain_command(record, **_suggested_setting(finder))
        )
    train = record.curve("loss")
    if not _is_complete(train, min_epochs=6) or diverging(record):
        return None
    steps = np.diff(train)
    increases, total_change = steps[steps > 0], np.abs(steps[1:]).sum()
    if (
        len(increases) < 0.35 * len(steps)
        or increases.sum() < 0.35 * total_change
        or total_change < 0.3 * abs(float(np.median(train)))
    ):
        return None
    return Diagnosis(
        "The learning rate is too high: the loss oscillates",
        f"Training loss rose in {len(increases)} of {len(steps)} epochs, by {format_number(increases.mean())} on "
        f"average; its median is {format_number(np.median(train))}. The learning rate was "
        f"{format_number(learning_rate)}.",
        retrain_command(record, **scale_learning_rate(record, 0.3)),
    )


def learning_rate_too_low(record: RunResults) -> Diagnosis | None:
    """Diagnose a low learning rate by the range test or a linear loss curve."""
    finder = record.analysis.get("lr_range_test")
    learning_rate = record.config.get("learning_rate")
    if finder and isinstance(learning_rate, float) and learning_rate < finder["suggestion"] / 10:
        evidence = _range_test_evidence(finder, learning_rate)
        return Diagnosis(
            "The learning rate is too low", evidence, retrain_command(record, **_suggested_setting(finder))
        )
    train, val, rates = record.curve("loss"), record.curve("val_loss"), record.curve("learning_rate")
    if not _is_complete(train, val, min_epochs=5):
        return None
    if np.isfinite(rates).all() and rates[-1] < 0.5 * rates[0]:  # the curve is not linear if the rate decays
        return None
    steps = -np.diff(train)
    half = len(steps) // 2
    if (steps <= 0).any() or steps[-half:].mean() < 0.7 * steps[:half].mean() or val.argmin() < len(val) - 1:
        return None
    return Diagnosis(
        "The learning rate is too low: the loss falls slowly",
        f"Training loss fell almost linearly, by {format_number(steps[:half].mean())} per epoch in the first half and "
        f"{format_number(steps[-half:].mean())} in the second, from {format_number(train[0])} to "
        f"{format_number(train[-1])}. The learning rate was {format_number(learning_rate)}.",
        retrain_command(record, **scale_learning_rate(record, 5)),
    )


def metric_stalled(record: RunResults) -> Diagnosis | None:
    """Diagnose a stalled metric: the loss falls, but the metric does not improve."""
    for name in ("val_accuracy", "val_f1", "val_auc"):
        score, val = record.curve(name), record.curve("val_loss")
        if not _is_complete(score, val, min_epochs=6):
            continue
        decrease = val[0] - val.min()
        start = len(val) // 3
        if decrease > 0.2 * abs(val[0]) and score[start:].max() - score[0] < 0.005:
            return Diagnosis(
                f"The loss falls, but {display_name(name.removeprefix('val_'))} does not improve",
                f"Validation loss fell from {format_number(val[0])} to {format_number(val.min())}; "
                f"{display_name(name.removeprefix('val_'))} was {format_number(score[0])} after the first epoch and "
                f"{format_number(score.max())} at best.",
                retrain_command(record, **balanced_classes(record)),
            )
    return None


def not_finite(record: RunResults) -> Diagnosis | None:
    """Diagnose NaN or infinite loss, after which training was rolled back."""
    train = record.curve("loss")
    epochs = [f"{epoch:.0f}" for epoch in record.curve("epoch")[~np.isfinite(train)]]
    if not epochs:
        return None
    first = int(epochs[0])
    norms = record.curve("gradient_norm")[: first - 1]
    has_norm = len(norms) and np.isfinite(norms[-1])
    gradient = f" The gradient norm in the epoch before was {format_number(norms[-1])}." if has_norm else ""
    weight = _largest_gradient(record)
    source = f" The largest gradient at the end is that of {weight}." if weight else ""
    return Diagnosis(
        "The loss was NaN or infinite",
        f"In epoch {', '.join(epochs)} of {len(train)} the loss was NaN or infinite; training was rolled back to the "
        f"last good epoch and continued at a lower learning rate.{gradient}{source} The learning rate was "
        f"{format_number(record.config['learning_rate'])}.",
        retrain_command(record, **smaller_steps(record)),
    )


def _largest_gradient(record: RunResults) -> str | None:
    """Return the name of the weight with the largest gradient norm at the end."""
    gradients = (record.analysis.get("learning") or {}).get("gradients") or []
    finite = [gradient for gradient in gradients if gradient["norm"] is not None]
    return max(finite, key=lambda gradient: gradient["norm"])["weight"] if finite else None


def _is_complete(*curves: np.ndarray, min_epochs: int) -> bool:
    """Return whether all curves are finite and have at least `min_epochs` epochs."""
    return all(len(curve) >= min_epochs and np.isfinite(curve).all() for curve in curves)


def _range_test_evidence(finder: dict[str, Any], learning_rate: float) -> str:
    return (
        f"The range test increased the learning rate from {format_number(finder['low'])} to "
        f"{format_number(finder['high'])} and suggests {format_number(finder['suggestion'])}; training used "
        f"{format_number(learning_rate)}."
    )


def _suggested_setting(finder: dict[str, Any]) -> dict[str, float]:
    return {"learning_rate": float(f"{finder['suggestion']:.2g}")}
