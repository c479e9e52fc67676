"""A recipe is three things: settings, data, model."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tfkit.errors import UserError, did_you_mean
from tfkit.search_space import domain


@dataclass(frozen=True, eq=False)
class Data:
    """What passes from a page's `data` to its `model`: the splits, and everything that was learnt from them.

    Args:
        train, val, test: splits of prepared rows; `len(split)` and `split.take(numbers) -> (x, y, weight)`.
        info: plain JSON; what was learnt, and what it is about (`task`, `inputs`, `target`, ...).
        prepare: told layers, raw rows -> x. Run once over each split; joined to the model at the end.
        restore: told layers, what the model says -> the user's units.
        augment: (x, y, weight, random) -> (x, y, weight), on batches taken from train; see `tfkit.fit`.
        defaults: what a setting that is "auto" becomes for this data.
        final: rows that the model, and the baselines, are fitted on once more at the end, such as training and
            validation rows together where rows are few; None: the model stays as validation has chosen it.
        calibrate: (model, data) -> another `restore`, made when the model is trained: what the validation rows say of
            its answers, such as how wide a band must be.
    """

    train: Any
    val: Any
    test: Any
    info: dict[str, Any]
    prepare: Any
    restore: Any = None
    augment: Callable[..., Any] | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    final: Any = None
    calibrate: Callable[..., Any] | None = None

    def steps(self, config: Any) -> int:
        """Optimizer steps of the whole training with these settings."""
        return config.epochs * math.ceil(len(self.train) / config.batch(len(self.train)))


@dataclass(frozen=True, eq=False)
class Recipe:
    """Settings, data and model of one task, and how its result is judged.

    Args:
        Config: the settings, a subclass of `tfkit.Config`.
        data: config -> `Data`.
        model: (config, data) -> a compiled `keras.Model` on prepared rows, whose answer is what `data.restore` takes:
            for tables logits `(rows, classes)`, no probabilities, or a scaled number `(rows, 1)`.
        read: (source, info) -> raw rows held against what was learnt; how `predict` and `evaluate` get theirs. With
            `target=True` also the truth, with `own=True` also what stands beside the answers in a file, a DataFrame. It
            may have an attribute `blocks`, (file, info) -> the same of a large file block by block, or None.
        monitor: the value that decides which epoch's weights are kept.
        mode: "min" or "max": where `monitor` is best; None where tfkit knows it (`tfkit.metrics.direction`).
        baselines: what the model must beat.
        search: where `tune` may look: a list is a choice, a tuple a range, `tfkit.log_uniform(low, high)` a
            range on a logarithmic scale.
    """

    Config: type[Any]
    data: Callable[[Any], Data]
    model: Callable[[Any, Data], Any]
    read: Callable[..., Any] | None = None
    monitor: str = "val_loss"
    mode: str | None = None
    baselines: Sequence[Callable[..., Any]] = ()
    search: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    page: Path | None = None

    def __post_init__(self) -> None:
        if not hasattr(self.Config, "checked"):
            raise UserError(f"The first part of a recipe is a subclass of tfkit.Config. Received: {self.Config!r}")
        if self.mode not in ("min", "max", None):
            raise UserError(f"`mode` says where `monitor` is best, min or max. Received: mode={self.mode!r}")
        for name, value in self.search.items():
            try:
                for end in domain(value).ends:
                    self.Config.checked(name, end)
            except UserError as error:
                raise UserError(f"In the search for `{name}`: {error}") from None

    def replace(self, **parts: Any) -> Self:
        """The same recipe with some of its parts swapped: `tfkit.load_recipe("tabular").replace(model=my_model)`."""
        names = [part.name for part in dataclasses.fields(self)]
        for name in parts:
            if name not in names:
                raise UserError(f"A recipe has no part `{name}`.{did_you_mean(name, names)} Parts: {', '.join(names)}.")
        if "page" not in parts:  # it is no longer what that file says
            parts["page"] = None
        return dataclasses.replace(self, **parts)
