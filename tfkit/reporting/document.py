"""Data classes of a report: sections of paragraphs, figures, tables and images."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tfkit.reporting.figures import Figure, Table


@dataclass(frozen=True)
class ImageFigure:
    """A small image with a caption."""

    data: str  # PNG, encoded as base64
    alt: str
    caption: str
    name: str = ""


@dataclass(frozen=True)
class HighlightedText:
    """A text with highlighted segments: pairs (segment, importance in [-1, 1])."""

    caption: str
    segments: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Section:
    """A section of a report with a heading."""

    title: str
    paragraphs: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    images: Sequence[tuple[str, Sequence[ImageFigure]]] = ()
    texts: Sequence[HighlightedText] = ()
    code: Sequence[tuple[str, str]] = ()  # pairs: what a command does, the command
    diagnoses: Sequence[Any] = field(default_factory=tuple)

    @property
    def empty(self) -> bool:
        """Whether the section has no content besides its title."""
        contents = (self.paragraphs, self.figures, self.tables, self.images, self.texts, self.code, self.diagnoses)
        return not any(contents)
