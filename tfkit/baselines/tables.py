"""What a network must beat: the constant, a linear model and boosted trees, fitted on the very rows that it had.

Each takes the train and the test split of one run (rows already prepared) and what was learnt about them, and answers
for the test rows as the run's own model does: probabilities `(rows, classes)` in the order of
`info["target"]["classes"]`, 0 for a class that train has no row of, or values `(rows,)` in the user's units.
"""

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

log = logging.getLogger("tfkit")

Info = Mapping[str, Any]

CODES = 255  # more than so many codes a column scikit-learn's boosting does not take as categories
BLOCK = 65_536  # rows taken at once
MOST = 10_000_000  # numbers of the training rows that a baseline is fitted on
TREES = 10_000  # boosting grows a tree for every class in every round


class Split(Protocol):
    """Rows by number, as in `Data`."""

    def __len__(self) -> int: ...
    def take(self, numbers: np.ndarray, /) -> Any: ...


def constant(train: Split, test: Split, info: Info, *, seed: int = 0) -> np.ndarray:
    """Answer the same for every row: the share that each class has in train, or the mean of its values.

    Shares count rows as they are, without weights: weights that balance the classes would make a coin of it. The mean
    is weighted. `seed` is there because every baseline takes it.

    Example:
        >>> class Rows(list):
        ...     def take(self, numbers):
        ...         return {}, np.array(self)[numbers], None
        >>> info = {"task": "binary", "target": {"classes": ["no", "yes"], "positive": "yes"}}
        >>> constant(Rows([0, 0, 0, 1]), Rows([1]), info)
        array([[0.75, 0.25]])
    """
    rows = _rows(train, info)
    return _constant(rows, len(test), info)


