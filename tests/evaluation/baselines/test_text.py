"""Tests of the TF-IDF baseline of texts."""

import numpy as np
import pytest

import tfkit
from tfkit.data.text.metadata import TextMetadata
from tfkit.evaluation import baselines
from tfkit.evaluation.baselines import text
from tfkit.metadata import Target

TEXTS = ["good and cheap", "bad and dear"]


def rows(y, texts, weight=None):
    return tfkit.ArrayDataset(
        np.zeros(len(y)), np.array(y), weight, raw={"text": np.array(texts, object).reshape(-1, 1)}
    )


def make_metadata(*labels, length=100, **extra):
    target = Target(task="classification", classes=list(labels), positive_class=labels[0])
    return TextMetadata(target=target, length=length, **extra)


def test_words_separate_classes_and_a_class_without_rows_has_probability_0():
    train = rows([2, 0] * 20, TEXTS * 20)
    y_pred = baselines.tfidf(train, rows([0, 2], ["bad", "good"]), make_metadata("a", "b", "c"))
    assert y_pred.argmax(axis=1).tolist() == [0, 2]
    np.testing.assert_allclose(y_pred.sum(axis=1), 1)
    assert not y_pred[:, 1].any()


def test_chinese_texts_use_characters():
    train = rows([1, 0] * 20, ["这本书写得很好", "质量太差了"] * 20)
    y_pred = baselines.tfidf(train, rows([0, 1], ["差", "好"]), make_metadata("bad", "good", tokenization="characters"))
    assert y_pred.argmax(axis=1).tolist() == [0, 1]


def test_texts_are_truncated_to_the_length_of_the_network():
    train = rows([1, 0] * 20, ["the same words: good", "the same words: bad"] * 20)
    truncated, complete = (baselines.tfidf(train, train, make_metadata("bad", "good", length=end)) for end in (15, 100))
    np.testing.assert_allclose(truncated, 0.5, atol=1e-3)
    assert np.abs(complete - 0.5).min() > 0.2


def test_numbers_are_predicted_in_units_of_the_user():
    metadata = TextMetadata(target=Target(mean=100.0, scale=10.0), length=100)
    y_pred = baselines.tfidf(rows([1.0, -1.0] * 50, TEXTS * 50), rows([0.0, 0.0], TEXTS), metadata)
    np.testing.assert_allclose(y_pred, [110, 90], atol=1)


def test_sample_weights_are_used():
    texts, y = ["one text"] * 40, [0, 1] * 20
    y_pred = baselines.tfidf(rows(y, texts, np.array([3.0, 1.0] * 20)), rows([0], texts[:1]), make_metadata("a", "b"))
    assert y_pred[0, 0] == pytest.approx(0.75, abs=0.01)


def test_training_set_with_a_single_class():
    y_pred = baselines.tfidf(rows([1, 1], TEXTS), rows([0], ["bad"]), make_metadata("a", "b"))
    assert y_pred.tolist() == [[0, 1]]


def test_very_many_texts_are_sampled_for_training_only(monkeypatch, caplog):
    monkeypatch.setattr(text, "MAX_TEXTS", 30)
    monkeypatch.setattr(text, "CHUNK_ROWS", 7)
    caplog.set_level("INFO", "tfkit")
    train = rows([1, 0] * 20, ["good", "bad"] * 20)
    assert baselines.tfidf(train, train, make_metadata("no", "yes")).argmax(axis=1).tolist() == [1, 0] * 20
    assert caplog.messages == ["Baselines are fitted on a random sample of 30 of 40 training rows"]
