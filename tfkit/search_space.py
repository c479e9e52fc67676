"""Search domains of settings: a list, a tuple `(low, high)`, or `tfkit.log_uniform(low, high)`."""

from dataclasses import dataclass
from typing import Any

from tfkit.errors import UserError


@dataclass(frozen=True)
class Choice:
    """A finite set of values."""

    values: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values to validate: if all of them are valid, every value of the domain is."""
        return self.values

    def contains(self, value: Any) -> bool:
        """Return whether a search can sample this value."""
        return value in self.values

    def describe(self) -> str:
        """Describe the domain: `128, 256 or 512`."""
        return ", ".join(map(str, self.values[:-1])) + " or " * (len(self.values) > 1) + str(self.values[-1])


@dataclass(frozen=True)
class Range:
    """The interval [low, high] of integers, if both ends are integers, else of floats.

    With `log_uniform` values are sampled uniformly on a log scale.
    """

    low: float
    high: float
    log: bool = False

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values to validate: if both ends are valid, every value of the domain is."""
        return (self.low, self.high)

    @property
    def integer(self) -> bool:
        """Whether the domain has only integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def contains(self, value: Any) -> bool:
        """Return whether a search can sample this value."""
        is_number = isinstance(value, int if self.integer else int | float) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high

    def describe(self) -> str:
        """Describe the domain: `0.0001 to 0.01 (log scale)`."""
        return f"{self.low} to {self.high}{' (log scale)' if self.log else ''}"


def log_uniform(low: float, high: float) -> Range:
    """Return a range that is sampled on a log scale, such as that of a learning rate.

    Example:
        >>> log_uniform(1e-4, 1e-2).describe()
        '0.0001 to 0.01 (log scale)'
    """
    return _range(low, high, log=True)


def domain(value: Any) -> Choice | Range:
    """Return the domain that a recipe writes as a list, a tuple or a domain.

    Raises:
        UserError: If the value is none of these.

    Example:
        >>> domain([128, 256, 512]).describe(), domain((0.0, 0.5)).describe()
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
        f"A search domain must be a list of choices, a tuple (low, high) or tfkit.log_uniform(low, high). "
        f"Received: {value!r}"
    )


def _range(low: Any, high: Any, log: bool = False) -> Range:
    if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high)):
        raise UserError(f"The ends of a range must be numbers; write choices as a list. Received: {(low, high)!r}")
    if not low < high:
        raise UserError(f"A range must go from low to high. Received: {(low, high)!r}")
    if log and low <= 0:
        raise UserError(f"A log-scale range must start above 0. Received: {(low, high)!r}")
    return Range(low, high, log)
