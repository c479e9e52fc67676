"""Test metrics, bootstrap intervals, and paired comparison with baselines.

Intervals come from the bootstrap over rows (Efron & Tibshirani 1993): rows are resampled as integer weights.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.evaluation.bootstrap import paired_difference_interval
from tfkit.evaluation.scoring import compute_metrics
from tfkit.metadata import Metadata
from tfkit.tasks.primary_metric import comparable_metric


def compare_to_best_baseline(
    y_true: Any, y_pred: Any, baselines: Mapping[str, Any], metadata: Metadata, *, samples: int = 1000, seed: int = 0
) -> dict[str, Any] | None:
    """Compare the model with the best baseline on the same rows, by `comparable_metric`.

    Args:
        y_true, y_pred, metadata: As in `compute_metrics`.
        baselines: Predictions of the baselines by name.
        samples, seed: As in `bootstrap_intervals`.

    Returns:
        `score` and `mode`, the name of the metric, and whether "max" or "min" is best; `baseline`, the name of the best
        baseline; `model` and `baseline_score`, the scores of model and baseline; `interval`, the 95% interval of the
        difference; `better`, the 95% interval of the improvement over the baseline, positive if the model is better.
        None if there is nothing to compare, or if the model predicts a quantile, which the primary metric cannot rate.

    Example:
        >>> y_true, metadata = np.arange(40.0), Metadata()
        >>> comparison = compare_to_best_baseline(y_true, y_true + 0.5, {"dummy": np.full(40, 19.5)}, metadata)
        >>> comparison["baseline"], comparison["model"], comparison["better"][0] > 0
        ('dummy', 0.5, True)
    """
    if metadata.target.quantile is not None:
        return None
    scores = {"model": compute_metrics(y_true, y_pred, metadata)}
    scores |= {baseline: compute_metrics(y_true, output, metadata) for baseline, output in baselines.items()}
    metric = comparable_metric(metadata, scores.values()) if baselines else None
    if metric is None:
        return None
    name, mode = metric
    sign, values = 1 if mode == "max" else -1, {model: metrics[name] for model, metrics in scores.items()}
    model_score = values.pop("model")
    best = max(values, key=lambda baseline: sign * values[baseline])
    interval = paired_difference_interval(y_true, y_pred, baselines[best], metadata, name, samples=samples, seed=seed)
    return {
        "score": name,
        "baseline": best,
        "model": model_score,
        "baseline_score": values[best],
        "mode": mode,
        "interval": interval,
        "better": None if interval is None else sorted(sign * end for end in interval),
    }


def summarize_comparison(
    y_true: Any,
    y_pred: Any,
    baselines: Mapping[str, Any],
    metadata: Metadata,
    *,
    result: Mapping[str, Any] | None = None,
) -> str:
    """Summarize the comparison with the best baseline in one sentence.

    Better and worse mean that the 95% interval of the paired difference does not contain zero. For a predicted
    quantile (`metadata.target.quantile`) the sentence gives the fraction of targets at or below the prediction.

    Args:
        y_true, y_pred, metadata: As in `compute_metrics`.
        baselines: Predictions of the baselines by name.
        result: Result of `compare_to_best_baseline`, if it was computed before.

    Example:
        >>> y_true, metadata = np.arange(40.0), Metadata()
        >>> summarize_comparison(y_true, y_true + 0.5, {"dummy": np.full(40, 19.5)}, metadata).split(":")[0]
        'The model is better than the best baseline, dummy'
        >>> summarize_comparison(y_true, np.full(40, 19.5), {"linear": y_true + 0.5}, metadata).split(":")[0]
        'The model is worse than the best baseline, linear'
    """
    quantile = metadata.target.quantile
    if quantile is not None:
        below = float((np.asarray(y_true) <= np.asarray(y_pred)).mean())
        return (
            f"The model predicts the {quantile:.0%} quantile: {below:.1%} of the test targets are at or below the "
            "prediction."
        )
    result = result or compare_to_best_baseline(y_true, y_pred, baselines, metadata)
    if result is None:
        return "No baseline was evaluated, so the difficulty of the task is unknown."
    baseline, interval = result["baseline"].replace("_", " "), result["interval"]
    scores = f"{_format(result['model'])} against {_format(result['baseline_score'])}"
    details = f"{result['score'].replace('_', ' ')} {scores} on the test set (n = {len(y_true):,}"
    details += "; lower is better)" if result["mode"] == "min" else ")"
    if interval is not None:
        difference = f"{_format(interval[0])} to {_format(interval[1])} (95% interval)"
        low, high = result["better"]
        if low > 0:
            return f"The model is better than the best baseline, {baseline}: {details}. The difference is {difference}."
        if high < 0:
            return (
                f"The model is worse than the best baseline, {baseline}: {details}. The difference is {difference}. "
                "Use the baseline or improve the model."
            )
        return (
            f"No clear difference between the model and the best baseline, {baseline}: {details}. "
            f"The difference may be chance: {difference}."
        )
    order = "better" if (result["model"] > result["baseline_score"]) == (result["mode"] == "max") else "not better"
    return (
        f"The score is {order} than that of the best baseline, {baseline}: {details}. There are too few independent "
        "test rows for a confidence interval."
    )


def _format(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value + 0.0:.4g}"
