"""A recipe: settings, data and model."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, Self

from tfkit.errors import UserError, did_you_mean
from tfkit.metadata import Metadata
from tfkit.search_space import domain


@dataclass(frozen=True, eq=False)
class Data:
    """What the `data` function of a recipe returns: the datasets, and everything that was fitted on them.

    Args:
        train, val, test: Datasets of preprocessed rows; `len(dataset)` and
            `dataset.take(indices) -> (x, y, sample_weight)`.
        metadata: What was inferred and fitted, a `Metadata`; a dictionary of its fields is accepted.
        preprocessor: Precomputed Keras layers, raw rows -> x. Applied once to each dataset; part of the saved model.
        postprocessor: Precomputed Keras layers, model outputs -> the units of the user. With a dictionary of inputs it
            gets the model outputs as `outputs`, and the other inputs by their name from x.
        augment: (x, y, sample_weight, seed) -> the same, on batches of the training rows; see `tfkit.fit`.
        auto_settings: Values of the settings that are "auto".
        refit_dataset: Rows that the model and the baselines are fitted on once more at the end, such as training and
            validation rows together if there are few; None: the model stays as validation selected it.
        calibrate: (model, data, reference=None) -> another postprocessor, computed when the model is trained, for
            example from its errors on the validation rows. After a refit it is called again, with the model of before
            as `reference`.
    """

    train: Any
    val: Any
    test: Any
    metadata: Metadata
    preprocessor: Any
    postprocessor: Any = None
    augment: Callable[..., Any] | None = None
    auto_settings: Mapping[str, Any] = field(default_factory=dict)
    refit_dataset: Any = None
    calibrate: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.metadata, Metadata):
            object.__setattr__(self, "metadata", Metadata.from_dict(self.metadata))

    def postprocessor_inputs(self, outputs: Any, x: Mapping[str, Any]) -> Any:
        """What the postprocessor takes: the model outputs, and the inputs x that it names."""
        names = self.postprocessor.input if isinstance(getattr(self.postprocessor, "input", None), dict) else None
        return outputs if names is None else {name: outputs if name == "outputs" else x[name] for name in names}

    def steps(self, config: Any) -> int:
        """The number of optimizer steps of the training."""
        return config.epochs * math.ceil(len(self.train) / config.effective_batch_size(len(self.train)))


class Reader(Protocol):
    """Reads rows for prediction and evaluation; every package of `tfkit.data` for a kind of data is one."""

    def read(self, source: Any, metadata: Any, *, with_targets: bool = False, with_columns: bool = False) -> Any:
        """Raw rows of a source, validated against the schema of training.

        Returns:
            A dictionary of arrays; with `with_targets` also the targets; with `with_columns` also a DataFrame of the
            columns that stand next to the predictions in a file.
        """


@dataclass(frozen=True, eq=False)
class Recipe:
    """Settings, data and model, and how the result is judged.

    Args:
        Config: The settings, a subclass of `tfkit.Config`.
        data: Function config -> `Data`.
        model: Function (config, data) -> a compiled `keras.Model` on preprocessed rows. Its outputs are what
            `data.postprocessor` takes: for tables logits `(rows, classes)`, or a scaled number `(rows, 1)`.
        reader: How `predict` and `evaluate` read raw rows: a package such as `tfkit.data.tabular`, or an object with
            the method `read` (see `Reader`) and, for large files, `stream(file, metadata)`.
        monitor: The metric that selects the best epoch.
        mode: Whether `monitor` is best at its "min" or "max"; None if tfkit knows it (`tfkit.metrics.direction`).
        baselines: Functions (train, test, metadata, seed=) -> predictions of the test rows.
        search_space: What `tune` searches: a list is a choice, a tuple a range, `tfkit.log_uniform(low, high)` a range
            on a logarithmic scale.
        name, path: Set by `tfkit.load_recipe`.
    """

    Config: type[Any]
    data: Callable[[Any], Data]
    model: Callable[[Any, Data], Any]
    reader: Reader | None = None
    monitor: str = "val_loss"
    mode: Literal["min", "max"] | None = None
    baselines: Sequence[Callable[..., Any]] = ()
    search_space: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    path: Path | None = None

    def __post_init__(self) -> None:
        if not hasattr(self.Config, "validate_setting"):
            raise UserError(
                f"The first argument of a recipe must be a subclass of tfkit.Config. Received: {self.Config!r}"
            )
        if self.mode not in ("min", "max", None):
            raise UserError(f"`mode` must be min or max: where `monitor` is best. Received: mode={self.mode!r}")
        for name, value in self.search_space.items():
            try:
                for end in domain(value).ends:
                    self.Config.validate_setting(name, end)
            except UserError as error:
                raise UserError(f"In the search space of `{name}`: {error}") from None

    def replace(self, **parts: Any) -> Self:
        """Replace parts of the recipe: `tfkit.load_recipe("tabular").replace(model=my_model)`."""
        names = [part.name for part in dataclasses.fields(self)]
        for name in parts:
            if name not in names:
                raise UserError(f"A recipe has no part `{name}`.{did_you_mean(name, names)} Parts: {', '.join(names)}.")
        if "path" not in parts:  # the file no longer describes this recipe
            parts["path"] = None
        return dataclasses.replace(self, **parts)
