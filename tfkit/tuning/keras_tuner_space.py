"""Search space: domains of the recipe with user overrides, and their conversion for Keras Tuner."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.config import Config
from tfkit.errors import UserError, did_you_mean
from tfkit.recipe import Recipe
from tfkit.search_space import Choice, Range, domain

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

# In every search, unless the recipe has another domain or the setting is fixed.
DEFAULT_SPACE: dict[str, Choice | Range] = {
    "learning_rate": Range(1e-4, 1e-2, log=True),
    "batch_size": Choice((32, 64, 128, 256)),
    "optimizer": Choice(("adam", "adamw", "rmsprop", "nadam", "lion")),
}

GRID_POINTS = 4  # of a range

Space = dict[str, Choice | Range]


def make_search_space(
    recipe: Recipe, overrides: Mapping[str, Any] | Sequence[str] = (), fixed: Mapping[str, Any] | None = None
) -> Space:
    """Merge default domains, those of the recipe, and overrides; leave out fixed settings.

    Args:
        recipe: Recipe with `search_space` and settings.
        overrides: Domains as text, `{"units": "64,128", "learning_rate": "1e-4..1e-2"}` or `["units=64,128"]`, or as
            Python values like those of a recipe.
        fixed: Settings that have a fixed value.

    Raises:
        UserError: If a domain cannot be parsed, has values that the setting does not allow, or the space is empty.

    Example:
        >>> import tfkit
        >>> fixed = {"optimizer": "adam", "num_layers": 2, "dropout": 0}
        >>> space = make_search_space(tfkit.load_recipe("tabular"), ["units=32,64"], fixed)
        >>> for name, values in space.items():
        ...     print(name, values)
        learning_rate Range(low=0.002, high=0.02, log=True)
        batch_size Choice(values=(32, 64, 128, 256, 512))
        units Choice(values=(32, 64))
    """
    fixed = fixed or {}
    space = default_search_space(recipe)
    for name, value in _split_overrides(overrides):
        if name in fixed:
            raise UserError(f"`{name}` must be either fixed or searched. Received: {name}={fixed[name]} and a domain")
        space[name] = _parse_domain(recipe.Config, name, value, space.get(name))
    space = {name: setting_domain for name, setting_domain in space.items() if name not in fixed}
    if not space:
        raise UserError(
            "A search needs at least one setting that is not fixed: remove a key=value, or add --search key=a,b."
        )
    return space


def default_search_space(recipe: Recipe) -> Space:
    """Merge the default domains and those of the recipe."""
    return DEFAULT_SPACE | {name: domain(value) for name, value in recipe.search_space.items()}


def _split_overrides(overrides: Mapping[str, Any] | Sequence[str]) -> list[tuple[str, Any]]:
    """Split overrides into pairs of a setting and its domain."""
    if isinstance(overrides, Mapping):
        return list(overrides.items())
    pairs = [override.partition("=") for override in overrides]
    for name, equals, text in pairs:
        if not equals or not text:
            raise UserError(
                f"A domain must have the form key=low..high or key=value1,value2. Received: {name + equals!r}"
            )
    return [(name, text) for name, _, text in pairs]


def _parse_domain(config_class: type[Config], name: str, value: Any, previous: Choice | Range | None) -> Choice | Range:
    """Parse and validate the domain of a setting; a range is on a log scale if the previous domain is."""
    if name not in config_class.model_fields:
        names = config_class.model_fields
        raise UserError(f"Unknown setting `{name}`.{did_you_mean(name, names)} Settings: {', '.join(names)}.")
    if not isinstance(value, str):
        result = domain(value)
    elif ".." in value:
        low, _, high = value.partition("..")
        ends = [_check_number(config_class.validate_setting(name, end), value) for end in (low, high)]
        result = domain((ends[0], ends[1]))
        if isinstance(result, Range) and getattr(previous, "log", False):
            result = Range(result.low, result.high, log=True)
    else:
        result = Choice(tuple(config_class.validate_setting(name, text.strip()) for text in value.split(",")))
    for end in result.ends:
        config_class.validate_setting(name, end)
    return result


def _check_number(value: Any, text: str) -> int | float:
    """Return the end of a range; raise if it is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(
            f"A range low..high must have numbers as ends; write a choice as value1,value2. Received: {text}"
        )
    return value


def in_space(space: Space, settings: Mapping[str, Any]) -> bool:
    """Whether these settings are inside the space, so that they can be reported to an oracle."""
    return all(name in settings and setting_domain.contains(settings[name]) for name, setting_domain in space.items())


def to_grid(space: Space, default_settings: Mapping[str, Any]) -> Space:
    """Reduce every domain to a few values, the default value first."""
    points = {}
    for name, setting_domain in space.items():
        values = list(setting_domain.values) if isinstance(setting_domain, Choice) else _range_points(setting_domain)
        default_values = [default_settings[name]] if setting_domain.contains(default_settings.get(name)) else []
        points[name] = Choice(tuple(default_values + [value for value in values if value not in default_values]))
    return dict(points)


def _range_points(bounds: Range) -> list[Any]:
    """Evenly spaced values of a range, both ends included."""
    if bounds.integer and bounds.high - bounds.low < GRID_POINTS:
        return list(range(int(bounds.low), int(bounds.high) + 1))
    spacing = np.geomspace if bounds.log else np.linspace
    values = spacing(bounds.low, bounds.high, GRID_POINTS).tolist()
    return sorted({round(value) for value in values}) if bounds.integer else [float(f"{value:.6g}") for value in values]


def to_keras_tuner_space(space: Space) -> "HyperParameters":
    """Convert the space for Keras Tuner; values of types that it does not support are encoded as JSON."""
    from keras_tuner import HyperParameters

    parameters = HyperParameters()
    for name, setting_domain in space.items():
        if isinstance(setting_domain, Choice):
            unordered = {"ordered": False} if _is_categorical(setting_domain) else {}
            parameters.Choice(name, [_encode_value(value) for value in setting_domain.values], **unordered)
        elif setting_domain.integer:
            parameters.Int(
                name,
                int(setting_domain.low),
                int(setting_domain.high),
                sampling="log" if setting_domain.log else "linear",
            )
        else:
            parameters.Float(
                name, setting_domain.low, setting_domain.high, sampling="log" if setting_domain.log else "linear"
            )
    return parameters


def to_settings(space: Space, values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert values of Keras Tuner to settings of the recipe, without extra values such as those of Hyperband."""
    settings: dict[str, Any] = {}
    for name, setting_domain in space.items():
        value = values[name]
        if isinstance(setting_domain, Choice):
            value = next(choice for choice in setting_domain.values if _encode_value(choice) == value)
        settings[name] = float(f"{value:.4g}") if isinstance(value, float) else value
    return settings


def to_keras_tuner_values(space: Space, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Convert settings of a recipe to values of Keras Tuner."""
    return {
        name: _encode_value(settings[name]) if isinstance(setting_domain, Choice) else settings[name]
        for name, setting_domain in space.items()
    }


def _is_categorical(choice: Choice) -> bool:
    """Whether a choice has values that are not numbers."""
    return not all(isinstance(value, int | float) and not isinstance(value, bool) for value in choice.values)


def _encode_value(value: Any) -> Any:
    """Keep a number, encode other values as JSON: Keras Tuner supports numbers and strings."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else json.dumps(value, default=str)
