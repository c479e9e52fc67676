"""Metrics of each task as functions of sample weights.

Weights are a matrix `(rows, samples)`: a column of ones gives the metric itself; a thousand columns that count how
often each row was resampled give its bootstrap. A metric sorts and groups rows once and afterwards only adds weights.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfkit.errors import NotFiniteError

Info = Mapping[str, Any]

Metric = Callable[[np.ndarray], dict[str, np.ndarray]]  # weights (rows, samples) -> values (samples,) by name

CALIBRATION_BINS = 15  # bins of the expected calibration error, as in Guo et al.


def task_metrics(y_true: Any, y_pred: Any, info: Info) -> list[Metric]:
    """Create the metrics of a task; none for an unknown task or no rows.

    Undefined values are NaN.
    """
    if info["task"] not in _TASKS or not len(y_true):
        return []
    y_true, y_pred = validate_predictions(y_true, y_pred, info)
    with np.errstate(over="ignore"):
        return [make_metric(y_true, y_pred, info) for make_metric in _TASKS[info["task"]]]


def validate_predictions(y_true: Any, y_pred: Any, info: Info) -> tuple[np.ndarray, np.ndarray]:
    """Return targets and predictions as arrays; check shapes and finite values."""
    regression, forecast = info["task"] == "regression", info["task"] == "forecast"
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if forecast:
        expected = y_true["values"].shape + ((len(info["quantiles"]),) if y_pred.ndim == 3 else ())
    else:
        expected = (len(y_true),) if regression else (len(y_true), len(info["target"]["classes"]))
    if y_pred.shape != expected and not (regression and y_pred.shape == (len(y_true), 1)):
        raise ValueError(
            "Every row must have one prediction (a number, or a probability for each class). "
            f"Received: {len(y_true)} rows, predictions of shape {y_pred.shape}, expected {expected}"
        )
    not_finite = int((~np.isfinite(y_pred.reshape(len(y_true), -1))).any(1).sum())
    if not_finite:
        raise NotFiniteError(
            "Predictions must be finite numbers; train with a lower `learning_rate` or with `clip_norm`. "
            f"Received: {not_finite} of {len(y_true)} rows with NaN or infinity"
        )
    if forecast:
        return y_true, y_pred.astype("float64")
    if regression:
        return y_true.reshape(-1).astype("float64"), y_pred.reshape(-1).astype("float64")
    return y_true.reshape(-1).astype("int64"), y_pred.astype("float32" if y_pred.dtype == "float32" else "float64")


def class_counts(y_true: np.ndarray, y_pred: np.ndarray) -> list[Callable[[np.ndarray], np.ndarray]]:
    """Return functions that count true positives, predictions and support.

    Each takes weights `(rows, samples)` and returns `(classes, samples)`.
    """
    predicted, num = y_pred.argmax(1), y_pred.shape[1]
    return [_sums(y_true, num, y_true == predicted), _sums(predicted, num), _sums(y_true, num)]


def _class_metrics(y_true: np.ndarray, y_pred: np.ndarray, info: Info) -> Metric:
    """Create the metrics of the predicted class: accuracy, precision, recall, F1."""
    sums, positive = class_counts(y_true, y_pred), _positive_code(info)

    def metric(weights: np.ndarray) -> dict[str, np.ndarray]:
        hits, predicted, support = (add(weights) for add in sums)
        is_defined, total = predicted + support > 0, support.sum(0)
        values = {
            "accuracy": ratio(hits.sum(0), total),
            "balanced_accuracy": _mean(ratio(hits, support, support > 0)),
        }
        per_class = {"precision": ratio(hits, predicted, is_defined), "recall": ratio(hits, support, is_defined)}
        per_class["f1"] = ratio(2 * hits, predicted + support, is_defined)
        for name, value in per_class.items():
            values[name] = _mean(value) if positive is None else value[positive]
        if positive is not None:  # without rows, recall counts as 0 in a mean, but is undefined for a single class
            values["recall"] = np.where(support[positive] > 0, values["recall"], np.nan)
        values |= {f"{name}_macro": _mean(value) for name, value in per_class.items()}
        return values | {f"{name}_weighted": ratio(np.nansum(v * support, 0), total) for name, v in per_class.items()}

    return metric


def _ranking_metrics(y_true: np.ndarray, y_pred: np.ndarray, info: Info) -> Metric:
    """Create the ranking metrics: ROC AUC, average precision."""
    positive = _positive_code(info)
    codes = [code for code in np.unique(y_true) if positive is None or code == positive]
    class_metrics = [_roc_auc_and_ap(y_pred[:, code], y_true == code) for code in codes]

    def metric(weights: np.ndarray) -> dict[str, np.ndarray]:
        pairs = np.array([class_metric(weights) for class_metric in class_metrics]).reshape(-1, 2, weights.shape[1])
        return {"roc_auc": _mean(pairs[:, 0]), "average_precision": _mean(pairs[:, 1])}

    return metric


def _roc_auc_and_ap(
    y_score: np.ndarray, is_positive: np.ndarray
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Create ROC AUC and average precision of one class; tied scores are one group."""
    order = np.argsort(-y_score, kind="stable")
    starts_tie = np.r_[True, np.diff(y_score[order]) != 0]
    has_positive = np.logical_or.reduceat(is_positive[order], np.flatnonzero(starts_tie))
    # Neighboring ties without a positive row change neither metric: merging them makes rare classes cheap.
    group = (np.cumsum(np.r_[True, has_positive[1:] | has_positive[:-1]]) - 1)[np.cumsum(starts_tie) - 1]
    groups = np.empty_like(group)
    groups[order] = group
    add_positive, add_negative = (_sums(groups, group[-1] + 1, rows) for rows in (is_positive, ~is_positive))

    def metric(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p, n = add_positive(weights), add_negative(weights)
        tp, fp = np.cumsum(p, 0), np.cumsum(n, 0)
        precision = ratio(p * tp, tp + fp, tp >= 0).sum(0)
        above = ratio((p * (fp - n / 2)).sum(0), tp[-1] * fp[-1])
        return 1 - above, ratio(precision, tp[-1])

    return metric


def _probability_metrics(y_true: np.ndarray, y_pred: np.ndarray, info: Info) -> Metric:
    """Create the metrics of the probabilities: log loss, expected calibration error."""
    eps, rows = np.finfo(y_pred.dtype).eps, np.arange(len(y_true))  # clipped by its dtype, as in scikit-learn
    loss = -np.log(np.clip(y_pred[rows, y_true], eps, 1 - eps).astype("float64"))
    confidence = y_pred.max(1).astype("float64")
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS) - 1, 0, CALIBRATION_BINS - 1).astype(int)
    gaps = np.zeros((CALIBRATION_BINS, len(y_true)))
    gaps[bins, rows] = (y_pred.argmax(1) == y_true) - confidence

    def metric(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = weights.sum(0)
        calibration = np.abs(gaps @ weights).sum(0)
        return {"log_loss": ratio(loss @ weights, total), "expected_calibration_error": ratio(calibration, total)}

    return metric


def _regression_metrics(y_true: np.ndarray, y_pred: np.ndarray, info: Info) -> Metric:
    """Create the metrics of a regression: RMSE, MAE, R2, median absolute error."""
    error, centered = np.abs(y_true - y_pred), y_true - y_true.mean()
    order = np.argsort(error, kind="stable")
    sorted_error = error[order]
    rounding = 4 * (np.finfo("float64").eps * np.abs(y_true).max()) ** 2

    @np.errstate(over="ignore", invalid="ignore")  # metrics whose squares overflow are left out by `compute_metrics`
    def metric(weights: np.ndarray) -> dict[str, np.ndarray]:
        total, squared, second_moment = weights.sum(0), error**2 @ weights, centered**2 @ weights
        variance = second_moment - ratio((centered @ weights) ** 2, total, total > 0)
        variance = np.where(variance > np.maximum(rounding * total, 1e-12 * second_moment), variance, np.nan)
        cumulative = np.cumsum(weights[order], 0)
        middle = [np.minimum(below(cumulative, total / 2).sum(0), len(error) - 1) for below in (np.less, np.less_equal)]
        return {
            "root_mean_squared_error": np.sqrt(ratio(squared, total)),
            "mean_absolute_error": ratio(error @ weights, total),
            "r2": 1 - squared / variance,
            "median_absolute_error": np.where(total > 0, sorted_error[np.array(middle)].mean(0), np.nan),
        }

    return metric


def _forecast_metrics(y_true: np.ndarray, y_pred: np.ndarray, info: Info) -> Metric:
    """Create the metrics of a forecast: MAE, RMSE, sMAPE, MASE, coverage.

    A row is a window: the code of its series, and a value for each step, NaN if missing. Predictions have one value for
    each step, or one for each step and quantile. MASE divides by the error of the seasonal naive forecast in training.
    """
    values, is_present = y_true["values"], np.isfinite(y_true["values"])
    quantiles = list(info["quantiles"]) if y_pred.ndim == 3 else []
    middle = y_pred[..., len(quantiles) // 2] if quantiles else y_pred
    error = np.abs(np.where(is_present, values - middle, 0.0))
    scales = {name: _by_series(y_true["series"], info["series"][name]) for name in ("naive_error", "scale")}
    size = np.where(is_present, np.abs(values) + np.abs(middle), 0.0)
    sums = {  # name -> sum and count of each window
        "mean_absolute_error": (error.sum(1), is_present.sum(1)),
        "root_mean_squared_error": (np.square(error).sum(1), is_present.sum(1)),
        "smape": (200 * ratio(error, size, size >= 0).sum(1), is_present.sum(1)),
        "mase": _scaled(error.sum(1), is_present.sum(1), scales["naive_error"]),
    }
    if len(info["series"]["names"]) > 1:
        sums["standardised_mean_squared_error"] = _scaled(
            np.square(error).sum(1), is_present.sum(1), scales["scale"] ** 2
        )
        sums["standardised_mean_absolute_error"] = _scaled(error.sum(1), is_present.sum(1), scales["scale"])
    for i in range(len(quantiles) // 2):
        inside = is_present & (y_pred[..., i] <= values) & (values <= y_pred[..., -1 - i])
        sums[f"coverage_{100 * (quantiles[-1 - i] - quantiles[i]):.0f}"] = (inside.sum(1), is_present.sum(1))

    def metric(weights: np.ndarray) -> dict[str, np.ndarray]:
        means = {name: ratio(total @ weights, counts @ weights) for name, (total, counts) in sums.items()}
        return means | {"root_mean_squared_error": np.sqrt(means["root_mean_squared_error"])}

    return metric


def _by_series(codes: np.ndarray, values: Sequence[float]) -> np.ndarray:
    """Return the value of the series of each row; 0 for an unknown series."""
    return np.append(np.asarray(values, "float64"), 0.0)[codes]  # code -1 (unknown) is the last element


def _scaled(total: np.ndarray, counts: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide sums by a scale; rows with scale 0 do not count."""
    return ratio(total, scale, scale >= 0), np.where(scale > 0, counts, 0)


def _positive_code(info: Info) -> int | None:
    """Return the code of the positive class of a binary task, else None."""
    target = info["target"]
    return list(target["classes"]).index(target["positive"]) if info["task"] == "binary" else None


def _sums(groups: np.ndarray, num: int, rows: np.ndarray | None = None) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from weights `(rows, samples)` to sums `(num, samples)`.

    Only rows in the mask `rows` count, if it is given.
    """
    indices = np.arange(len(groups)) if rows is None else np.flatnonzero(rows)
    order = indices[np.argsort(groups[indices], kind="stable")]
    present, starts = np.unique(groups[order], return_index=True)

    def add(weights: np.ndarray) -> np.ndarray:
        total = np.zeros((num, weights.shape[1]))
        if len(order):
            total[present] = np.add.reduceat(weights[order], starts, axis=0)
        return total

    return add


def ratio(numerator: np.ndarray, denominator: np.ndarray, defined: np.ndarray | None = None) -> np.ndarray:
    """Divide; where the denominator is 0, return 0 if `defined`, else NaN."""
    is_nonzero = denominator != 0
    quotient = np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=is_nonzero)
    return np.where(is_nonzero if defined is None else defined, quotient, np.nan)


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the first axis, ignoring values that are not finite."""
    is_finite = np.isfinite(values)
    return ratio(np.where(is_finite, values, 0).sum(0), is_finite.sum(0))


_TASKS: dict[str, tuple[Callable[[np.ndarray, np.ndarray, Info], Metric], ...]] = {
    "binary": (_class_metrics, _ranking_metrics, _probability_metrics),
    "multiclass": (_class_metrics, _ranking_metrics, _probability_metrics),
    "regression": (_regression_metrics,),
    "forecast": (_forecast_metrics,),
}


def compute_metrics(y_true: Any, y_pred: Any, info: Info, *, weight: Any = None) -> dict[str, float]:
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
        >>> metrics = compute_metrics([1.0, 2.0, 4.0], [1.0, 2.0, 3.0], {"task": "regression"})
        >>> {name: round(value, 3) for name, value in metrics.items()}  # doctest: +NORMALIZE_WHITESPACE
        {'root_mean_squared_error': 0.577, 'mean_absolute_error': 0.333, 'r2': 0.786, 'median_absolute_error': 0.0}
    """
    weights = np.ones((len(y_true), 1)) if weight is None else np.asarray(weight, "float64").reshape(-1, 1)
    metrics = task_metrics(y_true, y_pred, info)
    values = {name: float(value[0]) for metric in metrics for name, value in metric(weights).items()}
    return {name: value for name, value in values.items() if np.isfinite(value)}


def per_class_metrics(y_true: Any, y_pred: Any, info: Info) -> dict[str, dict[str, float]]:
    """Compute precision, recall, F1 and support of each class; `{}` for a regression.

    Precision is 0 for a class that is never predicted, as in scikit-learn. Undefined metrics of a class without rows
    are left out.

    Example:
        >>> info = {"task": "binary", "target": {"classes": ["no", "yes"], "positive": "yes"}}
        >>> per_class_metrics([0, 0, 1], [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], info)["yes"]
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
