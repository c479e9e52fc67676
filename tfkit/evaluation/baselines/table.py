"""Baselines of tables: constant prediction, linear model, gradient boosting.

Each baseline takes the preprocessed training and test sets of a run with their metadata, and predicts the test rows in
the format of the model: probabilities `(rows, classes)` in the order of `metadata.target.classes`, 0 for a class
without training rows, or values `(rows,)` in the units of the user. What depends on the task is asked of it.
"""

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tfkit.metadata import Metadata
from tfkit.tasks.registry import get_task

log = logging.getLogger("tfkit")

MAX_CATEGORIES = 255  # scikit-learn's boosting accepts no categorical column with more codes

CHUNK_ROWS = 65_536  # rows read at once

MAX_TRAINING_CELLS = 10_000_000  # rows * columns of the training set of a baseline

MAX_TREES = 10_000  # boosting grows one tree per class or tag, and round


class Split(Protocol):
    """A dataset with access to rows by index, as in `Data`."""

    def __len__(self) -> int: ...
    def take(self, indices: np.ndarray, /) -> Any: ...


def dummy(train: Split, test: Split, metadata: Metadata, *, seed: int = 0) -> np.ndarray:
    """Predict the training class frequencies, or the training mean, for every row.

    Class frequencies ignore sample weights: with weights that balance the classes, all probabilities would be equal.
    The mean is weighted. `seed` is unused; every baseline takes it.

    Example:
        >>> from tfkit.metadata import Target
        >>> class Rows(list):
        ...     def take(self, indices):
        ...         return {}, np.array(self)[indices], None
        >>> metadata = Metadata(target=Target(task="classification", classes=["no", "yes"], positive_class="yes"))
        >>> dummy(Rows([0, 0, 0, 1]), Rows([1]), metadata)
        array([[0.75, 0.25]])
    """
    rows = _load_training_rows(train, metadata)
    return _predict_constant(rows, test, metadata)


