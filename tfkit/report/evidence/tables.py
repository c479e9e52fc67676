"""What a table's model leans on, and for which of its rows it is worst."""

from typing import Any

import numpy as np

from tfkit.report.evidence.trained import Trained, row_loss

BUDGET = 40_000  # answers that shuffling may ask for
ROWS, REPEATS = 1500, 3
LEAST = 30  # rows of a slice
VALUES, BINS = 30, 4  # of a column
LEVEL = 2.0  # standard errors beyond which a slice is worse, before the number of slices is allowed for
WORST = 12


def importance(trained: Trained) -> dict[str, Any] | None:
    """How much worse the answers get when one column is shuffled among the test rows (Breiman 2001).

    Returns:
        The loss and what it was; of each column the loss that is added by shuffling, with a 95% interval over rows.
    """
    inputs = trained.info["inputs"]
    columns = list(dict.fromkeys(rule["column"] for rule in inputs.values()))
    repeats = REPEATS if len(columns) * REPEATS * 300 <= BUDGET else 1
    rows = trained.some(max(50, min(ROWS, BUDGET // (len(columns) * repeats))))
    columns = columns[: max(1, BUDGET // (len(rows) * repeats))]
    raw, random = trained.test.raw(rows), trained.random()
    truth, answer = (part[rows] for part in trained.said["test"])
    before = row_loss(truth, answer, trained.info)
    shuffled: dict[str, list[np.ndarray]] = {name: [] for name in raw}
    for column in columns:
        parts = [name for name, rule in inputs.items() if rule["column"] == column]
        for _ in range(repeats):
            order = random.permutation(len(rows))
            for name, values in raw.items():
                shuffled[name].append(values[order] if name in parts else values)
    said = trained.answer({name: np.concatenate(parts) for name, parts in shuffled.items()})
    losses = row_loss(np.tile(truth, len(columns) * repeats), said, trained.info)
    added = losses.reshape(len(columns), repeats, len(rows)).mean(1) - before
    spread = 1.96 * added.std(1, ddof=1) / np.sqrt(len(rows))
    found = [
        {"column": column, "added": mean, "interval": [mean - half, mean + half]}
        for column, mean, half in zip(columns, added.mean(1).tolist(), spread.tolist(), strict=True)
    ]
    found.sort(key=lambda one: -one["added"])
    return {
        "rows": len(rows),
        "repeats": repeats,
        "loss": float(before.mean()),
        "columns": found,
        "left_out": len(dict.fromkeys(rule["column"] for rule in inputs.values())) - len(columns),
    }


def slices(trained: Trained) -> dict[str, Any]:
    """The slices (column = value) of the test rows whose score is worst, and every slice of the columns asked for.

    A slice is among the worst where its rows are worse than all others by more than chance in so many slices explains:
    as many standard errors as keep one false alarm in twenty reports (Bonferroni).
    """
    info = trained.info
    truth, answer = trained.said["test"]
    wrong = _wrong(truth, answer, info)
    asked = list(getattr(trained.config, "slices", []) or [])
    raw = trained.test.raw(np.arange(len(trained.test)))
    found, wanted = [], []
    for name, rule in info["inputs"].items():
        label = f"{rule['column']} {rule['part']}".strip()
        for value, here in _values(np.asarray(raw[name]).reshape(-1)):
            if here.sum() >= LEAST and (~here).sum() >= LEAST:
                one = {"column": label, "value": value, **_compared(wrong, here)}
                found.append(one)
            elif rule["column"] in asked:
                one = {
                    "column": label,
                    "value": value,
                    "rows": int(here.sum()),
                    "score": float(wrong[here].mean()),
                    "rest": None,
                    "errors": 0.0,
                }
            else:
                continue
            if rule["column"] in asked:
                wanted.append(one)
    beyond = _errors_allowed(len(found))
    worst = sorted((one for one in found if one["errors"] > beyond), key=lambda one: -one["errors"])[:WORST]
    unknown = [name for name in asked if name not in {rule["column"] for rule in info["inputs"].values()}]
    what = "share wrong" if info["target"]["classes"] else "mean absolute error"
    return {
        "worst": worst,
        "asked": wanted,
        "looked_at": len(found),
        "beyond": beyond,
        "unknown": unknown,
        "all": float(wrong.mean()),
        "what": what,
    }


def _wrong(truth: Any, answer: np.ndarray, info: dict[str, Any]) -> np.ndarray:
    """Of each row whether it is wrong, or how far off."""
    if info["target"]["classes"]:
        return (answer.argmax(1) != np.asarray(truth).reshape(-1)).astype("float64")
    return np.abs(np.asarray(truth, "float64").reshape(-1) - answer.reshape(-1))


def _values(cells: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """The values of a column and the rows that have them: words, numbers where they are few, else quarters."""
    if cells.dtype.kind not in "fiu":
        words, counts = np.unique(cells.astype(str), return_counts=True)
        return [(word or "missing", cells == word) for word in words[np.argsort(-counts, kind="stable")][:VALUES]]
    missing = ~np.isfinite(cells)
    found = [("missing", missing)] if missing.any() else []
    known = np.unique(cells[~missing])
    if len(known) <= 8:
        return found + [(f"{value:.6g}", cells == value) for value in known]
    edges = np.unique(np.quantile(cells[~missing], np.linspace(0, 1, BINS + 1)))
    for i, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
        last = i == len(edges) - 2
        found.append((f"{low:.6g} to {high:.6g}", (cells >= low) & ((cells <= high) if last else (cells < high))))
    return found


def _compared(wrong: np.ndarray, here: np.ndarray) -> dict[str, Any]:
    """The score of a slice beside that of all other rows, and by how many standard errors it is worse."""
    inside, outside = wrong[here], wrong[~here]
    error = np.sqrt(inside.var(ddof=1) / len(inside) + outside.var(ddof=1) / len(outside))
    gap = inside.mean() - outside.mean()
    return {
        "rows": len(inside),
        "score": float(inside.mean()),
        "rest": float(outside.mean()),
        "interval": [float(gap - 1.96 * error), float(gap + 1.96 * error)],
        "errors": float(gap / error) if error > 0 else 0.0,
    }


def _errors_allowed(slices: int) -> float:
    """Standard errors that chance passes in one report of twenty, with so many slices."""
    from statistics import NormalDist

    return max(LEVEL, NormalDist().inv_cdf(1 - 0.05 / max(1, slices)))
