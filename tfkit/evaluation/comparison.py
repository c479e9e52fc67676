"""Test metrics, bootstrap intervals, and paired comparison with baselines.

Intervals come from the bootstrap over rows (Efron & Tibshirani 1993): rows are resampled as integer weights.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.evaluation.bootstrap import paired_difference_interval
from tfkit.evaluation.metrics import Info, compute_metrics


def primary_metric(task: str) -> tuple[str, str]:
    """Return the primary metric of a task and its direction, "max" or "min".

    For a task that `score` does not know, the metric is the loss of the model.

    Example:
        >>> primary_metric("multiclass"), primary_metric("regression")
        (('accuracy', 'max'), ('root_mean_squared_error', 'min'))
    """
    if task in ("binary", "multiclass"):
        return "accuracy", "max"
    if task == "forecast":
        return "mase", "min"
    return ("root_mean_squared_error" if task == "regression" else "loss"), "min"


def compare_to_best_baseline(
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
        >>> comparison = compare_to_best_baseline(y_true, y_true + 0.5, {"dummy": np.full(40, 19.5)}, info)
        >>> comparison["baseline"], comparison["own"], comparison["better"][0] > 0
        ('dummy', 0.5, True)
    """
    if info.get("target", {}).get("quantile") is not None:
        return None
    name, mode = primary_metric(info["task"])
    model_score, sign = compute_metrics(y_true, y_pred, info).get(name), 1 if mode == "max" else -1
    scores = {baseline: compute_metrics(y_true, output, info).get(name) for baseline, output in baselines.items()}
    defined = {baseline: value for baseline, value in scores.items() if value is not None}
    if model_score is None or not defined:
        return None
    best = max(defined, key=lambda baseline: sign * defined[baseline])
    interval = paired_difference_interval(y_true, y_pred, baselines[best], info, name, samples=samples, seed=seed)
    return {
        "score": name,
        "baseline": best,
        "own": model_score,
        "other": defined[best],
        "interval": interval,
        "better": None if interval is None else sorted(sign * end for end in interval),
    }


def summarize_comparison(
    y_true: Any, y_pred: Any, baselines: Mapping[str, Any], info: Info, *, known: Mapping[str, Any] | None = None
) -> str:
    """Summarize the comparison with the best baseline in one sentence.

    Better and worse mean that the 95% interval of the paired difference does not contain zero. For a predicted
    quantile (`info["target"]["quantile"]`) the sentence gives the fraction of targets at or below the prediction.

    Args:
        y_true, y_pred, info: As in `score`.
        baselines: Predictions of the baselines by name.
        known: Result of `compare_to_best_baseline`, if it was computed before.

    Example:
        >>> y_true, info = np.arange(40.0), {"task": "regression"}
        >>> summarize_comparison(y_true, y_true + 0.5, {"dummy": np.full(40, 19.5)}, info).split(":")[0]
        'Better than the best baseline (dummy)'
        >>> summarize_comparison(y_true, np.full(40, 19.5), {"linear": y_true + 0.5}, info).split(":")[0]
        'Worse than the best baseline (linear)'
    """
    quantile = info.get("target", {}).get("quantile")
    if quantile is not None:
        below = float((np.asarray(y_true) <= np.asarray(y_pred)).mean())
        return (
            f"The model predicts the {quantile:.0%} quantile: {below:.1%} of the test targets are at or below the "
            "prediction."
        )
    known = known or compare_to_best_baseline(y_true, y_pred, baselines, info)
    if known is None:
        return "No baseline was evaluated, so the difficulty of the task is unknown."
    baseline, interval = known["baseline"].replace("_", " "), known["interval"]
    details = f"{known['score'].replace('_', ' ')} {_format(known['own'])} vs {_format(known['other'])}"
    details += " (lower is better)" if primary_metric(info["task"])[1] == "min" else ""
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