def linear(train: Split, test: Split, metadata: Metadata, *, seed: int = 0) -> np.ndarray:
    """Fit logistic regression (C=1) of the class or of each tag, or ridge regression of a number.

    Numbers are standardized again, because the recipe may use another scaling. Missing-value indicators are columns,
    and categories are one-hot encoded. Fitting stops after 200 iterations, converged or not, because a baseline must
    not take longer than the model it is compared with.

    Example:
        >>> from tfkit.metadata import Target
        >>> class Rows(list):
        ...     def take(self, indices):
        ...         return {"numbers": indices[:, None] % 2}, np.array(self, "float32")[indices], None
        >>> metadata = Metadata(target=Target(mean=100.0, scale=10.0))
        >>> linear(Rows([0.0, 1.0] * 500), Rows([0.0, 1.0]), metadata).round(1)
        array([100., 110.])
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    def make_classifier(y: np.ndarray, count: int) -> Any:
        return LogisticRegression(max_iter=200)

    rows = _load_training_rows(train, metadata)
    if not rows.num_columns:
        return _predict_constant(rows, test, metadata)
    encode = _LinearEncoder(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return _fit_predict(make_classifier, Ridge, encode, rows, test, metadata)


def gradient_boosting(train: Split, test: Split, metadata: Metadata, *, seed: int = 0) -> np.ndarray:
    """Fit scikit-learn's histogram gradient boosting with default settings.

    This is the strongest simple baseline for tables. Missing numbers are NaN. Columns of up to 255 codes are
    categorical; larger ones are numeric. With more than 100 classes or tags there are fewer rounds, so that at most
    10,000 trees are grown. The time depends most on the number of columns: 5,000 columns and 1,000 rows take half a
    minute, 14 columns and 32,000 rows one second.

    Example:
        >>> from tfkit.metadata import Target
        >>> class Rows(list):
        ...     def take(self, indices):
        ...         return {"numbers": indices[:, None]}, np.array(self, "float32")[indices], None
        >>> metadata = Metadata(target=Target(mean=100.0, scale=10.0))
        >>> gradient_boosting(Rows([0.0] * 500 + [1.0] * 500), Rows([0.0] * 2), metadata).round(1)
        array([100., 100.])
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    rows = _load_training_rows(train, metadata)
    if not rows.num_columns:
        return _predict_constant(rows, test, metadata)
    settings: dict[str, Any] = {"random_state": seed, "categorical_features": _is_categorical(rows)}

    def make_classifier(y: np.ndarray, count: int) -> Any:
        _, counts = np.unique(y, return_counts=True)
        # Above 10,000 rows, early stopping uses a stratified 10% holdout, which fails if a class has a single row or
        # the holdout has fewer rows than classes.
        early_stopping = "auto" if counts.min() > 1 and len(counts) <= len(y) // 10 else False
        rounds = min(100, max(10, MAX_TREES // max(len(counts), count)))
        return HistGradientBoostingClassifier(**settings, early_stopping=early_stopping, max_iter=rounds)

    def make_regressor() -> Any:
        return HistGradientBoostingRegressor(**settings)

    with _half_the_cores():
        return _fit_predict(make_classifier, make_regressor, _encode_for_boosting, rows, test, metadata)


def _half_the_cores() -> Any:
    """Limit OpenMP threads to half of the cores; they wait for each other.

    On two cores, one of them used by another process, 26 classes took 54 s with two threads and 8 s with one; with
    both cores free, 6 s and 8 s.
    """
    from joblib import cpu_count
    from threadpoolctl import threadpool_info, threadpool_limits

    limits = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"]
    return threadpool_limits(min([max(1, cpu_count() // 2), *limits]), user_api="openmp")


@dataclass(frozen=True)
class _Rows:
    """All rows of a dataset as arrays; kinds of columns that are absent have width 0."""

    numbers: np.ndarray  # (rows, numeric columns) float32, 0 if missing
    missing: np.ndarray  # (rows, indicators) bool
    indicator_columns: np.ndarray  # (indicators,) index of the numeric column of each indicator
    categories: np.ndarray  # (rows, categorical columns) codes
    sizes: list[int]  # number of codes of each categorical column
    target: np.ndarray  # learned targets (rows, ...)
    weight: np.ndarray | None

    @property
    def num_columns(self) -> int:
        return self.numbers.shape[1] + self.categories.shape[1]


def _load_training_rows(split: Split, metadata: Metadata) -> _Rows:
    """Load the rows of a training set, or a random sample of a very large one."""
    x, _, _ = _take(split, np.arange(1))
    max_rows = max(CHUNK_ROWS, MAX_TRAINING_CELLS // max(1, sum(array.shape[1] for array in x.values())))
    indices = np.arange(len(split))
    if len(split) > max_rows:
        log.info(
            "Baselines are fitted on a random sample of %s of %s training rows", f"{max_rows:,}", f"{len(split):,}"
        )
        indices = np.sort(np.random.default_rng(0).choice(len(split), max_rows, replace=False))
    return _load_rows(split, indices, metadata)


def _load_rows(split: Split, indices: np.ndarray, metadata: Metadata) -> _Rows:
    """Load the rows with these indices, chunk by chunk."""
    chunks = [_take(split, indices[start : start + CHUNK_ROWS]) for start in range(0, len(indices), CHUNK_ROWS)]
    columns, y, weight = (_concatenate(arrays) for arrays in zip(*chunks, strict=True))
    inputs = {name: columns[name] for name in ("numbers", "missing", "categories") if name in columns}
    empty: np.ndarray = np.zeros((len(indices), 0), "float32")
    target = np.asarray(y)
    return _Rows(
        numbers=inputs.get("numbers", empty),
        missing=inputs.get("missing", empty) > 0.5,
        indicator_columns=np.asarray(getattr(metadata, "missing", ()) if "missing" in inputs else (), "int64"),
        categories=inputs.get("categories", empty).astype("int32"),
        sizes=list(getattr(metadata, "sizes", ())) if "categories" in inputs else [],
        target=target.reshape(-1) if target.shape[1:] == (1,) else target,
        weight=None if weight is None else np.asarray(weight, "float64").reshape(-1),
    )


def _take(split: Split, indices: np.ndarray) -> tuple[Any, Any, Any]:
    """Return inputs, targets and weights of rows; no inputs if not a table."""
    x, y, weight = split.take(indices)
    return (x if isinstance(x, Mapping) else {}), y, weight


def _concatenate(chunks: Any) -> Any:
    """Concatenate arrays, dictionaries of arrays, or Nones."""
    if isinstance(chunks[0], Mapping):
        return {name: _concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    return None if chunks[0] is None else np.concatenate([np.asarray(chunk) for chunk in chunks])


def _predict_constant(rows: _Rows, test: Split, metadata: Metadata) -> np.ndarray:
    constant = get_task(metadata.task).predict_constant(rows.target, rows.weight, metadata)
    return np.repeat(constant, len(test), axis=0)


def _fit_predict(
    make_classifier: Any,
    make_regressor: Any,
    encode: Callable[[_Rows], Any],
    rows: _Rows,
    test: Split,
    metadata: Metadata,
) -> np.ndarray:
    """Fit estimators to rows, and predict all test rows, chunk by chunk."""
    estimators = (make_classifier, make_regressor)
    predict = get_task(metadata.task).fit_estimator(*estimators, encode(rows), rows.target, rows.weight, metadata)
    chunks = [np.arange(start, min(start + CHUNK_ROWS, len(test))) for start in range(0, len(test), CHUNK_ROWS)]
    return np.concatenate([predict(encode(_load_rows(test, chunk, metadata))) for chunk in chunks])


class _LinearEncoder:
    """Encode rows as standardized numbers, indicators and one-hot categories."""

    def __init__(self, train: _Rows):
        self.mean, scale = train.numbers.mean(0, dtype="float64"), train.numbers.std(0, dtype="float64")
        self.scale = np.where(scale > 0, scale, 1)
        self.offsets = np.cumsum([0, *train.sizes])

    def __call__(self, rows: _Rows) -> Any:
        from scipy.sparse import csr_array, hstack

        dense = np.hstack([(rows.numbers - self.mean) / self.scale, rows.missing])
        num_categorical, width = rows.categories.shape[1], int(self.offsets[-1])
        if not num_categorical:
            return dense
        codes = (rows.categories + self.offsets[:-1]).reshape(-1)
        row_starts = np.arange(0, codes.size + 1, num_categorical)
        one_hot = csr_array((np.ones(codes.size), codes, row_starts), shape=(len(dense), width))
        is_sparse = width > 4 * (dense.shape[1] + num_categorical)
        return hstack([csr_array(dense), one_hot], format="csr") if is_sparse else np.hstack([dense, one_hot.toarray()])


def _is_categorical(rows: _Rows) -> np.ndarray:
    return np.array([False] * rows.numbers.shape[1] + [size <= MAX_CATEGORIES for size in rows.sizes])


def _encode_for_boosting(rows: _Rows) -> np.ndarray:
    """Return numbers and codes in one array, with NaN for missing numbers."""
    x = np.hstack([rows.numbers, rows.categories.astype("float32")])
    for indicator, column in enumerate(rows.indicator_columns):
        x[rows.missing[:, indicator], column] = np.nan
    return x
