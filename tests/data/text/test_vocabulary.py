"""Truncation, tokenization, vocabularies, and token ids of saved models."""

import itertools
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfkit.data.text import vocabulary as text_vocabulary
from tfkit.layers.preprocessing import text as preprocessing_text


def tokens_of(text):
    ragged = text_vocabulary.tokenize(preprocessing_text.truncate(tf.constant([text]), 100), "words")
    return [token.decode() for token in ragged[0].numpy().tolist()]


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
def test_word_tokens(text, expected):
    assert tokens_of(text) == expected


def test_truncation_counts_characters_and_collapses_white_space():
    texts = ["  a\t\tb\u3000c  ", "我喜欢你很久了", "é" * 9, "", " \n "]
    truncated = [text.decode() for text in preprocessing_text.truncate(tf.constant(texts), 5).numpy()]
    assert truncated == ["a b c", "我喜欢你很", "é" * 5, "", ""]
    with pytest.raises(ValueError, match="`length` must be at least 1"):
        preprocessing_text.TruncateText(0)


def test_vocabulary_has_tokens_that_occur_twice_most_frequent_first():
    texts = np.array(["b b a a a", "c a", "B d d"], object)
    vocabulary, lengths = text_vocabulary.build_vocabulary(texts, "words", max_tokens=10)
    assert vocabulary == ["a", "b", "d"]  # a four times, b three times, d twice
    assert lengths == [5, 2, 3]
    assert text_vocabulary.build_vocabulary(texts, "words", max_tokens=1)[0] == ["a"]
    assert text_vocabulary.build_vocabulary(np.array(["aBa B"], object), "characters", max_tokens=10)[0] == ["B", "a"]


def make_model(kind, vocabulary, length):
    text = keras.Input((1,), dtype="string", name="text")
    truncated = preprocessing_text.TruncateText(100)(text)
    return keras.Model(
        text, text_vocabulary.token_ids(truncated, kind, vocabulary=vocabulary, length=length, name="ids")
    )


@pytest.mark.parametrize("kind", ["words", "characters"])
def test_ids_are_indices_in_the_vocabulary(kind, tmp_path):
    """0 is padding, 1 unknown, 2 the first token, in saved models too."""
    vocabulary = ["free", "!", "我"] if kind == "words" else ["F", "!", "我"]
    expected = {
        "words": [[2, 3, 3, 4], [1, 0, 0, 0], [0, 0, 0, 0]],
        "characters": [[2, 1, 1, 1], [1, 1, 1, 0], [0, 0, 0, 0]],
    }[kind]
    texts = tf.constant([["FREE!! 我 and more"], ["one"], [""]])
    model = make_model(kind, vocabulary, 4)
    np.testing.assert_array_equal(model(texts), expected)
    assert model.output.dtype == "uint16"
    model.save(tmp_path / "ids.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "ids.keras")(texts), expected)
    model.export(tmp_path / "saved", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.serve(texts), expected)


def test_a_large_vocabulary_has_int32_ids_and_an_empty_one_only_unknown():
    vocabulary = ["".join(letters) for letters in itertools.product("abcdefghij", repeat=5)][:70_000]
    assert make_model("words", vocabulary, 2).output.dtype == "int32"
    assert int(make_model("words", vocabulary, 2)(tf.constant([[vocabulary[-1]]]))[0, 0]) == 70_001
    np.testing.assert_array_equal(make_model("words", [], 2)(tf.constant([["a b"]])), [[1, 1]])


def test_a_text_of_ten_megabytes_is_fast():
    text = "a word, " * 1_250_000
    model = make_model("words", ["word"], 8)
    start = time.perf_counter()
    model(tf.constant([[text]]))
    assert time.perf_counter() - start < 5
