"""Rows are read and prepared once for all trials that share the settings that `data` has read."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np

KEPT = 2


class Prepared:
    """A page's `data` that remembers: for settings that differ only in what it has not read, the same `Data` again.

    Of small tables no second fit on all rows is asked for: a trial's answer is its score on validation rows.

    Args:
        data: The page's function.

    Example:
        >>> import tfkit
        >>> from tfkit.config import Config
        >>> calls = []
        >>> data = Prepared(lambda config: calls.append(config.l2) or tfkit.Data(0, 0, 0, {}, None))
        >>> for rate, l2 in ((1, 0), (2, 0), (1, 3)):
        ...     found = data(Config.of({"learning_rate": rate, "l2": l2}))
        >>> calls
        [0.0, 3.0]
    """

    def __init__(self, data: Callable[[Any], Any]):
        self.data = data
        self._known: list[tuple[dict[str, Any], Any]] = []  # what was read of the settings, and what came of it

    def __call__(self, config: Any) -> Any:
        """The rows for these settings."""
        from dataclasses import replace

        settings = dict(config)
        for read, found in self._known:
            if all(settings[name] == value for name, value in read.items()):
                return found
        names: set[str] = set()
        before = _chance()
        found = replace(self.data(_watched(config, names)), final=None)
        if _chance() != before:  # it has drawn from the generator that the seed has set
            names.add("seed")
        self._known = [*self._known, ({name: settings[name] for name in names}, found)][-KEPT:]
        return found


def _watched(config: Any, names: set[str]) -> Any:
    """The same settings, which note every name that is read of them."""
    fields = set(type(config).model_fields)

    class Watched(type(config)):  # type: ignore[misc]
        def __getattribute__(self, name: str) -> Any:
            if name in fields:
                names.add(name)
            elif name in ("__dict__", "model_dump", "__iter__"):
                names.update(fields)
            return super().__getattribute__(name)

    found = Watched.model_construct(**dict(config))
    names.clear()  # of what was read in making it
    return found


def _chance() -> tuple[Any, ...]:
    """Where the generators of the process stand."""
    return random.getstate(), repr(np.random.get_state(legacy=False)["state"])
