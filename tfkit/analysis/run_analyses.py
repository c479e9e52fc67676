"""Run the analyses that apply to the data of a run."""

import logging
import math
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from tfkit.analysis.fitted_model import FittedModel
from tfkit.errors import first_line
from tfkit.tasks.registry import get_task

log = logging.getLogger("tfkit")

Analysis = Callable[[FittedModel], Any]


class _Spec(NamedTuple):
    """Where an analysis applies.

    `by_kind` and `by_task`: whether the kind of data and the task must name it in their `ANALYSES`; `needs_test`:
    whether it needs predictions of the test rows, which a training with `skip_test` does not have.
    """

    analyze: Analysis
    by_kind: bool = True
    by_task: bool = False
    needs_test: bool = True


def _analyses() -> dict[str, _Spec]:
    """Return all analyses by the name of their result."""
    from tfkit.analysis import feature_importance, forecasts, label_issues, model_summary, occlusion, saliency, series

    return {
        "model": _Spec(model_summary.describe, by_kind=False, needs_test=False),
        "learning": _Spec(model_summary.gradients_and_dead_units, by_kind=False, needs_test=False),
        "label_issues": _Spec(label_issues.label_issues, by_kind=False, by_task=True, needs_test=False),
        "columns": _Spec(feature_importance.importance),
        "slices": _Spec(feature_importance.slices, by_task=True),
        "images": _Spec(saliency.images),
        "texts": _Spec(occlusion.texts),
        "series": _Spec(series.worst_series),
        "forecast": _Spec(forecasts.forecasts),
    }


def run_analyses(fitted: FittedModel) -> dict[str, Any]:
    """Run all analyses that apply to the data; an analysis that fails is skipped.

    Returns:
        JSON values: results by name, `seconds` by name, and `skipped` with the errors of skipped analyses.
    """
    metadata, task = fitted.metadata, get_task(fitted.metadata.task)
    results: dict[str, Any] = {"kind": metadata.kind, "seconds": {}, "skipped": {}}
    for name, spec in _analyses().items():
        if (spec.by_kind and name not in metadata.ANALYSES) or (spec.by_task and name not in task.ANALYSES):
            continue
        if spec.needs_test and "test" not in fitted.predictions:
            continue
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():  # a model that was solved, not trained
                warnings.filterwarnings("ignore", "The model does not have any trainable weights")
                result = spec.analyze(fitted)
        except Exception as error:
            message = f"{type(error).__name__}: {first_line(error)}"
            log.warning("The analysis '%s' of the report was skipped: %s", name, message)
            results["skipped"][name] = message
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
