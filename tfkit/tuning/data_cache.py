"""Cache of the loaded and preprocessed data, shared by trials that have the same data settings."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from tfkit.recipe import Data

MAX_CACHED_DATASETS = 2


class DataCache:
    """Recipe `data` function with a cache: the same `Data` if only settings that it does not read differ.

    The refit on all rows, which is made for small tables, is left out: trials are ranked by validation scores.

    Args:
        data: The function of the recipe.

    Example:
        >>> import tfkit
        >>> from tfkit.config import Config
        >>> calls = []
        >>> data = DataCache(lambda config: calls.append(config.l2) or tfkit.Data(0, 0, 0, {}, None))
        >>> for learning_rate, l2 in ((1, 0), (2, 0), (1, 3)):
        ...     result = data(Config.from_dict({"learning_rate": learning_rate, "l2": l2}))
        >>> calls
        [0.0, 3.0]
    """

    def __init__(self, data: Callable[[Any], Data]):
        self.data = data
        self._cache: list[tuple[dict[str, Any], Data]] = []  # pairs of the settings that were read, and the result

    def __call__(self, config: Any) -> Data:
        """Return the data for these settings."""
        from dataclasses import replace

        settings = dict(config)
        for read_settings, data in self._cache:
            if all(settings[name] == value for name, value in read_settings.items()):
                return data
        names: set[str] = set()
        state_before = _random_state()
        data = replace(self.data(_recording_config(config, names)), refit_dataset=None)
        if _random_state() != state_before:  # it used the global random generator, which the seed initializes
            names.add("seed")
        self._cache = [*self._cache, ({name: settings[name] for name in names}, data)][-MAX_CACHED_DATASETS:]
        return data


def _recording_config(config: Any, names: set[str]) -> Any:
    """Copy the settings into an object that adds the name of every setting that is read to `names`."""
    fields = set(type(config).model_fields)

    class RecordingConfig(type(config)):  # type: ignore[misc]
        def __getattribute__(self, name: str) -> Any:
            if name in fields:
                names.add(name)
            elif name in ("__dict__", "model_dump", "__iter__"):
                names.update(fields)
            return super().__getattribute__(name)

    recording = RecordingConfig.model_construct(**dict(config))
    names.clear()  # its construction reads settings too
    return recording


def _random_state() -> tuple[Any, ...]:
    """State of the global random generators of Python and NumPy."""
    return random.getstate(), repr(np.random.get_state(legacy=False)["state"])
