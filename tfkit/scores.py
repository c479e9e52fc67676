"""What a model is worth on rows it has never seen: exact scores, their intervals, and an honest comparison.

Intervals come from the bootstrap over rows (Efron & Tibshirani 1993); what is drawn is how often each row counts.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfkit.measures import Info, checked, confusion, measures, ratio

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
    if task == "forecast":
        return "mase", "min"
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
    weights = np.ones((len(truth), 1)) if weight is None else np.asarray(weight, "float64").reshape(-1, 1)
    made = measures(truth, answer, info)
    values = {name: float(value[0]) for measure in made for name, value in measure(weights).items()}
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
    known, made = score(truth, answer, info), measures(truth, answer, info)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in known}
    for weights in _draws(len(truth), _affordable(samples, len(truth), info), seed, info.get("block", 1)):
        found = {name: value for measure in made for name, value in measure(weights).items()}
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
        holding = [measure for measure in measures(truth, answer, info) if name in measure(once)]
        if not holding or not np.isfinite(holding[0](once)[name][0]):
            return None
        both.append(holding[0])
    draws = _draws(len(truth), _affordable(samples, len(truth), info), seed, info.get("block", 1))
    gaps = [both[0](weights)[name] - both[1](weights)[name] for weights in draws]
    return _span(np.concatenate(gaps), level) if gaps else None


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
    truth, answer = checked(truth, answer, info)
    hit, told, true = (add(np.ones((len(truth), 1)))[:, 0] for add in confusion(truth, answer))
    found = {"precision": ratio(hit, told, told + true > 0), "recall": ratio(hit, true, true > 0)}
    found["f1"] = ratio(2 * hit, told + true, told + true > 0)
    return {
        str(label): {n: float(v[code]) for n, v in found.items() if np.isfinite(v[code])} | {"support": int(true[code])}
        for code, label in enumerate(info["target"]["classes"])
    }


def against(
    truth: Any, answer: Any, baselines: Mapping[str, Any], info: Info, *, samples: int = 1000, seed: int = 0
) -> dict[str, Any] | None:
    """Hold the model against the best baseline, the one with the best headline score on the same rows.

    Returns:
        `score`, its name; `baseline`; `own` and `other`, the two scores; `interval`, 95%, of own less other; `better`,
        how many units of the score the model is better at least and at most. None where there is nothing to compare,
        or the answers are quantiles, which no score of the middle judges.

    Example:
        >>> truth, info = np.arange(40.0), {"task": "regression"}
        >>> found = against(truth, truth + 0.5, {"constant": np.full(40, 19.5)}, info)
        >>> found["baseline"], found["own"], found["better"][0] > 0
        ('constant', 0.5, True)
    """
    if info.get("target", {}).get("quantile") is not None:
        return None
    name, mode = headline(info["task"])
    own, sign = score(truth, answer, info).get(name), 1 if mode == "max" else -1
    others = {word: score(truth, other, info).get(name) for word, other in baselines.items()}
    known = {word: value for word, value in others.items() if value is not None}
    if own is None or not known:
        return None
    best = max(known, key=lambda word: sign * known[word])
    span = difference(truth, answer, baselines[best], info, name, samples=samples, seed=seed)
    better = None if span is None else sorted(sign * end for end in span)
    return {"score": name, "baseline": best, "own": own, "other": known[best], "interval": span, "better": better}


def verdict(
    truth: Any, answer: Any, baselines: Mapping[str, Any], info: Info, *, known: Mapping[str, Any] | None = None
) -> str:
    """Say in one plain sentence whether the model beats the best baseline, cannot be told from it, or loses to it.

    Better and worse mean that the 95% interval of the paired difference does not hold zero. Of a quantile
    (`info["target"]["quantile"]`) it says how many values lie at or below the answers, for no score of the middle
    judges that. `known`: what `against` has found, where it was asked before.

    Example:
        >>> truth, info = np.arange(40.0), {"task": "regression"}
        >>> verdict(truth, truth + 0.5, {"constant": np.full(40, 19.5)}, info).split(":")[0]
        'Better than the best baseline, constant'
        >>> verdict(truth, np.full(40, 19.5), {"linear": truth + 0.5}, info).split(":")[0]
        'The baseline linear is better than the model'
    """
    quantile = info.get("target", {}).get("quantile")
    if quantile is not None:
        below = float((np.asarray(truth) <= np.asarray(answer)).mean())
        meant = f"The answers are meant to be at or above {quantile:.0%} of the values"
        return f"{meant}; of the test rows it is {below:.1%}."
    known = known or against(truth, answer, baselines, info)
    if known is None:
        return "No baseline was measured, so nothing is known of how hard the task is."
    best, span = known["baseline"], known["interval"]
    numbers = f"{known['score']} {_say(known['own'])} against {_say(known['other'])}"
    numbers += ", less is better" if headline(info["task"])[1] == "min" else ""
    if span is not None:
        numbers += f" (95% interval of the difference: {_say(span[0])} to {_say(span[1])})"
        least, most = known["better"]
        if least > 0:
            return f"Better than the best baseline, {best}: {numbers}."
        if most < 0:
            return f"The baseline {best} is better than the model: {numbers}; use {best}, or improve the model."
    return f"Not to be told apart from the best baseline, {best}, on {len(truth):,} rows: {numbers}."


def _say(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value + 0.0:.4g}"


def _affordable(samples: int, rows: int, info: Info) -> int:
    columns = len(info["target"]["classes"]) if info["task"] == "multiclass" else 1
    return min(samples, max(100, BUDGET // max(rows * columns, 1)))


def _draws(rows: int, samples: int, seed: int, together: int = 1) -> Iterator[np.ndarray]:
    """How often each row is drawn, `(rows, block)`, a block of samples at a time.

    Windows of one time share what they are judged by, so as many as that stay `together` (the circular block bootstrap,
    Politis and Romano 1992). Fewer than two such blocks say nothing of chance: then nothing is drawn.
    """
    rng, block = np.random.default_rng(seed), max(1, CELLS // max(rows, 1))
    for first in range(0, samples if rows >= (1 if together == 1 else 2 * together) else 0, block):
        size = min(block, samples - first)
        counts = [np.bincount(_drawn(rng, rows, together), minlength=rows) for _ in range(size)]
        yield np.ascontiguousarray(np.array(counts, "float64").T)


def _drawn(rng: Any, rows: int, together: int) -> np.ndarray:
    if together == 1:
        return rng.integers(0, rows, rows)
    starts = rng.integers(0, rows, -(-rows // together))
    return ((starts[:, None] + np.arange(together)) % rows).ravel()[:rows]


def _span(values: np.ndarray, level: float) -> list[float] | None:
    known = values[np.isfinite(values)]
    if 2 * len(known) < len(values):
        return None
    low, high = np.percentile(known, [50 * (1 - level), 50 * (1 + level)])
    return [float(low), float(high)]
