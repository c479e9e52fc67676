"""The linear half of the page for texts, solved: against scikit-learn on a plain count."""

from collections import Counter

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from tfkit import Rows
from tfkit.data import frequent_ngrams, solved_ngrams

RANDOM = np.random.default_rng(0)
IDS = {"words": RANDOM.integers(1, 6, (60, 5)), "characters": RANDOM.integers(1, 4, (60, 7))}
IDS["words"][::3, 3:] = 0
SIZES = {"words": [1, 2], "characters": [2]}
WEIGHT = RANDOM.uniform(0.2, 3.0, 60)


def plain():
    """For each row how often each n-gram is there, over the root of how many there are: a column for each n-gram."""
    parts = []
    for name, ids in IDS.items():
        runs = [[tuple(row[i : i + n]) for n in SIZES[name] for i in range(len(row) - n + 1)] for row in ids]
        runs = [[run for run in row if 0 not in run] for row in runs]
        often = {run for run, count in Counter(run for row in runs for run in row).items() if count > 1}
        runs = [[run for run in row if run in often] for row in runs]
        parts.append([[row.count(run) / max(len(row), 1) ** 0.5 for run in sorted(often)] for row in runs])
    return np.concatenate(parts, axis=1)


def solved(y, classes, weight=None):
    """What the layers say of the rows that they were solved on."""
    told = {n: {"sizes": SIZES[n], "ngrams": frequent_ngrams(ids, sizes=SIZES[n])} for n, ids in IDS.items()}
    info = {"ngrams": told, "target": {"classes": classes}}
    inputs = {name: keras.Input(ids.shape[1:], dtype="int32", name=name) for name, ids in IDS.items()}
    model = keras.Model(inputs, solved_ngrams(Rows(IDS, y, weight), info)(inputs))
    assert not model.trainable_variables
    return np.asarray(model({name: ids.astype("int32") for name, ids in IDS.items()}))


@pytest.mark.parametrize("classes", [["a", "b"], ["a", "b", "c"]])
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_classes_are_those_of_logistic_regression(classes, weight):
    y = RANDOM.integers(0, len(classes), 60)
    wanted = LogisticRegression(C=30.0, max_iter=5000, tol=1e-8).fit(plain(), y, sample_weight=weight)
    said = np.asarray(keras.ops.softmax(solved(y, classes, weight)))
    np.testing.assert_allclose(said, wanted.predict_proba(plain()), atol=0.02)


def test_numbers_are_those_of_ridge_regression():
    y = RANDOM.normal(size=60)
    wanted = Ridge(alpha=1 / 30).fit(plain(), y, sample_weight=WEIGHT).predict(plain())
    np.testing.assert_allclose(solved(y, None, WEIGHT)[:, 0], wanted, atol=1e-3)


@pytest.mark.parametrize("there", [[0, 2], [1]])
def test_classes_that_training_has_not_are_not_said(there):
    said = solved(np.resize(there, 60), ["a", "b", "c"])
    assert set(said.argmax(axis=1)) == set(there)
    assert np.asarray(keras.ops.softmax(said))[:, [i for i in range(3) if i not in there]].max() < 1e-6
