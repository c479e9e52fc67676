"""Where a search may look: a list is a choice, a tuple is a range, `tfkit.log(low, high)` is a range in powers."""

from dataclasses import dataclass
from typing import Any

from tfkit.errors import UserError


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that must be allowed for all of the domain to be."""
        return self.values

    def contains(self, value: Any) -> bool:
        """Whether the search could come to this value."""
        return value in self.values

    def words(self) -> str:
        """The domain as a person would say it."""
        return ", ".join(map(str, self.values[:-1])) + " or " * (len(self.values) > 1) + str(self.values[-1])


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`, both included; integers if both are. `log`: each factor is equally likely."""

    low: float
    high: float
    log: bool = False

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that must be allowed for all of the domain to be."""
        return (self.low, self.high)

    @property
    def integer(self) -> bool:
        """Whether only integers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def contains(self, value: Any) -> bool:
        """Whether the search could come to this value."""
        number = isinstance(value, int if self.integer else int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high

    def words(self) -> str:
        """The domain as a person would say it."""
        return f"{self.low} to {self.high}{' in powers' if self.log else ''}"


def log(low: float, high: float) -> Range:
    """A range for what is chosen by its size, like a learning rate: each factor of ten is equally likely.

    Example:
        >>> log(1e-4, 1e-2).words()
        '0.0001 to 0.01 in powers'
    """
    return _range(low, high, log=True)


def domain(value: Any) -> Choice | Range:
    """The domain that a page means.

    Example:
        >>> domain([128, 256, 512]).words(), domain((0.0, 0.5)).words()
        ('128, 256 or 512', '0.0 to 0.5')
        >>> domain((1, 4)).contains(2.5)
        False
    """
    if isinstance(value, Choice | Range):
        return value
    if isinstance(value, list) and value:
        return Choice(tuple(value))
    if isinstance(value, tuple) and len(value) == 2:
        return _range(*value)
    raise UserError(
        f"A search domain is a list to choose from, a tuple (low, high) or tfkit.log(low, high). Received: {value!r}"
    )


def _range(low: Any, high: Any, log: bool = False) -> Range:
    if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high)):
        raise UserError(f"The ends of a range are numbers; write a choice as a list. Received: {(low, high)!r}")
    if not low < high:
        raise UserError(f"A range goes from low to high. Received: {(low, high)!r}")
    if log and low <= 0:
        raise UserError(f"A range in powers begins above 0. Received: {(low, high)!r}")
    return Range(low, high, log)
