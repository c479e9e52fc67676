"""Metadata of texts."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from tfkit.metadata import Metadata


class TokenSequence(BaseModel):
    """How texts become a sequence of token ids.

    Args:
        vocabulary: The tokens with ids 2, 3, ...; id 0 is padding, 1 an unknown token.
        length: Number of ids of a text; longer sequences are truncated, shorter ones padded.
    """

    model_config = ConfigDict(extra="forbid")

    vocabulary: list[str]
    length: int


class NgramVocabulary(BaseModel):
    """Arguments `sizes` and `ngrams` of a `tfkit.layers.NgramEmbedding` layer."""

    model_config = ConfigDict(extra="forbid")

    sizes: list[int]
    ngrams: list[int]


class TextMetadata(Metadata):
    """Metadata of texts.

    Args:
        length: Characters to which texts are truncated.
        tokenization: The kind of token that the encoder reads.
        sequences: For each kind of token, "words" and "characters" or only the latter, its vocabulary and length.
        ngrams: For each kind of token the frequent n-grams; empty if the model uses none.
    """

    KIND: ClassVar[str] = "text"
    ANALYSES: ClassVar[tuple[str, ...]] = ("texts",)

    kind: str = "text"
    length: int = 1
    tokenization: Literal["words", "characters"] = "words"
    sequences: dict[str, TokenSequence] = {}
    ngrams: dict[str, NgramVocabulary] = {}

    @property
    def auto_settings(self) -> dict[str, str]:
        """Values of the settings that are inferred from the data."""
        return {"task": self.task, "tokenization": self.tokenization}
