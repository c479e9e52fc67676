"""Which things are looked at for which kind of data, found by what `info` holds."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from tfkit.errors import first_line
from tfkit.report.evidence.trained import Trained

log = logging.getLogger("tfkit")

# what is kept -> where it is made, and for whom
Look = Callable[[Trained], Any]


def kind(info: dict[str, Any]) -> str:
    """What kind of data a run is of, by what was learnt: forecast, pictures, texts, series, table or other.

    Example:
        >>> kind({"task": "binary", "columns": {}}), kind({"task": "regression", "picture": {}}), kind({"task": "x"})
        ('table', 'pictures', 'other')
    """
    if info["task"] == "forecast":
        return "forecast"
    signs = {"picture": "pictures", "streams": "texts", "series": "series", "columns": "table"}
    return next((name for sign, name in signs.items() if sign in info), "other")


def _looks() -> dict[str, tuple[Look, tuple[str, ...]]]:
    from tfkit.report.evidence import doubts, forecasts, models, pictures, series, tables, texts

    judged = ("table", "pictures", "texts", "series", "other")
    return {
        "model": (models.describe, ()),
        "learning": (models.learning, ()),
        "doubts": (doubts.doubts, judged),
        "columns": (tables.importance, ("table",)),
        "slices": (tables.slices, ("table",)),
        "pictures": (pictures.pictures, ("pictures",)),
        "texts": (texts.texts, ("texts",)),
        "series": (series.worst_series, ("series",)),
        "forecast": (forecasts.forecasts, ("forecast",)),
    }


def gather(trained: Trained) -> dict[str, Any]:
    """Look at everything that suits the data; what fails is named in `not_made`, and the rest is kept.

    Returns:
        Plain JSON: what was found by name, `seconds` and `not_made`.
    """
    found: dict[str, Any] = {"kind": kind(trained.info), "seconds": {}, "not_made": {}}
    for name, (look, kinds) in _looks().items():
        if kinds and found["kind"] not in kinds:
            continue
        start = time.perf_counter()
        try:
            seen = look(trained)
        except Exception as error:
            log.warning("The report goes without %s: %s: %s", name, type(error).__name__, first_line(error))
            found["not_made"][name] = f"{type(error).__name__}: {first_line(error)}"
        else:
            if seen is not None:
                found[name] = plain(seen)
        found["seconds"][name] = round(time.perf_counter() - start, 2)
    return found


def plain(value: Any) -> Any:
    """What JSON has words for: what is not finite is null.

    Example:
        >>> plain({"a": [1.5, float("nan")], 2: (True, "x")})
        {'a': [1.5, None], '2': [True, 'x']}
    """
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
