"""Test metrics, bootstrap intervals, and paired comparison with baselines.

Intervals come from the bootstrap over rows (Efron & Tibshirani 1993): rows are resampled as integer weights.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfkit.measures import Info, class_counts, ratio, task_metrics, validate_predictions

MAX_CHUNK_WEIGHTS = 1_000_000  # bootstrap weights in memory at once: 8 MB, and a few times that for temporaries
MAX_BOOTSTRAP_CELLS = 200_000_000  # rows * ranked classes * bootstrap samples: a few seconds
MIN_SAMPLES = 100  # bootstrap samples at least


def headline(task: str) -> tuple[str, str]:
    """Return the primary metric of a task and its direction, "max" or "min".

    For a task that `score` does not know, the metric is the loss of the model.

    Example:
        >>> headline("multiclass"), headline("regression")
        (('accuracy', 'max'), ('root_mean_squared_error', 'min'))
    """
    if task in ("binary", "multiclass"):
        return "accuracy", "max"
    if task == "forecast":
        return "mase", "min"
    return ("root_mean_squared_error" if task == "regression" else "loss"), "min"


def score(y_true: Any, y_pred: Any, info: Info, *, weight: Any = None) -> dict[str, float]:
    """Compute the metrics of a task, named as in scikit-learn (without `_score`).

    Classification: `precision`, `recall`, `f1`, `roc_auc` and `average_precision` are those of the positive class if
    the task is binary, else the mean over classes (one vs rest) without classes that have no rows.
    `expected_calibration_error` uses 15 bins of equal width of the top probability (Guo et al. 2017,
    https://arxiv.org/abs/1706.04599). Undefined metrics, such as ROC AUC with one class, are left out: never NaN.

    Args:
        y_true: Class codes, or values in the units of the user; `(rows,)`. For a forecast, a structured array
            with the series code and the values of each window.
        y_pred: Probabilities `(rows, classes)` in the order of `info["target"]["classes"]`, or values `(rows,)`.
        info: Metadata; `info["task"]`, and for classification `info["target"]`, are used. Unknown tasks have no
            metrics: `{}`.
        weight: Sample weights, `(rows,)`. The default is equal weights.

    Returns:
        Metric values by name.

    Raises:
        NotFiniteError: If a prediction is NaN or infinite.
        ValueError: If targets and predictions differ in length or number of classes.

    Example:
        >>> metrics = score([1.0, 2.0, 4.0], [1.0, 2.0, 3.0], {"task": "regression"})
        >>> {name: round(value, 3) for name, value in metrics.items()}  # doctest: +NORMALIZE_WHITESPACE
        {'root_mean_squared_error': 0.577, 'mean_absolute_error': 0.333, 'r2': 0.786, 'median_absolute_error': 0.0}
    """
    weights = np.ones((len(y_true), 1)) if weight is None else np.asarray(weight, "float64").reshape(-1, 1)
    metrics = task_metrics(y_true, y_pred, info)
    values = {name: float(value[0]) for metric in metrics for name, value in metric(weights).items()}
    return {name: value for name, value in values.items() if np.isfinite(value)}


def intervals(
    y_true: Any, y_pred: Any, info: Info, *, samples: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, list[float]]:
    """Compute percentile bootstrap intervals of all metrics, resampling rows.

    Very large test sets, whose intervals are narrow, get fewer samples: as many as keep rows * classes * samples
    below 200 million (classes count if there are more than two), but at least 100. A metric that is undefined, or
    undefined in more than half of the samples, is left out.

    Args:
        y_true, y_pred, info: As in `score`.
        samples: Number of bootstrap samples.
        seed: Random seed. The same seed resamples the same rows, so that two models can be compared.
        level: Confidence level, in (0, 1).

    Returns:
        Lower and upper end of the interval of each metric by name.

    Example:
        >>> intervals([1.0, 2.0, 4.0], [1.5, 2.5, 4.5], {"task": "regression"})["mean_absolute_error"]
        [0.5, 0.5]
    """
    names, metrics = score(y_true, y_pred, info), task_metrics(y_true, y_pred, info)
    samples_by_name: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for weights in _bootstrap_weights(
        len(y_true), _num_samples(samples, len(y_true), info), seed, info.get("block", 1)
    ):
        values = {name: value for metric in metrics for name, value in metric(weights).items()}
        for name in names:
            samples_by_name[name].append(values[name])
    spans = {
        name: _percentile_interval(np.concatenate(chunks), level) for name, chunks in samples_by_name.items() if chunks
    }
    return {name: interval for name, interval in spans.items() if interval is not None}


def difference(
    y_true: Any, a: Any, b: Any, info: Info, name: str, *, samples: int = 1000, seed: int = 0, level: float = 0.95
) -> list[float] | None:
    """Compute the paired bootstrap interval of a metric of `a` minus that of `b`.

    Both models are scored on the same resampled rows, which removes the variance they share, so that small differences
    become significant.

    Args:
        y_true, info: As in `score`.
        a, b: Predictions of the two models, as `y_pred` in `score`.
        name: Name of the metric.
        samples, seed, level: As in `intervals`.

    Returns:
        Lower and upper end; None if the metric is undefined.

    Example:
        >>> difference([1.0, 2.0, 4.0], [2.0, 3.0, 5.0], [1.5, 2.5, 4.5], {"task": "regression"}, "mean_absolute_error")
        [0.5, 0.5]
    """
    metric_functions = []
    for y_pred in (a, b):
        ones = np.ones((len(y_true), 1))
        candidates = [metric for metric in task_metrics(y_true, y_pred, info) if name in metric(ones)]
        if not candidates or not np.isfinite(candidates[0](ones)[name][0]):
            return None
        metric_functions.append(candidates[0])
    metric_a, metric_b = metric_functions
    chunks = _bootstrap_weights(len(y_true), _num_samples(samples, len(y_true), info), seed, info.get("block", 1))
    gaps = [metric_a(weights)[name] - metric_b(weights)[name] for weights in chunks]
    return _percentile_interval(np.concatenate(gaps), level) if gaps else None


def by_class(y_true: Any, y_pred: Any, info: Info) -> dict[str, dict[str, float]]:
    """Compute precision, recall, F1 and support of each class; `{}` for a regression.

    Precision is 0 for a class that is never predicted, as in scikit-learn. Undefined metrics of a class without rows
    are left out.

    Example:
        >>> info = {"task": "binary", "target": {"classes": ["no", "yes"], "positive": "yes"}}
        >>> by_class([0, 0, 1], [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], info)["yes"]
        {'precision': 0.5, 'recall': 1.0, 'f1': 0.6666666666666666, 'support': 1}
    """
    if info["task"] not in ("binary", "multiclass"):
        return {}
    y_true, y_pred = validate_predictions(y_true, y_pred, info)
    hits, predicted, support = (add(np.ones((len(y_true), 1)))[:, 0] for add in class_counts(y_true, y_pred))
    metrics = {
        "precision": ratio(hits, predicted, predicted + support > 0),
        "recall": ratio(hits, support, support > 0),
        "f1": ratio(2 * hits, predicted + support, predicted + support > 0),
    }
    return {
        str(label): {name: float(values[code]) for name, values in metrics.items() if np.isfinite(values[code])}
        | {"support": int(support[code])}
        for code, label in enumerate(info["target"]["classes"])
    }


def against(
    y_true: Any, y_pred: Any, baselines: Mapping[str, Any], info: Info, *, samples: int = 1000, seed: int = 0
) -> dict[str, Any] | None:
    """Compare the model with the best baseline by the primary metric on the same rows.

    Args:
        y_true, y_pred, info: As in `score`.
        baselines: Predictions of the baselines by name.
        samples, seed: As in `intervals`.

    Returns:
        `score`, the name of the metric; `baseline`, the name of the best baseline; `own` and `other`, the scores of
        model and baseline; `interval`, the 95% interval of `own` minus `other`; `better`, the 95% interval of the
        improvement over the baseline, positive if the model is better. None if there is nothing to compare, or if the
        model predicts a quantile, which the primary metric cannot rate.

    Example:
        >>> y_true, info = np.arange(40.0), {"task": "regression"}
        >>> comparison = against(y_true, y_true + 0.5, {"constant": np.full(40, 19.5)}, info)
        >>> comparison["baseline"], comparison["own"], comparison["better"][0] > 0
        ('constant', 0.5, True)
    """
    if info.get("target", {}).get("quantile") is not None:
        return None
    name, mode = headline(info["task"])
    model_score, sign = score(y_true, y_pred, info).get(name), 1 if mode == "max" else -1
    scores = {baseline: score(y_true, output, info).get(name) for baseline, output in baselines.items()}
    defined = {baseline: value for baseline, value in scores.items() if value is not None}
    if model_score is None or not defined:
        return None
    best = max(defined, key=lambda baseline: sign * defined[baseline])
    interval = difference(y_true, y_pred, baselines[best], info, name, samples=samples, seed=seed)
    return {
        "score": name,
        "baseline": best,
        "own": model_score,
        "other": defined[best],
        "interval": interval,
        "better": None if interval is None else sorted(sign * end for end in interval),
    }


def verdict(
    y_true: Any, y_pred: Any, baselines: Mapping[str, Any], info: Info, *, known: Mapping[str, Any] | None = None
) -> str:
    """Summarize the comparison with the best baseline in one sentence.

    Better and worse mean that the 95% interval of the paired difference does not contain zero. For a predicted
    quantile (`info["target"]["quantile"]`) the sentence gives the fraction of targets at or below the prediction.

    Args:
        y_true, y_pred, info: As in `score`.
        baselines: Predictions of the baselines by name.
        known: Result of `against`, if it was computed before.

    Example:
        >>> y_true, info = np.arange(40.0), {"task": "regression"}
        >>> verdict(y_true, y_true + 0.5, {"constant": np.full(40, 19.5)}, info).split(":")[0]
        'Better than the best baseline (constant)'
        >>> verdict(y_true, np.full(40, 19.5), {"linear": y_true + 0.5}, info).split(":")[0]
        'Worse than the best baseline (linear)'
    """
    quantile = info.get("target", {}).get("quantile")
    if quantile is not None:
        below = float((np.asarray(y_true) <= np.asarray(y_pred)).mean())
        return (
            f"The model predicts the {quantile:.0%} quantile: {below:.1%} of the test targets are at or below the "
            "prediction."
        )
    known = known or against(y_true, y_pred, baselines, info)
    if known is None:
        return "No baseline was evaluated, so the difficulty of the task is unknown."
    baseline, interval = known["baseline"].replace("_", " "), known["interval"]
    details = f"{known['score'].replace('_', ' ')} {_format(known['own'])} vs {_format(known['other'])}"
    details += " (lower is better)" if headline(info["task"])[1] == "min" else ""
    details += f", n = {len(y_true):,}"
    if interval is not None:
        details += f", 95% CI of the difference {_format(interval[0])} to {_format(interval[1])}"
        low, high = known["better"]
        if low > 0:
            return f"Better than the best baseline ({baseline}): {details}."
        if high < 0:
            return f"Worse than the best baseline ({baseline}): {details}. Use the baseline or improve the model."
    return f"No significant difference from the best baseline ({baseline}): {details}."


def _format(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value + 0.0:.4g}"


def _num_samples(samples: int, rows: int, info: Info) -> int:
    """Return the number of bootstrap samples, fewer for very large test sets."""
    columns = len(info["target"]["classes"]) if info["task"] == "multiclass" else 1
    return min(samples, max(MIN_SAMPLES, MAX_BOOTSTRAP_CELLS // max(rows * columns, 1)))


def _bootstrap_weights(rows: int, samples: int, seed: int, block_length: int = 1) -> Iterator[np.ndarray]:
    """Yield bootstrap weights (counts of rows), `(rows, chunk of samples)`.

    Neighboring windows overlap in time, so blocks of `block_length` windows are resampled together (circular block
    bootstrap, Politis and Romano 1992). Fewer than two blocks cannot give an interval; then nothing is yielded.
    """
    rng, chunk = np.random.default_rng(seed), max(1, MAX_CHUNK_WEIGHTS // max(rows, 1))
    for first in range(0, samples if rows >= (1 if block_length == 1 else 2 * block_length) else 0, chunk):
        size = min(chunk, samples - first)
        counts = [np.bincount(_bootstrap_indices(rng, rows, block_length), minlength=rows) for _ in range(size)]
        yield np.ascontiguousarray(np.array(counts, "float64").T)


def _bootstrap_indices(rng: np.random.Generator, rows: int, block_length: int) -> np.ndarray:
    """Resample row indices with replacement, in circular blocks."""
    if block_length == 1:
        return rng.integers(0, rows, rows)
    starts = rng.integers(0, rows, -(-rows // block_length))
    return ((starts[:, None] + np.arange(block_length)) % rows).ravel()[:rows]


def _percentile_interval(values: np.ndarray, level: float) -> list[float] | None:
    """Return the percentile interval; None if most values are not finite."""
    finite = values[np.isfinite(values)]
    if 2 * len(finite) < len(values):
        return None
    low, high = np.percentile(finite, [50 * (1 - level), 50 * (1 + level)])
    return [float(low), float(high)]
