"""What the loss says, epoch by epoch."""

import numpy as np

from tfkit.report.judgements.judgement import Judgement, again, rate, stronger
from tfkit.report.reading import Record
from tfkit.report.words import number, percent, spoken


def over_fitting(record: Record) -> Judgement | None:
    """Validation loss rises again while training loss still falls."""
    train, val = record.curve("loss"), record.curve("val_loss")
    if not _known(train, val, least=5):
        return None
    best = int(val.argmin())
    tail = val[-max(2, len(val) // 10) :].mean()
    gained, lost = val[0] - val[best], tail - val[best]
    if len(val) - 1 - best < max(3, len(val) // 5) or train[-1] > train[best] - 0.02 * abs(train[best]):
        return None
    if lost < 0.1 * abs(val[best]) or lost < 0.2 * gained:
        return None
    return Judgement(
        "It over-fits: it learns the training rows by heart",
        f"Validation loss was best in epoch {best + 1}, {number(float(val[best]))}, and rose to "
        f"{number(float(tail))} at the end, while training loss fell on from {number(float(train[best]))} to "
        f"{number(float(train[-1]))}. The weights of the best epoch are kept, so the rest of the time was lost.",
        again(record, **stronger(record)),
    )


def diverging(record: Record) -> Judgement | None:
    """Training loss climbs back to where it began, or beyond."""
    train = record.curve("loss")
    if not _known(train, least=4):
        return None
    low, end = float(train.min()), float(train[-2:].mean())
    if end < low + 0.5 * max(train[0] - low, 0.0) or end < low + 0.2 * abs(low) or int(train.argmin()) > len(train) - 3:
        return None
    return Judgement(
        "It diverges: the training loss itself climbs",
        f"Training loss was {number(low)} in epoch {int(train.argmin()) + 1} and {number(end)} at the end; it began at "
        f"{number(float(train[0]))}. The learning rate was {number(record.config['learning_rate'])}.",
        again(record, **rate(record, 0.1), clip_norm=1),
    )


def stopped_too_early(record: Record) -> Judgement | None:
    """Validation loss was still falling when training ended."""
    val = record.curve("val_loss")
    if not _known(val, least=6) or val.argmin() < len(val) - 1:
        return None
    before = len(val) - 1 - max(2, len(val) // 4)
    gain, total = val[before] - val[-1], val[0] - val[-1]
    rates = record.curve("learning_rate")
    ended = np.isfinite(rates[-2:]).all() and rates[-2] < 0.1 * np.nanmax(rates)  # of a decay that was to end here
    if gain < (0.1 if ended else 0.05) * abs(val[-1]) or gain < (0.3 if ended else 0.1) * total:
        return None
    return Judgement(
        "It stopped too early: it was still learning",
        f"Over the last {len(val) - 1 - before} epochs validation loss fell from {number(float(val[before]))} to "
        f"{number(float(val[-1]))}, {percent(gain / total)} of all that it fell, and the last epoch was the best.",
        again(record, epochs=2 * int(record.config["epochs"])),
    )


def plateau(record: Record) -> Judgement | None:
    """Nothing happened for most of the epochs."""
    train, val = record.curve("loss"), record.curve("val_loss")
    if not _known(train, val, least=12):
        return None
    best = int(val.argmin())
    rest = len(val) - 1 - best
    reached = int(np.flatnonzero(val <= val[best] + 0.01 * max(val[0] - val[best], 0.0))[0])
    if max(rest, 0) < 0.6 * len(val) or reached > 0.35 * len(val):
        return None
    if val[best:].mean() - val[best] > 0.05 * abs(val[best]) or over_fitting(record):
        return None
    decays = record.config.get("learning_rate_decay", "none") != "none"
    changes = {"patience": max(3, best // 2)} if decays else {"learning_rate_decay": "plateau"}
    return Judgement(
        "It stood still for most of the time",
        f"Validation loss reached {number(float(val[best]))} in epoch {best + 1} and no better in the {rest} epochs "
        f"after it (mean {number(float(val[best:].mean()))}).",
        again(record, **changes),
    )


def rate_too_high(record: Record) -> Judgement | None:
    """Training loss goes up and down instead of down; or the finder says so."""
    told = record.evidence.get("finder")
    used = record.config.get("learning_rate")
    if told and isinstance(used, float) and used > 5 * told["suggestion"]:
        return Judgement("The learning rate is too high", _found(told, used), again(record, **_suggested(told)))
    train = record.curve("loss")
    if not _known(train, least=6) or diverging(record):
        return None
    steps = np.diff(train)
    up, moved = steps[steps > 0], np.abs(steps[1:]).sum()
    if len(up) < 0.35 * len(steps) or up.sum() < 0.35 * moved or moved < 0.3 * abs(float(np.median(train))):
        return None
    return Judgement(
        "The learning rate is too high: the loss jumps",
        f"Training loss rose in {len(up)} of {len(steps)} epochs, by {number(float(up.mean()))} on average; it lies "
        f"at {number(float(np.median(train)))}. The learning rate was {number(used)}.",
        again(record, **rate(record, 0.3)),
    )


def rate_too_low(record: Record) -> Judgement | None:
    """Training loss falls along a straight line; or the finder says so."""
    told = record.evidence.get("finder")
    used = record.config.get("learning_rate")
    if told and isinstance(used, float) and used < told["suggestion"] / 10:
        return Judgement("The learning rate is too low", _found(told, used), again(record, **_suggested(told)))
    train, val, rates = record.curve("loss"), record.curve("val_loss"), record.curve("learning_rate")
    if not _known(train, val, least=5):
        return None
    if np.isfinite(rates).all() and rates[-1] < 0.5 * rates[0]:  # a decay bends the line by itself
        return None
    steps = -np.diff(train)
    half = len(steps) // 2
    if (steps <= 0).any() or steps[-half:].mean() < 0.7 * steps[:half].mean() or val.argmin() < len(val) - 1:
        return None
    return Judgement(
        "The learning rate is too low: the loss creeps down",
        f"Training loss fell in every epoch by about as much, {number(float(steps[:half].mean()))} an epoch in the "
        f"first half and {number(float(steps[-half:].mean()))} in the second, from {number(float(train[0]))} to "
        f"{number(float(train[-1]))}. The learning rate was {number(used)}.",
        again(record, **rate(record, 5)),
    )


def loss_without_score(record: Record) -> Judgement | None:
    """The loss falls, and what counts does not move."""
    for name in ("val_accuracy", "val_f1", "val_auc"):
        score, val = record.curve(name), record.curve("val_loss")
        if not _known(score, val, least=6):
            continue
        fell = val[0] - val.min()
        late = len(val) // 3
        if fell > 0.2 * abs(val[0]) and score[late:].max() - score[0] < 0.005:
            return Judgement(
                f"The loss falls, but {spoken(name.removeprefix('val_'))} does not move",
                f"Validation loss fell from {number(float(val[0]))} to {number(float(val.min()))}; "
                f"{spoken(name.removeprefix('val_'))} was {number(float(score[0]))} after the first epoch and "
                f"{number(float(score.max()))} at best.",
                again(record, class_weights="true") if "class_weights" in record.config else again(record),
            )
    return None


def not_finite(record: Record) -> Judgement | None:
    """The loss was no number in some epoch, and training went back."""
    train = record.curve("loss")
    epochs = [f"{epoch:.0f}" for epoch in record.curve("epoch")[~np.isfinite(train)]]
    if not epochs:
        return None
    first = int(epochs[0])
    norms = record.curve("gradient_norm")[: first - 1]
    known = len(norms) and np.isfinite(norms[-1])
    before = f" The gradient norm before it was {number(float(norms[-1]))}." if known else ""
    weight = _steepest(record)
    source = f" The steepest weight at the end is {weight}." if weight else ""
    return Judgement(
        "The loss was not a number for a while",
        f"In epoch {', '.join(epochs)} of {len(train)} the loss was not finite; training went back to the last good "
        f"epoch and on at a lower rate.{before}{source} The learning rate was "
        f"{number(record.config['learning_rate'])}.",
        again(record, **rate(record, 0.1), clip_norm=1),
    )


def _steepest(record: Record) -> str | None:
    gradients = (record.evidence.get("learning") or {}).get("gradients") or []
    known = [one for one in gradients if one["norm"] is not None]
    return max(known, key=lambda one: one["norm"])["weight"] if known else None


def _known(*curves: np.ndarray, least: int) -> bool:
    return all(len(curve) >= least and np.isfinite(curve).all() for curve in curves)


def _found(told: dict, used: float) -> str:
    return (
        f"The finder raised the rate from {number(told['low'])} to {number(told['high'])} and suggests "
        f"{number(told['suggestion'])}; training used {number(used)}."
    )


def _suggested(told: dict) -> dict[str, float]:
    return {"learning_rate": float(f"{told['suggestion']:.2g}")}
