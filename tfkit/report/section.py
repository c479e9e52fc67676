"""What a page is made of: sections of words, drawings, tables and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tfkit.report.figures import Figure, Table


@dataclass(frozen=True)
class Picture:
    """A small picture with what is said of it."""

    data: str  # of a PNG, as text
    alt: str
    caption: str
    name: str = ""


@dataclass(frozen=True)
class Marked:
    """A text whose pieces are marked by how much they mattered: (piece, -1 to 1)."""

    caption: str
    pieces: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Section:
    """A part of a page, under a heading."""

    title: str
    words: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[tuple[str, Sequence[Picture]]] = ()
    texts: Sequence[Marked] = ()
    code: Sequence[tuple[str, str]] = ()  # what a command does, and the command
    judgements: Sequence[Any] = field(default_factory=tuple)

    @property
    def empty(self) -> bool:
        """Whether there is nothing under the heading."""
        parts = (self.words, self.figures, self.tables, self.pictures, self.texts, self.code, self.judgements)
        return not any(parts)