def linear(train: Split, test: Split, info: Info, *, seed: int = 0) -> np.ndarray:
    """Answer with a weighted sum of the columns: logistic regression (C=1), or ridge regression for a number.

    Numbers are standardised once more (the page may have scaled them otherwise), flags of missing values stand beside
    them, categories are one-hot. Fitting stops after 200 steps, converged or not: a baseline may not take longer than
    what it is compared with.

    Example:
        >>> class Rows(list):
        ...     def take(self, numbers):
        ...         return {"numbers": numbers[:, None] % 2}, np.array(self, "float32")[numbers], None
        >>> info = {"task": "regression", "target": {"classes": None, "mean": 100.0, "scale": 10.0}}
        >>> linear(Rows([0.0, 1.0] * 500), Rows([0.0, 1.0]), info).round(1)
        array([100., 110.])
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    rows = _rows(train, info)
    if _hopeless(rows):
        return _constant(rows, len(test), info)
    model = Ridge() if rows.classes is None else LogisticRegression(max_iter=200)
    design = _Design(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(design(rows), rows.target, sample_weight=rows.weight)
    return _answers(model, design, test, info)


def boosted_trees(train: Split, test: Split, info: Info, *, seed: int = 0) -> np.ndarray:
    """Answer with scikit-learn's histogram gradient boosting, its defaults kept: the peer to beat on tables.

    Missing numbers are missing to it, too, and categories of up to 255 codes are categories; larger ones go in as
    numbers. Beyond 100 classes the number of rounds falls, so that no more than 10,000 trees are grown. Many columns
    cost most: 5,000 of them and 1,000 rows take half a minute, 14 and 32,000 rows one second.

    Example:
        >>> class Rows(list):
        ...     def take(self, numbers):
        ...         return {"numbers": numbers[:, None]}, np.array(self, "float32")[numbers], None
        >>> info = {"task": "regression", "target": {"classes": None, "mean": 100.0, "scale": 10.0}}
        >>> boosted_trees(Rows([0.0] * 500 + [1.0] * 500), Rows([0.0] * 2), info).round(1)
        array([100., 100.])
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    rows = _rows(train, info)
    if _hopeless(rows):
        return _constant(rows, len(test), info)
    settings: dict[str, Any] = {"random_state": seed, "categorical_features": _categorical(rows)}
    if rows.classes is None:
        model = HistGradientBoostingRegressor(**settings)
    else:
        counts = np.bincount(rows.target)[rows.classes]
        # Above 10,000 rows it holds a stratified tenth out to stop early, which fails where a class has a single row
        # or the tenth has not a row for each class.
        stops = "auto" if counts.min() > 1 and len(counts) <= len(rows.target) // 10 else False
        rounds = min(100, max(10, TREES // len(counts)))
        model = HistGradientBoostingClassifier(**settings, early_stopping=stops, max_iter=rounds)
    with _half_the_cores():
        model.fit(_with_gaps(rows), rows.target, sample_weight=rows.weight)
        return _answers(model, _with_gaps, test, info)


def _half_the_cores() -> Any:
    """Fewer threads than cores while boosting: where another process wants a core, its threads wait for each other.

    On two cores, one busy, 26 classes took 54 s with two threads and 8 s with one; with both free, 6 s and 8 s.
    """
    from joblib import cpu_count
    from threadpoolctl import threadpool_info, threadpool_limits

    allowed = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"]
    return threadpool_limits(min([max(1, cpu_count() // 2), *allowed]), user_api="openmp")


@dataclass(frozen=True)
class _Rows:
    """All rows of a split as plain arrays, a part without columns as one of width 0."""

    numbers: np.ndarray  # (rows, numbers) float32, 0 where missing
    missing: np.ndarray  # (rows, flags) bool
    flagged: np.ndarray  # (flags,) the number that each flag is of
    categories: np.ndarray  # (rows, categories) codes
    sizes: list[int]
    target: np.ndarray
    weight: np.ndarray | None
    classes: np.ndarray | None  # those that have a row; None where the target is a number


def _rows(split: Split, info: Info) -> _Rows:
    """The rows of a split; of very many some that are drawn by chance."""
    x, _, _ = _block(split, np.arange(1))
    most = max(BLOCK, MOST // max(1, sum(array.shape[1] for array in x.values())))
    numbers = np.arange(len(split))
    if len(split) > most:
        log.info("Baselines are fitted on %s of %s training rows, drawn by chance", f"{most:,}", f"{len(split):,}")
        numbers = np.sort(np.random.default_rng(0).choice(len(split), most, replace=False))
    return _of(split, numbers, info)


def _of(split: Split, numbers: np.ndarray, info: Info) -> _Rows:
    blocks = [_block(split, numbers[start : start + BLOCK]) for start in range(0, len(numbers), BLOCK)]
    columns, y, weight = (_joined(part) for part in zip(*blocks, strict=True))
    parts = {name: columns[name] for name in ("numbers", "missing", "categories") if name in columns}
    empty: np.ndarray = np.zeros((len(numbers), 0), "float32")
    regression = info["task"] == "regression"
    target = np.asarray(y).reshape(-1).astype("float64" if regression else "int64")
    return _Rows(
        numbers=parts.get("numbers", empty),
        missing=parts.get("missing", empty) > 0.5,
        flagged=np.asarray(info.get("missing", ()) if "missing" in parts else (), "int64"),
        categories=parts.get("categories", empty).astype("int32"),
        sizes=list(info.get("sizes", ())) if "categories" in parts else [],
        target=target,
        weight=None if weight is None else np.asarray(weight, "float64").reshape(-1),
        classes=None if regression else np.unique(target),
    )


def _block(split: Split, numbers: np.ndarray) -> tuple[Any, Any, Any]:
    """Some rows; what is no table has no columns, but a target all the same."""
    x, y, weight = split.take(numbers)
    return (x if isinstance(x, Mapping) else {}), y, weight


def _joined(parts: Any) -> Any:
    if isinstance(parts[0], Mapping):
        return {name: _joined([part[name] for part in parts]) for name in parts[0]}
    return None if parts[0] is None else np.concatenate([np.asarray(part) for part in parts])


def _constant(rows: _Rows, asked: int, info: Info) -> np.ndarray:
    if rows.classes is None:
        return np.full(asked, _in_units(np.average(rows.target, weights=rows.weight), info))
    counts = np.bincount(rows.target, minlength=len(info["target"]["classes"]))
    return np.tile(counts / counts.sum(), (asked, 1))


def _hopeless(rows: _Rows) -> bool:
    """Nothing to learn from, or nothing to tell apart: scikit-learn refuses both."""
    one_class = rows.classes is not None and len(rows.classes) < 2
    return one_class or rows.numbers.shape[1] + rows.categories.shape[1] == 0


def _answers(model: Any, design: Any, split: Split, info: Info) -> np.ndarray:
    """What a fitted model says of all rows of a split, some at a time."""
    numbers = np.arange(len(split))
    parts = [numbers[start : start + BLOCK] for start in range(0, len(split), BLOCK)]
    return np.concatenate([_answer(model, design(_of(split, part, info)), info) for part in parts])


def _answer(model: Any, design: Any, info: Info) -> np.ndarray:
    if info["task"] == "regression":
        return _in_units(model.predict(design), info)
    answer = np.zeros((design.shape[0], len(info["target"]["classes"])))
    answer[:, model.classes_] = model.predict_proba(design)
    return answer


def _in_units(value: Any, info: Info) -> Any:
    return value * info["target"]["scale"] + info["target"]["mean"]


class _Design:
    """Rows as the linear model sees them, standardised as train is."""

    def __init__(self, train: _Rows):
        self.mean, scale = train.numbers.mean(0, dtype="float64"), train.numbers.std(0, dtype="float64")
        self.scale = np.where(scale > 0, scale, 1)
        self.offsets = np.cumsum([0, *train.sizes])

    def __call__(self, rows: _Rows) -> Any:
        from scipy.sparse import csr_array, hstack

        plain = np.hstack([(rows.numbers - self.mean) / self.scale, rows.missing])
        each, width = rows.categories.shape[1], int(self.offsets[-1])
        if not each:
            return plain
        codes = (rows.categories + self.offsets[:-1]).reshape(-1)
        hot = csr_array((np.ones(codes.size), codes, np.arange(0, codes.size + 1, each)), shape=(len(plain), width))
        sparse = width > 4 * (plain.shape[1] + each)
        return hstack([csr_array(plain), hot], format="csr") if sparse else np.hstack([plain, hot.toarray()])


def _categorical(rows: _Rows) -> np.ndarray:
    return np.array([False] * rows.numbers.shape[1] + [size <= CODES for size in rows.sizes])


def _with_gaps(rows: _Rows) -> np.ndarray:
    """Numbers and codes side by side, NaN put back where a number was missing."""
    design = np.hstack([rows.numbers, rows.categories.astype("float32")])
    for flag, column in enumerate(rows.flagged):
        design[rows.missing[:, flag], column] = np.nan
    return design
