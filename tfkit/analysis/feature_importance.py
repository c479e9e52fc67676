"""Compute permutation importance of columns and scores of slices of a table."""

from typing import Any

import numpy as np

from tfkit.analysis.fitted_model import FittedModel

MAX_PREDICTIONS = 40_000  # predictions of shuffled rows

MIN_ROWS, MAX_ROWS = 50, 1500  # rows that are shuffled

NUM_REPEATS = 3

MIN_SLICE_ROWS = 30

MAX_VALUES = 30  # slices of a text column

MAX_DISTINCT_NUMBERS = 8  # a numeric column with more distinct values has slices by quantile bin

QUANTILE_BINS = 4

MIN_STANDARD_ERRORS = 2.0  # a slice is significantly worse beyond this, or more with many slices

MAX_WORST_SLICES = 12


def importance(fitted: FittedModel) -> dict[str, Any] | None:
    """Compute permutation importance of each column on test rows (Breiman 2001).

    Returns:
        The loss without shuffling, and for each column the increase of the loss by shuffling, with a 95% interval
        over rows.
    """
    inputs = fitted.metadata.inputs
    columns = list(dict.fromkeys(rule["column"] for rule in inputs.values()))
    repeats = NUM_REPEATS if len(columns) * NUM_REPEATS * 300 <= MAX_PREDICTIONS else 1
    num_rows = max(MIN_ROWS, min(MAX_ROWS, MAX_PREDICTIONS // (len(columns) * repeats)))
    rows = fitted.sample_test_rows(num_rows)
    columns = columns[: max(1, MAX_PREDICTIONS // (len(rows) * repeats))]
    raw, random = fitted.test.raw_inputs(rows), fitted.random()
    y_true, y_pred = (values[rows] for values in fitted.predictions["test"])
    before = fitted.row_losses(y_true, y_pred)
    shuffled: dict[str, list[np.ndarray]] = {name: [] for name in raw}
    for column in columns:
        input_names = [name for name, rule in inputs.items() if rule["column"] == column]
        for _ in range(repeats):
            order = random.permutation(len(rows))
            for name, values in raw.items():
                shuffled[name].append(values[order] if name in input_names else values)
    outputs = fitted.predict({name: np.concatenate(chunks) for name, chunks in shuffled.items()})
    losses = fitted.row_losses(np.concatenate([y_true] * (len(columns) * repeats)), outputs)
    increase = losses.reshape(len(columns), repeats, len(rows)).mean(1) - before
    half_width = 1.96 * increase.std(1, ddof=1) / np.sqrt(len(rows))
    features = [
        {"column": column, "increase": mean, "interval": [mean - half, mean + half]}
        for column, mean, half in zip(columns, increase.mean(1).tolist(), half_width.tolist(), strict=True)
    ]
    features.sort(key=lambda feature: -feature["increase"])
    return {
        "rows": len(rows),
        "repeats": repeats,
        "loss": float(before.mean()),
        "columns": features,
        "num_skipped": len(dict.fromkeys(rule["column"] for rule in inputs.values())) - len(columns),
    }


def slices(fitted: FittedModel) -> dict[str, Any]:
    """Find slices (column = value) of the test rows with significantly worse scores.

    A slice is significantly worse if its mean error exceeds that of all other rows by more standard errors than the
    Bonferroni correction for the number of slices allows, so that one report in twenty has a false positive. All
    slices of the columns in the setting `slice_columns` are returned, too.
    """
    metadata = fitted.metadata
    y_true, y_pred = fitted.predictions["test"]
    errors = fitted.task.row_errors(y_true, y_pred, metadata)
    selected_columns = list(getattr(fitted.config, "slice_columns", []) or [])
    raw = fitted.test.raw_inputs(np.arange(len(fitted.test)))
    candidates, selected = [], []
    for name, rule in metadata.inputs.items():
        label = f"{rule['column']} {rule['part']}".strip()
        for value, in_slice in _slices_of_column(np.asarray(raw[name]).reshape(-1)):
            if in_slice.sum() >= MIN_SLICE_ROWS and (~in_slice).sum() >= MIN_SLICE_ROWS:
                entry = {"column": label, "value": value, **_compare_slice(errors, in_slice)}
                candidates.append(entry)
            elif rule["column"] in selected_columns:
                entry = {
                    "column": label,
                    "value": value,
                    "rows": int(in_slice.sum()),
                    "score": float(errors[in_slice].mean()),
                    "other_rows": None,
                    "standard_errors": 0.0,
                }
            else:
                continue
            if rule["column"] in selected_columns:
                selected.append(entry)
    critical = _critical_standard_errors(len(candidates))
    significant = (entry for entry in candidates if entry["standard_errors"] > critical)
    worst = sorted(significant, key=lambda entry: -entry["standard_errors"])[:MAX_WORST_SLICES]
    columns = {rule["column"] for rule in metadata.inputs.values()}
    return {
        "worst": worst,
        "selected": selected,
        "num_slices": len(candidates),
        "critical_value": critical,
        "unknown_columns": [name for name in selected_columns if name not in columns],
        "all": float(errors.mean()),
        "metric": fitted.task.ROW_ERROR_NAME,
    }


def _slices_of_column(cells: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Return the slices of a column: name and mask of rows.

    Slices are texts, numbers if there are at most 8 distinct ones, else quartiles.
    """
    if cells.dtype.kind not in "fiu":
        texts, counts = np.unique(cells.astype(str), return_counts=True)
        frequent = texts[np.argsort(-counts, kind="stable")][:MAX_VALUES]
        return [(text or "missing", cells == text) for text in frequent]
    missing = ~np.isfinite(cells)
    slices = [("missing", missing)] if missing.any() else []
    distinct = np.unique(cells[~missing])
    if len(distinct) <= MAX_DISTINCT_NUMBERS:
        return slices + [(f"{value:.6g}", cells == value) for value in distinct]
    edges = np.unique(np.quantile(cells[~missing], np.linspace(0, 1, QUANTILE_BINS + 1)))
    for i, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
        last = i == len(edges) - 2
        slices.append((f"{low:.6g} to {high:.6g}", (cells >= low) & ((cells <= high) if last else (cells < high))))
    return slices


def _compare_slice(errors: np.ndarray, in_slice: np.ndarray) -> dict[str, Any]:
    """Compare the mean error of a slice with that of all other rows."""
    inside, outside = errors[in_slice], errors[~in_slice]
    standard_error = np.sqrt(inside.var(ddof=1) / len(inside) + outside.var(ddof=1) / len(outside))
    gap = inside.mean() - outside.mean()
    return {
        "rows": len(inside),
        "score": float(inside.mean()),
        "other_rows": float(outside.mean()),
        "interval": [float(gap - 1.96 * standard_error), float(gap + 1.96 * standard_error)],
        "standard_errors": float(gap / standard_error) if standard_error > 0 else 0.0,
    }


def _critical_standard_errors(num_slices: int) -> float:
    """Return the one-sided critical value at level 0.05, Bonferroni-corrected."""
    from statistics import NormalDist

    return max(MIN_STANDARD_ERRORS, NormalDist().inv_cdf(1 - 0.05 / max(1, num_slices)))
