"""TF-IDF answers in the user's units and in the order of the classes, as far as the network reads."""

import numpy as np
import pytest

import tfkit
from tfkit import baselines

WORDS = ["good and cheap", "bad and dear"]


def rows(y, texts, weight=None):
    return tfkit.Rows(np.zeros(len(y)), np.array(y), weight, raw={"text": np.array(texts, object).reshape(-1, 1)})


def classes(*labels, length=100):
    task = "binary" if len(labels) == 2 else "multiclass"
    return {"task": task, "length": length, "target": {"classes": list(labels), "positive": labels[0]}}


def test_words_tell_classes_apart_and_a_class_without_rows_has_0():
    train = rows([2, 0] * 20, WORDS * 20)
    said = baselines.tfidf(train, rows([0, 2], ["bad", "good"]), classes("a", "b", "c"))
    assert said.argmax(axis=1).tolist() == [0, 2]
    np.testing.assert_allclose(said.sum(axis=1), 1)
    assert not said[:, 1].any()


def test_chinese_is_told_apart_by_its_characters():
    train = rows([1, 0] * 20, ["这本书写得很好", "质量太差了"] * 20)
    said = baselines.tfidf(train, rows([0, 1], ["差", "好"]), {**classes("bad", "good"), "tokens": "characters"})
    assert said.argmax(axis=1).tolist() == [0, 1]


def test_what_the_network_does_not_read_is_not_read():
    train = rows([1, 0] * 20, ["the same words: good", "the same words: bad"] * 20)
    blind, seeing = (baselines.tfidf(train, train, classes("bad", "good", length=end)) for end in (15, 100))
    np.testing.assert_allclose(blind, 0.5, atol=1e-3)
    assert np.abs(seeing - 0.5).min() > 0.2


def test_a_number_is_answered_in_its_own_units():
    info = {"task": "regression", "length": 100, "target": {"classes": None, "mean": 100.0, "scale": 10.0}}
    said = baselines.tfidf(rows([1.0, -1.0] * 50, WORDS * 50), rows([0.0, 0.0], WORDS), info)
    np.testing.assert_allclose(said, [110, 90], atol=1)


def test_weights_count():
    texts, y = ["one text"] * 40, [0, 1] * 20
    said = baselines.tfidf(rows(y, texts, np.array([3.0, 1.0] * 20)), rows([0], texts[:1]), classes("a", "b"))
    assert said[0, 0] == pytest.approx(0.75, abs=0.01)


def test_of_one_class_there_is_nothing_to_tell():
    said = baselines.tfidf(rows([1, 1], WORDS), rows([0], ["bad"]), classes("a", "b"))
    assert said.tolist() == [[0, 1]]


def test_of_very_many_texts_some_are_fitted_on_and_all_are_answered(monkeypatch, caplog):
    monkeypatch.setattr(baselines.texts, "TEXTS", 30)
    monkeypatch.setattr(baselines.texts, "BLOCK", 7)
    caplog.set_level("INFO", "tfkit")
    train = rows([1, 0] * 20, ["good", "bad"] * 20)
    assert baselines.tfidf(train, train, classes("no", "yes")).argmax(axis=1).tolist() == [1, 0] * 20
    assert caplog.messages == ["Baselines are fitted on 30 of 40 training rows, drawn by chance"]
