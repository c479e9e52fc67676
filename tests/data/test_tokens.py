"""Strings to ids: the same tokens when a vocabulary is learnt and when a file answers."""

import itertools
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfkit.data import tokens


def words(text):
    return [word.decode() for word in tokens.split(tokens.cut(tf.constant([text]), 100), "words")[0].numpy().tolist()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't PANIC!!", ["don", "'", "t", "panic", "!", "!"]),
        ("naïve CAFÉ Straße", ["naïve", "café", "straße"]),
        ("ПРИВЕТ мир", ["привет", "мир"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("我喜欢Keras，真的", ["我", "喜", "欢", "keras", "，", "真", "的"]),
        ("すごい", ["す", "ご", "い"]),
        ("ok👍🏽", ["ok", "👍", "🏽"]),
        ("Call 01632960001 or 150 or 42", ["call", "#####", "or", "###", "or", "42"]),
        ("one\u00a0two\u3000three\tfour", ["one", "two", "three", "four"]),
        ("", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


def test_a_text_is_cut_after_so_many_characters_and_white_space_is_one_space():
    texts = ["  a\t\tb\u3000c  ", "我喜欢你很久了", "é" * 9, "", " \n "]
    assert [t.decode() for t in tokens.cut(tf.constant(texts), 5).numpy()] == ["a b c", "我喜欢你很", "é" * 5, "", ""]
    with pytest.raises(ValueError, match="`length` must be at least 1"):
        tokens.CutText(0)


def test_a_vocabulary_holds_what_stands_there_twice_the_most_frequent_first():
    texts = np.array(["b b a a a", "c a", "B d d"], object)
    known, lengths = tokens.vocabulary(texts, "words", most=10)
    assert known == ["a", "b", "d"]  # a four times, b three times, d twice
    assert lengths == [5, 2, 3]
    assert tokens.vocabulary(texts, "words", most=1)[0] == ["a"]
    assert tokens.vocabulary(np.array(["aBa B"], object), "characters", most=10)[0] == ["B", "a"]


def model(kind, known, length):
    text = keras.Input((1,), dtype="string", name="text")
    return keras.Model(text, tokens.ids(tokens.CutText(100)(text), kind, vocabulary=known, length=length, name="ids"))


@pytest.mark.parametrize("kind", ["words", "characters"])
def test_ids_are_places_in_the_vocabulary(kind, tmp_path):
    """0 padding, 1 unknown, 2 the first of the vocabulary; a file gives the same."""
    known = ["free", "!", "我"] if kind == "words" else ["F", "!", "我"]
    expected = {
        "words": [[2, 3, 3, 4], [1, 0, 0, 0], [0, 0, 0, 0]],
        "characters": [[2, 1, 1, 1], [1, 1, 1, 0], [0, 0, 0, 0]],
    }[kind]
    texts = tf.constant([["FREE!! 我 and more"], ["one"], [""]])
    found = model(kind, known, 4)
    np.testing.assert_array_equal(found(texts), expected)
    assert found.output.dtype == "uint16"
    found.save(tmp_path / "ids.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "ids.keras")(texts), expected)
    found.export(tmp_path / "saved", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.serve(texts), expected)


def test_a_large_vocabulary_has_large_numbers_and_an_empty_one_knows_nothing():
    many = ["".join(letters) for letters in itertools.product("abcdefghij", repeat=5)][:70_000]
    assert model("words", many, 2).output.dtype == "int32"
    assert int(model("words", many, 2)(tf.constant([[many[-1]]]))[0, 0]) == 70_001
    np.testing.assert_array_equal(model("words", [], 2)(tf.constant([["a b"]])), [[1, 1]])


def test_a_document_of_ten_megabytes_is_no_work():
    long = "a word, " * 1_250_000
    found = model("words", ["word"], 8)
    start = time.perf_counter()
    found(tf.constant([[long]]))
    assert time.perf_counter() - start < 5
