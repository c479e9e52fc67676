"""Run the analyses that apply to the data of a run."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from tfkit.analysis.fitted_model import FittedModel
from tfkit.errors import first_line

log = logging.getLogger("tfkit")

Analysis = Callable[[FittedModel], Any]


def data_kind(info: dict[str, Any]) -> str:
    """Return the kind of data: forecast, pictures, texts, series, table or other.

    Example:
        >>> data_kind({"task": "binary", "columns": {}}), data_kind({"task": "regression", "picture": {}})
        ('table', 'pictures')
        >>> data_kind({"task": "x"})
        'other'
    """
    if info["task"] == "forecast":
        return "forecast"
    kinds = {"picture": "pictures", "streams": "texts", "series": "series", "columns": "table"}
    return next((kind for key, kind in kinds.items() if key in info), "other")


def _analyses() -> dict[str, tuple[Analysis, tuple[str, ...]]]:
    """Return the function of each analysis and its kinds of data; () is all kinds."""
    from tfkit.analysis import feature_importance, forecasts, label_issues, model_summary, occlusion, saliency, series

    with_row_loss = ("table", "pictures", "texts", "series", "other")
    return {
        "model": (model_summary.describe, ()),
        "learning": (model_summary.gradients_and_dead_units, ()),
        "doubts": (label_issues.label_issues, with_row_loss),
        "columns": (feature_importance.importance, ("table",)),
        "slices": (feature_importance.slices, ("table",)),
        "pictures": (saliency.pictures, ("pictures",)),
        "texts": (occlusion.texts, ("texts",)),
        "series": (series.worst_series, ("series",)),
        "forecast": (forecasts.forecasts, ("forecast",)),
    }


def run_analyses(trained: FittedModel) -> dict[str, Any]:
    """Run all analyses that apply to the data; an analysis that fails is skipped.

    Returns:
        JSON values: results by name, `seconds` by name, and `not_made` with the errors of skipped analyses.
    """
    results: dict[str, Any] = {"kind": data_kind(trained.info), "seconds": {}, "not_made": {}}
    for name, (analyze, kinds) in _analyses().items():
        if kinds and results["kind"] not in kinds:
            continue
        start = time.perf_counter()
        try:
            result = analyze(trained)
        except Exception as error:
            message = f"{type(error).__name__}: {first_line(error)}"
            log.warning("The analysis '%s' of the report was skipped: %s", name, message)
            results["not_made"][name] = message
        else:
            if result is not None:
                results[name] = to_json(result)
        results["seconds"][name] = round(time.perf_counter() - start, 2)
    return results


def to_json(value: Any) -> Any:
    """Convert to JSON values; numbers that are not finite become null.

    Example:
        >>> to_json({"a": [1.5, float("nan")], 2: (True, "x")})
        {'a': [1.5, None], '2': [True, 'x']}
    """
    if isinstance(value, dict):
        return {str(name): to_json(element) for name, element in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(element) for element in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
