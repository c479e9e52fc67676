"""Preprocessing layers of texts."""

from typing import TYPE_CHECKING

from tfkit.data.text import vocabulary as text_vocabulary
from tfkit.data.text.metadata import TextMetadata
from tfkit.layers.preprocessing import text as preprocessing_text

if TYPE_CHECKING:
    import keras

INPUT_NAME = "text"  # the only input of the saved model


def make_preprocessor(metadata: TextMetadata) -> "keras.Model":
    """Make the preprocessing model from strings to token ids.

    Its outputs are `{"words": (rows, words), "characters": (rows, characters)}`, or only characters where they are the
    tokens. Id 0 is padding, 1 an unknown token.
    """
    import keras

    text = keras.Input((1,), name=INPUT_NAME, dtype="string")
    truncated = preprocessing_text.TruncateText(metadata.length, name="cut")(text)
    ids = {
        name: text_vocabulary.token_ids(truncated, name, **sequence.model_dump(), name=name)
        for name, sequence in metadata.sequences.items()
    }
    return keras.Model({INPUT_NAME: text}, ids, name="prepare")
