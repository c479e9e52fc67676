"""Preprocessing layers of texts."""

from collections.abc import Mapping
from typing import Any

from tfkit.data.text import vocabulary as text_vocabulary
from tfkit.layers.preprocessing import text as preprocessing_text

INPUT_NAME = "text"  # the only input of the saved model


def prepare_texts(info: Mapping[str, Any]) -> Any:
    """Make the preprocessing model from strings to token ids.

    Its outputs are `{"words": (rows, words), "characters": (rows, characters)}`, or only characters where they are the
    tokens. Id 0 is padding, 1 an unknown token.
    """
    import keras

    text = keras.Input((1,), name=INPUT_NAME, dtype="string")
    truncated = preprocessing_text.TruncateText(info["length"], name="cut")(text)
    ids = {
        name: text_vocabulary.token_ids(truncated, name, **stream, name=name)
        for name, stream in info["streams"].items()
    }
    return keras.Model({INPUT_NAME: text}, ids, name="prepare")
