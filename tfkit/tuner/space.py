"""Where a search looks: the domains of the page, changed by what was asked, and what Keras Tuner is told of them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfkit.errors import UserError, nearest
from tfkit.search import Choice, Range, domain

# In every search, unless the page says where to look or a setting is fixed.
ALWAYS: dict[str, Choice | Range] = {
    "learning_rate": Range(1e-4, 1e-2, log=True),
    "batch_size": Choice((32, 64, 128, 256)),
    "optimizer": Choice(("adam", "adamw", "rmsprop", "nadam", "lion")),
}
POINTS = 4  # of a range, in a grid

Space = dict[str, Choice | Range]


def space(recipe: Any, asked: Mapping[str, str] | Sequence[str] = (), fixed: Mapping[str, Any] | None = None) -> Space:
    """The domains of a search: what is in every one, what the page adds, what was asked; without what is fixed.

    Args:
        recipe: Whose `search` and settings they are.
        asked: Domains in words, `{"units": "64,128", "learning_rate": "1e-4..1e-2"}` or `["units=64,128"]`, or as a
            page has them.
        fixed: Settings that have a value.

    Raises:
        UserError: If a domain is not understood, not allowed by the settings, or there is nothing to search.

    Example:
        >>> import tfkit
        >>> found = space(tfkit.load("tabular"), ["units=32,64"], {"optimizer": "adam", "depth": 2, "dropout": 0})
        >>> for name, where in found.items():
        ...     print(name, where.words())
        learning_rate 0.002 to 0.02 in powers
        batch_size 32, 64, 128, 256 or 512
        units 32 or 64
    """
    found = ALWAYS | {name: domain(value) for name, value in recipe.search.items()}
    for name, words in _pairs(asked):
        if name in (fixed or {}):
            raise UserError(
                f"`{name}` is either fixed or searched. Received: {name}={(fixed or {})[name]} and a domain"
            )
        found[name] = _domain(recipe.Config, name, words, found.get(name))
    found = {name: where for name, where in found.items() if name not in (fixed or {})}
    if not found:
        raise UserError("A search needs a setting that may change: leave out a key=value, or give --search key=a,b.")
    return found


def _pairs(asked: Any) -> list[tuple[str, Any]]:
    if isinstance(asked, Mapping):
        return list(asked.items())
    pairs = [word.partition("=") for word in asked]
    for name, equals, words in pairs:
        if not equals or not words:
            raise UserError(f"A domain is written key=low..high or key=one,two. Received: {name + equals!r}")
    return [(name, words) for name, _, words in pairs]


def _domain(Config: Any, name: str, words: Any, before: Any) -> Choice | Range:
    """What words say of a setting: a range is in powers where the page's is, or where it is the learning rate's."""
    if name not in Config.model_fields:
        names = Config.model_fields
        raise UserError(f"Unknown setting `{name}`.{nearest(name, names)} Settings: {', '.join(names)}.")
    if not isinstance(words, str):
        found = domain(words)
    elif ".." in words:
        low, _, high = words.partition("..")
        ends = [_number(Config.checked(name, end), words) for end in (low, high)]
        found = domain((ends[0], ends[1]))
        if isinstance(found, Range) and getattr(before, "log", False):
            found = Range(found.low, found.high, log=True)
    else:
        found = Choice(tuple(Config.checked(name, word.strip()) for word in words.split(",")))
    for end in found.ends:
        Config.checked(name, end)
    return found


def _number(value: Any, words: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"A range low..high is of numbers; write a choice as one,two. Received: {words}")
    return value


def told(space: Space, values: Mapping[str, Any]) -> bool:
    """Whether a trial with these values lies in the space, so that an oracle can be told of it."""
    return all(name in values and where.contains(values[name]) for name, where in space.items())


def grid(space: Space, written: Mapping[str, Any]) -> Space:
    """The same space in points: a few of each range, and the recipe's own value first."""
    points = {}
    for name, where in space.items():
        values = list(where.values) if isinstance(where, Choice) else _points(where)
        own = [written[name]] if where.contains(written.get(name)) else []
        points[name] = Choice(tuple(own + [value for value in values if value not in own]))
    return dict(points)


def _points(where: Range) -> list[Any]:
    if where.integer and where.high - where.low < POINTS:
        return list(range(int(where.low), int(where.high) + 1))
    between = np.geomspace if where.log else np.linspace
    found = between(where.low, where.high, POINTS).tolist()
    return sorted({round(value) for value in found}) if where.integer else [float(f"{value:.6g}") for value in found]


def hyperparameters(space: Space) -> Any:
    """The space as Keras Tuner has it. What it has no kind for, it gets as words; `settings` reads them back."""
    from keras_tuner import HyperParameters

    found = HyperParameters()
    for name, where in space.items():
        if isinstance(where, Choice):
            unordered = {"ordered": False} if _words(where) else {}
            found.Choice(name, [_word(value) for value in where.values], **unordered)
        elif where.integer:
            found.Int(name, int(where.low), int(where.high), sampling="log" if where.log else "linear")
        else:
            found.Float(name, where.low, where.high, sampling="log" if where.log else "linear")
    return found


def settings(space: Space, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of Keras Tuner as settings of the recipe; its own, such as those of Hyperband, are left out."""
    found: dict[str, Any] = {}
    for name, where in space.items():
        value = values[name]
        if isinstance(where, Choice):
            value = next(one for one in where.values if _word(one) == value)
        found[name] = float(f"{value:.4g}") if isinstance(value, float) else value
    return found


def values(space: Space, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a recipe as the values of Keras Tuner."""
    return {
        name: _word(settings[name]) if isinstance(where, Choice) else settings[name] for name, where in space.items()
    }


def _words(where: Choice) -> bool:
    return not all(isinstance(value, int | float) and not isinstance(value, bool) for value in where.values)


def _word(value: Any) -> Any:
    """A number as it is, all else as JSON: Keras Tuner knows numbers and words."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if number else json.dumps(value, default=str)
