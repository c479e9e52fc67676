"""What a model is worth on rows it has never seen: exact scores with intervals, and an honest comparison.

Every measure is written once, for a matrix of weights `(rows, samples)`: one column of ones is the score itself, a
thousand columns that count how often each row was drawn are its bootstrap (Efron & Tibshirani 1993).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tfkit.errors import NotFiniteError

Info = Mapping[str, Any]
Measure = Callable[[np.ndarray], dict[str, np.ndarray]]  # weights (rows, samples) -> (samples,) a name, NaN: undefined

BINS = 15  # of the calibration error, as Guo et al. have them
CELLS = 1_000_000  # weights held at once: 8 MB, and a few times that for what is made of them
BUDGET = 200_000_000  # rows * ranked classes * bootstrap samples: some seconds


def headline(task: str) -> tuple[str, str]:
    """The score that a task is judged by, and whether more of it ("max") or less ("min") is better.

    For a task that `score` does not know it is the model's own loss.

    Example:
        >>> headline("multiclass"), headline("regression")
        (('accuracy', 'max'), ('root_mean_squared_error', 'min'))
    """
    if task in ("binary", "multiclass"):
        return "accuracy", "max"
    return ("root_mean_squared_error" if task == "regression" else "loss"), "min"


def score(truth: Any, answer: Any, info: Info, *, weight: Any = None) -> dict[str, float]:
    """Say how good the answers are, under the names of scikit-learn's functions (without `_score`).

    Classification: `precision`, `recall`, `f1`, `roc_auc` and `average_precision` are of the positive class where the
    task is binary, else the mean over the classes (one against the rest); classes that no row has are not in it.
    `expected_calibration_error` has 15 bins of equal width of the top probability (Guo et al. 2017,
    https://arxiv.org/abs/1706.04599). What is undefined, as ROC AUC is with one class, is left out: never a NaN.

    Args:
        truth: Class codes, or values in the user's units; `(rows,)`.
        answer: Probabilities `(rows, classes)` in the order of `info["target"]["classes"]`, or values `(rows,)`.
        info: `info["task"]`, and for classification `info["target"]`, are read. An unknown task has no scores: `{}`.
        weight: What each row counts, `(rows,)`. All the same by default.

    Raises:
        NotFiniteError: Where an answer is NaN or infinite.
        ValueError: Where truth and answers are not of one length, or not of one set of classes.

    Example:
        >>> found = score([1.0, 2.0, 4.0], [1.0, 2.0, 3.0], {"task": "regression"})
        >>> {name: round(value, 3) for name, value in found.items()}  # doctest: +NORMALIZE_WHITESPACE
        {'root_mean_squared_error': 0.577, 'mean_absolute_error': 0.333, 'r2': 0.786, 'median_absolute_error': 0.0}
    """
    measures = _measures(truth, answer, info)
    weights = np.ones((len(truth), 1)) if weight is None else np.asarray(weight, "float64").reshape(-1, 1)
    values = {name: float(value[0]) for measure in measures for name, value in measure(weights).items()}
    return {name: value for name, value in values.items() if np.isfinite(value)}


def intervals(
    truth: Any, answer: Any, info: Info, *, samples: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, list[float]]:
    """Say how far chance in the choice of test rows may have moved each score: a percentile bootstrap over rows.

    Very large tests, whose intervals are narrow anyway, get fewer samples: as many as keep rows * classes * samples
    under 200 million (the classes count where there are more than two), but never fewer than 100. A score that is
    undefined, or is so in more than half of the samples, is left out.

    Args:
        truth, answer, info: As in `score`.
        samples: How often the rows are drawn anew, with replacement.
        seed: Of the draws. The same seed draws the same rows, so that two models can be compared.
        level: The share of samples inside the interval, in (0, 1).

    Example:
        >>> intervals([1.0, 2.0, 4.0], [1.5, 2.5, 4.5], {"task": "regression"})["mean_absolute_error"]
        [0.5, 0.5]
    """
    known, measures = score(truth, answer, info), _measures(truth, answer, info)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in known}
    for weights in _draws(len(truth), _affordable(samples, len(truth), info), seed):
        found = {name: value for measure in measures for name, value in measure(weights).items()}
        for name in known:
            drawn[name].append(found[name])
    spans = {name: _span(np.concatenate(values), level) for name, values in drawn.items() if values}
    return {name: span for name, span in spans.items() if span is not None}


def difference(
    truth: Any, a: Any, b: Any, info: Info, name: str, *, samples: int = 1000, seed: int = 0, level: float = 0.95
) -> list[float] | None:
    """Say how sure one score of `a` less that of `b` is: the interval of their difference over the same drawn rows.

    Drawing the same rows for both takes out what is hard or easy for both, so small differences show. None where the
    score is undefined.

    Example:
        >>> difference([1.0, 2.0, 4.0], [2.0, 3.0, 5.0], [1.5, 2.5, 4.5], {"task": "regression"}, "mean_absolute_error")
        [0.5, 0.5]
    """
    both = []
    for answer in (a, b):
        once = np.ones((len(truth), 1))
        holding = [measure for measure in _measures(truth, answer, info) if name in measure(once)]
        if not holding or not np.isfinite(holding[0](once)[name][0]):
            return None
        both.append(holding[0])
    draws = _draws(len(truth), _affordable(samples, len(truth), info), seed)
    gaps = [both[0](weights)[name] - both[1](weights)[name] for weights in draws]
    return _span(np.concatenate(gaps), level)


def by_class(truth: Any, answer: Any, info: Info) -> dict[str, dict[str, float]]:
    """Say how well each class is found: precision, recall, F1 and support (its rows). Of a number: `{}`.

    Precision is 0 for a class that is never predicted, as in scikit-learn; what a class without rows cannot have is
    left out.

    Example:
        >>> info = {"task": "binary", "target": {"classes": ["no", "yes"], "positive": "yes"}}
        >>> by_class([0, 0, 1], [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], info)["yes"]
        {'precision': 0.5, 'recall': 1.0, 'f1': 0.6666666666666666, 'support': 1}
    """
    if info["task"] not in ("binary", "multiclass"):
        return {}
    truth, answer = _checked(truth, answer, info)
    hit, told, true = (add(np.ones((len(truth), 1)))[:, 0] for add in _confusion(truth, answer))
    found = {"precision": _ratio(hit, told, told + true > 0), "recall": _ratio(hit, true, true > 0)}
    found["f1"] = _ratio(2 * hit, told + true, told + true > 0)
    return {
        str(label): {n: float(v[code]) for n, v in found.items() if np.isfinite(v[code])} | {"support": int(true[code])}
        for code, label in enumerate(info["target"]["classes"])
    }


def verdict(
    truth: Any, answer: Any, baselines: Mapping[str, Any], info: Info, *, samples: int = 1000, seed: int = 0
) -> str:
    """Say in one plain sentence whether the model beats the best baseline, cannot be told from it, or loses to it.

    The best baseline is the one with the best headline score on the same rows; better and worse mean that the 95%
    interval of the paired difference does not hold zero.

    Example:
        >>> truth, info = np.arange(40.0), {"task": "regression"}
        >>> verdict(truth, truth + 0.5, {"constant": np.full(40, 19.5)}, info).split(":")[0]
        'Better than the best baseline, constant'
        >>> verdict(truth, np.full(40, 19.5), {"linear": truth + 0.5}, info).split(":")[0]
        'The baseline linear is better than the model'
    """
    name, mode = headline(info["task"])
    own, sign = score(truth, answer, info).get(name), 1 if mode == "max" else -1
    others = {word: score(truth, other, info).get(name) for word, other in baselines.items()}
    known = {word: value for word, value in others.items() if value is not None}
    if own is None or not known:
        return "No baseline was measured, so nothing is known of how hard the task is."
    best = max(known, key=lambda word: sign * known[word])
    span = difference(truth, answer, baselines[best], info, name, samples=samples, seed=seed)
    numbers = f"{name} {_say(own)} against {_say(known[best])}" + (", less is better" if sign < 0 else "")
    if span is not None:
        numbers += f" (95% interval of the difference: {_say(span[0])} to {_say(span[1])})"
        if sign * span[0] > 0 and sign * span[1] > 0:
            return f"Better than the best baseline, {best}: {numbers}."
        if sign * span[0] < 0 and sign * span[1] < 0:
            return f"The baseline {best} is better than the model: {numbers}; use {best}, or improve the model."
    return f"Not to be told apart from the best baseline, {best}, on {len(truth):,} rows: {numbers}."


def _say(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value + 0.0:.4g}"


# ---- the measures: each sorts once, and then takes any weights


def _confusion(truth: np.ndarray, answer: np.ndarray) -> list[Callable[[np.ndarray], np.ndarray]]:
    """By class `(classes, samples)`: rows found, rows predicted, rows there are."""
    guess, num = answer.argmax(1), answer.shape[1]
    return [_sums(truth, num, truth == guess), _sums(guess, num), _sums(truth, num)]


def _decided(truth: np.ndarray, answer: np.ndarray, info: Info) -> Measure:
    """What follows from the predicted class alone."""
    confusion, positive = _confusion(truth, answer), _positive(info)

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        hit, told, true = (add(weights) for add in confusion)
        there, total = told + true > 0, true.sum(0)
        found = {"accuracy": _ratio(hit.sum(0), total), "balanced_accuracy": _mean(_ratio(hit, true, true > 0))}
        each = {"precision": _ratio(hit, told, there), "recall": _ratio(hit, true, there)}
        each["f1"] = _ratio(2 * hit, told + true, there)
        for name, value in each.items():
            found[name] = _mean(value) if positive is None else value[positive]
        if positive is not None:  # a mean counts a class as not found at all; alone, it has nothing to be found
            found["recall"] = np.where(true[positive] > 0, found["recall"], np.nan)
        found |= {f"{name}_macro": _mean(value) for name, value in each.items()}
        return found | {f"{name}_weighted": _ratio(np.nansum(v * true, 0), total) for name, v in each.items()}

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
        precision = _ratio(p * tp, tp + fp, tp >= 0).sum(0)
        above = _ratio((p * (fp - n / 2)).sum(0), tp[-1] * fp[-1])
        return 1 - above, _ratio(precision, tp[-1])

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
        return {"log_loss": _ratio(loss @ weights, total), "expected_calibration_error": _ratio(calibration, total)}

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
        spread = around - _ratio((centred @ weights) ** 2, total, total > 0)
        spread = np.where(spread > np.maximum(rounding * total, 1e-12 * around), spread, np.nan)
        climbed = np.cumsum(weights[order], 0)
        middle = [np.minimum(side(climbed, total / 2).sum(0), len(error) - 1) for side in (np.less, np.less_equal)]
        return {
            "root_mean_squared_error": np.sqrt(_ratio(squared, total)),
            "mean_absolute_error": _ratio(error @ weights, total),
            "r2": 1 - squared / spread,
            "median_absolute_error": np.where(total > 0, ranked[np.array(middle)].mean(0), np.nan),
        }

    return measure


TASKS: dict[str, tuple[Callable[[np.ndarray, np.ndarray, Info], Measure], ...]] = {
    "binary": (_decided, _ranked, _probable),
    "multiclass": (_decided, _ranked, _probable),
    "regression": (_erring,),
}


def _measures(truth: Any, answer: Any, info: Info) -> list[Measure]:
    if info["task"] not in TASKS or not len(truth):
        return []
    truth, answer = _checked(truth, answer, info)
    with np.errstate(over="ignore"):
        return [make(truth, answer, info) for make in TASKS[info["task"]]]


def _checked(truth: Any, answer: Any, info: Info) -> tuple[np.ndarray, np.ndarray]:
    regression = info["task"] == "regression"
    truth, answer = np.asarray(truth), np.asarray(answer)
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
    if regression:
        return truth.reshape(-1).astype("float64"), answer.reshape(-1).astype("float64")
    return truth.reshape(-1).astype("int64"), answer.astype("float32" if answer.dtype == "float32" else "float64")


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


def _ratio(above: np.ndarray, below: np.ndarray, defined: np.ndarray | None = None) -> np.ndarray:
    """`above / below`; where `below` is 0 it is 0 if that is `defined`, else NaN."""
    kept = below != 0
    ratio = np.divide(above, below, out=np.zeros(np.shape(above)), where=kept)
    return np.where(kept if defined is None else defined, ratio, np.nan)


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean over the first axis of what is not NaN."""
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0).sum(0), known.sum(0))


def _affordable(samples: int, rows: int, info: Info) -> int:
    columns = len(info["target"]["classes"]) if info["task"] == "multiclass" else 1
    return min(samples, max(100, BUDGET // max(rows * columns, 1)))


def _draws(rows: int, samples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each row is drawn, `(rows, block)`, a block of samples at a time."""
    rng, block = np.random.default_rng(seed), max(1, CELLS // max(rows, 1))
    for first in range(0, samples if rows else 0, block):
        size = min(block, samples - first)
        counts = [np.bincount(rng.integers(0, rows, rows), minlength=rows) for _ in range(size)]
        yield np.ascontiguousarray(np.array(counts, "float64").T)


def _span(values: np.ndarray, level: float) -> list[float] | None:
    known = values[np.isfinite(values)]
    if 2 * len(known) < len(values):
        return None
    low, high = np.percentile(known, [50 * (1 - level), 50 * (1 + level)])
    return [float(low), float(high)]
