"""The measures: each is made once for truth and answers, and then takes any weights.

Weights are a matrix `(rows, samples)`: one column of ones is the score itself, a thousand columns that count how often
each row was drawn are its bootstrap. So a measure sorts and groups when it is made, and afterwards only adds.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfkit.errors import NotFiniteError

Info = Mapping[str, Any]
Measure = Callable[[np.ndarray], dict[str, np.ndarray]]  # weights (rows, samples) -> (samples,) a name, NaN: undefined

BINS = 15  # of the calibration error, as Guo et al. have them


def measures(truth: Any, answer: Any, info: Info) -> list[Measure]:
    """What a task is measured by, made for these rows; nothing for an unknown task, or no rows."""
    if info["task"] not in _TASKS or not len(truth):
        return []
    truth, answer = checked(truth, answer, info)
    with np.errstate(over="ignore"):
        return [make(truth, answer, info) for make in _TASKS[info["task"]]]


def checked(truth: Any, answer: Any, info: Info) -> tuple[np.ndarray, np.ndarray]:
    """Codes or values `(rows,)` and finite answers, one for each row."""
    regression, forecast = info["task"] == "regression", info["task"] == "forecast"
    truth, answer = np.asarray(truth), np.asarray(answer)
    if forecast:
        wanted = truth["values"].shape + ((len(info["quantiles"]),) if answer.ndim == 3 else ())
    else:
        wanted = (len(truth),) if regression else (len(truth), len(info["target"]["classes"]))
    if answer.shape != wanted and not (regression and answer.shape == (len(truth), 1)):
        raise ValueError(
            "Every row must have one answer (a number, or a probability for each class) to be scored. "
            f"Received: {len(truth)} rows, answers of shape {answer.shape} where {wanted} is needed"
        )
    wrong = int((~np.isfinite(answer.reshape(len(truth), -1))).any(1).sum())
    if wrong:
        raise NotFiniteError(
            "Answers must be finite numbers to be scored; train with a lower `learning_rate` or with `clip_norm`. "
            f"Received: {wrong} of {len(truth)} rows with NaN or infinity"
        )
    if forecast:
        return truth, answer.astype("float64")
    if regression:
        return truth.reshape(-1).astype("float64"), answer.reshape(-1).astype("float64")
    return truth.reshape(-1).astype("int64"), answer.astype("float32" if answer.dtype == "float32" else "float64")


def confusion(truth: np.ndarray, answer: np.ndarray) -> list[Callable[[np.ndarray], np.ndarray]]:
    """By class `(classes, samples)`: rows found, rows predicted, rows there are."""
    guess, num = answer.argmax(1), answer.shape[1]
    return [_sums(truth, num, truth == guess), _sums(guess, num), _sums(truth, num)]


def _decided(truth: np.ndarray, answer: np.ndarray, info: Info) -> Measure:
    """What follows from the predicted class alone."""
    sums, positive = confusion(truth, answer), _positive(info)

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        hit, told, true = (add(weights) for add in sums)
        there, total = told + true > 0, true.sum(0)
        found = {"accuracy": ratio(hit.sum(0), total), "balanced_accuracy": _mean(ratio(hit, true, true > 0))}
        each = {"precision": ratio(hit, told, there), "recall": ratio(hit, true, there)}
        each["f1"] = ratio(2 * hit, told + true, there)
        for name, value in each.items():
            found[name] = _mean(value) if positive is None else value[positive]
        if positive is not None:  # a mean counts a class as not found at all; alone, it has nothing to be found
            found["recall"] = np.where(true[positive] > 0, found["recall"], np.nan)
        found |= {f"{name}_macro": _mean(value) for name, value in each.items()}
        return found | {f"{name}_weighted": ratio(np.nansum(v * true, 0), total) for name, v in each.items()}

    return measure


def _ranked(truth: np.ndarray, answer: np.ndarray, info: Info) -> Measure:
    """What follows from the order of the rows by the probability of a class."""
    positive = _positive(info)
    codes = [code for code in np.unique(truth) if positive is None or code == positive]
    rankings = [_ranking(answer[:, code], truth == code) for code in codes]

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        pairs = np.array([ranking(weights) for ranking in rankings]).reshape(-1, 2, weights.shape[1])
        return {"roc_auc": _mean(pairs[:, 0]), "average_precision": _mean(pairs[:, 1])}

    return measure


def _ranking(value: np.ndarray, positive: np.ndarray) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The area under the ROC curve and the average precision of one class, ties shared."""
    order = np.argsort(-value, kind="stable")
    fresh = np.r_[True, np.diff(value[order]) != 0]
    holding = np.logical_or.reduceat(positive[order], np.flatnonzero(fresh))
    # Neighbouring ties without a positive row move neither score: as one group they make rare classes cheap.
    group = (np.cumsum(np.r_[True, holding[1:] | holding[:-1]]) - 1)[np.cumsum(fresh) - 1]
    groups = np.empty_like(group)
    groups[order] = group
    add_positive, add_negative = (_sums(groups, group[-1] + 1, rows) for rows in (positive, ~positive))

    def measure(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p, n = add_positive(weights), add_negative(weights)
        tp, fp = np.cumsum(p, 0), np.cumsum(n, 0)
        precision = ratio(p * tp, tp + fp, tp >= 0).sum(0)
        above = ratio((p * (fp - n / 2)).sum(0), tp[-1] * fp[-1])
        return 1 - above, ratio(precision, tp[-1])

    return measure


def _probable(truth: np.ndarray, answer: np.ndarray, info: Info) -> Measure:
    """What follows from the size of the probabilities."""
    tiny, rows = np.finfo(answer.dtype).eps, np.arange(len(truth))  # clipped by its dtype, as scikit-learn does
    loss = -np.log(np.clip(answer[rows, truth], tiny, 1 - tiny).astype("float64"))
    top = answer.max(1).astype("float64")
    gaps = np.zeros((BINS, len(truth)))
    gaps[np.clip(np.ceil(top * BINS) - 1, 0, BINS - 1).astype(int), rows] = (answer.argmax(1) == truth) - top

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = weights.sum(0)
        calibration = np.abs(gaps @ weights).sum(0)
        return {"log_loss": ratio(loss @ weights, total), "expected_calibration_error": ratio(calibration, total)}

    return measure


def _erring(truth: np.ndarray, answer: np.ndarray, info: Info) -> Measure:
    """How far numbers are off."""
    error, centred = np.abs(truth - answer), truth - truth.mean()
    order = np.argsort(error, kind="stable")
    ranked = error[order]
    rounding = 4 * (np.finfo("float64").eps * np.abs(truth).max()) ** 2

    @np.errstate(over="ignore", invalid="ignore")  # a square that overflows is left out in the end
    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        total, squared, around = weights.sum(0), error**2 @ weights, centred**2 @ weights
        spread = around - ratio((centred @ weights) ** 2, total, total > 0)
        spread = np.where(spread > np.maximum(rounding * total, 1e-12 * around), spread, np.nan)
        climbed = np.cumsum(weights[order], 0)
        middle = [np.minimum(side(climbed, total / 2).sum(0), len(error) - 1) for side in (np.less, np.less_equal)]
        return {
            "root_mean_squared_error": np.sqrt(ratio(squared, total)),
            "mean_absolute_error": ratio(error @ weights, total),
            "r2": 1 - squared / spread,
            "median_absolute_error": np.where(total > 0, ranked[np.array(middle)].mean(0), np.nan),
        }

    return measure


def _foretold(truth: np.ndarray, answer: np.ndarray, info: Info) -> Measure:
    """How far forecasts are off, in units, as shares, and as multiples of what the seasonal naive was off in training.

    A row is a window: the number of its series, and a value for each step, NaN where it is not known. Answers are one
    for each step, or one for each step and quantile.
    """
    values, there = truth["values"], np.isfinite(truth["values"])
    quantiles = list(info["quantiles"]) if answer.ndim == 3 else []
    middle = answer[..., len(quantiles) // 2] if quantiles else answer
    error = np.abs(np.where(there, values - middle, 0.0))
    scales = {name: _of_series(truth["series"], info["series"][name]) for name in ("naive_error", "scale")}
    size = np.where(there, np.abs(values) + np.abs(middle), 0.0)
    parts = {  # name -> what is added up, and how much of it there is
        "mean_absolute_error": (error.sum(1), there.sum(1)),
        "root_mean_squared_error": (np.square(error).sum(1), there.sum(1)),
        "smape": (200 * ratio(error, size, size >= 0).sum(1), there.sum(1)),
        "mase": _scaled(error.sum(1), there.sum(1), scales["naive_error"]),
    }
    if len(info["series"]["names"]) > 1:
        parts["standardised_mean_squared_error"] = _scaled(np.square(error).sum(1), there.sum(1), scales["scale"] ** 2)
        parts["standardised_mean_absolute_error"] = _scaled(error.sum(1), there.sum(1), scales["scale"])
    for i in range(len(quantiles) // 2):
        inside = there & (answer[..., i] <= values) & (values <= answer[..., -1 - i])
        parts[f"coverage_{100 * (quantiles[-1 - i] - quantiles[i]):.0f}"] = (inside.sum(1), there.sum(1))

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        found = {name: ratio(added @ weights, counts @ weights) for name, (added, counts) in parts.items()}
        return found | {"root_mean_squared_error": np.sqrt(found["root_mean_squared_error"])}

    return measure


def _of_series(codes: np.ndarray, told: Any) -> np.ndarray:
    """What was told of the series of each row; 0 for one that is not known."""
    return np.append(np.asarray(told, "float64"), 0.0)[codes]  # code -1, not known, is the last


def _scaled(added: np.ndarray, counts: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In units of a scale; rows whose scale is 0 count nothing."""
    return ratio(added, scale, scale >= 0), np.where(scale > 0, counts, 0)


def _positive(info: Info) -> int | None:
    """The code of the positive class where there is one, and None where the mean over classes is meant."""
    target = info["target"]
    return list(target["classes"]).index(target["positive"]) if info["task"] == "binary" else None


def _sums(groups: np.ndarray, num: int, rows: np.ndarray | None = None) -> Callable[[np.ndarray], np.ndarray]:
    """Add weights `(rows, samples)` up by group: `(num, samples)`; of the marked `rows` only, if any are."""
    chosen = np.arange(len(groups)) if rows is None else np.flatnonzero(rows)
    order = chosen[np.argsort(groups[chosen], kind="stable")]
    present, starts = np.unique(groups[order], return_index=True)

    def add(weights: np.ndarray) -> np.ndarray:
        total = np.zeros((num, weights.shape[1]))
        if len(order):
            total[present] = np.add.reduceat(weights[order], starts, axis=0)
        return total

    return add


def ratio(above: np.ndarray, below: np.ndarray, defined: np.ndarray | None = None) -> np.ndarray:
    """`above / below`; where `below` is 0 it is 0 if that is `defined`, else NaN."""
    kept = below != 0
    found = np.divide(above, below, out=np.zeros(np.shape(above)), where=kept)
    return np.where(kept if defined is None else defined, found, np.nan)


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean over the first axis of what is not NaN."""
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0).sum(0), known.sum(0))


_TASKS: dict[str, tuple[Callable[[np.ndarray, np.ndarray, Info], Measure], ...]] = {
    "binary": (_decided, _ranked, _probable),
    "multiclass": (_decided, _ranked, _probable),
    "regression": (_erring,),
    "forecast": (_foretold,),
}
