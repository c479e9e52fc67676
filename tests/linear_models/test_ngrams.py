"""Linear models on n-grams, against scikit-learn on n-gram counts."""

from collections import Counter

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from tfkit import ArrayDataset
from tfkit.data.text import TextMetadata, fit_ngram_vocabulary
from tfkit.data.text.metadata import NgramVocabulary
from tfkit.linear_models import fit_ngram_classifier
from tfkit.metadata import Target

RANDOM = np.random.default_rng(0)
IDS = {"words": RANDOM.integers(1, 6, (60, 5)), "characters": RANDOM.integers(1, 4, (60, 7))}
IDS["words"][::3, 3:] = 0
SIZES = {"words": [1, 2], "characters": [2]}
WEIGHT = RANDOM.uniform(0.2, 3.0, 60)


def ngram_counts():
    """Count the n-grams of each row, over the root of their total: `(rows, n-grams)`."""
    counts = []
    for name, ids in IDS.items():
        ngrams = [[tuple(row[i : i + n]) for n in SIZES[name] for i in range(len(row) - n + 1)] for row in ids]
        ngrams = [[ngram for ngram in row if 0 not in ngram] for row in ngrams]
        totals = Counter(ngram for row in ngrams for ngram in row)
        frequent = {ngram for ngram, count in totals.items() if count > 1}
        ngrams = [[ngram for ngram in row if ngram in frequent] for row in ngrams]
        counts.append([[row.count(ngram) / max(len(row), 1) ** 0.5 for ngram in sorted(frequent)] for row in ngrams])
    return np.concatenate(counts, axis=1)


def predict_training_rows(y, classes, weight=None):
    """Return the outputs of the fitted layers for their training rows."""
    ngrams = {
        name: NgramVocabulary(sizes=SIZES[name], ngrams=fit_ngram_vocabulary(ids, sizes=SIZES[name]))
        for name, ids in IDS.items()
    }
    task = "classification" if classes else "regression"
    metadata = TextMetadata(target=Target(task=task, classes=classes), ngrams=ngrams)
    inputs = {name: keras.Input(ids.shape[1:], dtype="int32", name=name) for name, ids in IDS.items()}
    model = keras.Model(inputs, fit_ngram_classifier(ArrayDataset(IDS, y, weight), metadata)(inputs))
    assert not model.trainable_variables
    return np.asarray(model({name: ids.astype("int32") for name, ids in IDS.items()}))


@pytest.mark.parametrize("classes", [["a", "b"], ["a", "b", "c"]])
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_probabilities_equal_logistic_regression(classes, weight):
    y = RANDOM.integers(0, len(classes), 60)
    x = ngram_counts()
    expected = LogisticRegression(C=30.0, max_iter=5000, tol=1e-8).fit(x, y, sample_weight=weight)
    probabilities = np.asarray(keras.ops.softmax(predict_training_rows(y, classes, weight)))
    np.testing.assert_allclose(probabilities, expected.predict_proba(x), atol=0.02)


def test_numeric_predictions_equal_ridge_regression():
    y = RANDOM.normal(size=60)
    x = ngram_counts()
    expected = Ridge(alpha=1 / 30).fit(x, y, sample_weight=WEIGHT).predict(x)
    np.testing.assert_allclose(predict_training_rows(y, None, WEIGHT)[:, 0], expected, atol=1e-3)


@pytest.mark.parametrize("present", [[0, 2], [1]])
def test_classes_absent_from_training_are_not_predicted(present):
    logits = predict_training_rows(np.resize(present, 60), ["a", "b", "c"])
    assert set(logits.argmax(axis=1)) == set(present)
    absent = [i for i in range(3) if i not in present]
    assert np.asarray(keras.ops.softmax(logits))[:, absent].max() < 1e-6
