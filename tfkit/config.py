"""Settings are words until they are checked; after that they are frozen values that repeat a run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tfkit.errors import UserError, did_you_mean
from tfkit.setting_types import SettingType

# The types that settings are made of, for pages too: `depth: tfkit.PositiveInt = 3`.
PositiveInt = Annotated[int, Field(ge=1)]

NonNegativeInt = Annotated[int, Field(ge=0)]

Fraction = Annotated[float, Field(ge=0, lt=1)]

NonNegativeFloat = Annotated[float, Field(ge=0)]

PositiveFloat = Annotated[float, Field(gt=0)]

OptimizerName = Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "nadam", "adagrad", "lion"]

ScheduleName = Literal[
    "none", "exponential", "step", "cosine", "linear", "one_cycle", "polynomial", "inverse_square_root", "plateau"
]

# Flags say where and how much, settings say what: no setting may have the name of a flag.
FLAGS = {"out", "device", "resume", "stop_after_epoch", "ignore_versions", "quiet", "debug", "json", "config"}
FLAGS |= {"skip_test", "recipe", "report", "tensorboard", "checkpoint_minutes"}
FLAGS |= {"trials", "time_limit_minutes", "algorithm", "workers", "overwrite", "search", "objective", "finalists"}
FLAGS |= {"dask_address"}


class Config(BaseModel):
    """The settings that every recipe has; a page adds its own, or another default, by subclassing it.

    A page refuses settings that do not go together in a method `validate_settings(self)`, with a `UserError`, and names in
    `sample_only_defaults` what must be given when its sample is replaced.

    Example:
        >>> config = Config.from_dict({"epochs": "5", "learning_rate": "3e-4", "early_stopping_patience": "none"})
        >>> config.non_defaults()
        {'epochs': 5, 'learning_rate': 0.0003}
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    sample_only_defaults: ClassVar[dict[str, tuple[str, ...]]] = {}

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0  # of the splits, the order of rows, the first weights, dropout
    split_seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None  # of the splits alone; none: seed
    epochs: PositiveInt | Literal["auto"] = 50  # how often the training rows are seen
    batch_size: PositiveInt | Literal["all", "auto"] = 128  # rows per step; all: gradient descent proper
    optimizer: OptimizerName = "adam"  # the rule that takes the steps
    learning_rate: PositiveFloat | Literal["auto"] = 1e-3  # the size of a step, before any decay
    learning_rate_schedule: ScheduleName = "none"  # how it shrinks
    weight_decay: NonNegativeFloat = 0.0  # shrinks the weights at every step, apart from the loss
    l1: NonNegativeFloat = 0.0  # times the sum of absolute weights, added to the loss
    l2: NonNegativeFloat = 0.0  # times the sum of squared weights, added to the loss
    global_clipnorm: PositiveFloat | None = None  # no step's gradient is longer than this
    early_stopping_patience: int | None = (
        None  # epochs without improvement before it stops; the best weights are kept anyway
    )
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"  # of the arithmetic
    deterministic: bool = True  # the same seed gives the same bits

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a page's settings when it is loaded: one named like a flag, or a default that is not allowed."""
        for name, field in cls.model_fields.items():
            if name in FLAGS:
                raise UserError(f"`{name}` is a flag of tfkit, so no setting can have that name: choose another.")
            if not field.is_required():
                cls.validate_setting(name, field.get_default(call_default_factory=True))

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Self:
        """Check settings, given as words from the shell or as Python values; the first that is wrong is said."""
        values = {name: cls.validate_setting(name, word) for name, word in settings.items()}
        for name, field in cls.model_fields.items():
            if field.is_required() and name not in values:
                raise UserError(f"`{name}` must be given: {cls._kind(name).rule()}. It has no default.")
        try:
            return cls(**values)
        except ValidationError as error:
            raise UserError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None

    @classmethod
    def validate_setting(cls, name: str, word: Any) -> Any:
        """The value of one setting, from a word or a value of it."""
        if name not in cls.model_fields:
            raise UserError(
                f"Unknown setting `{name}`.{did_you_mean(name, cls.model_fields)} "
                f"Settings: {', '.join(cls.model_fields)}."
            )
        kind = cls._kind(name)
        try:
            return kind.value(word)
        except ValidationError:
            hint = did_you_mean(str(word), kind.choices())
            raise UserError(f"`{name}` must be {kind.rule()}.{hint} Received: {name}={_short(word)}") from None

    @classmethod
    def _kind(cls, name: str) -> SettingType:
        return SettingType(cls.model_fields[name].rebuild_annotation())

    def model_post_init(self, context: Any, /) -> None:
        for sample, fits in self.sample_only_defaults.items():
            for name in fits:
                if sample in self.model_fields_set and name not in self.model_fields_set:
                    raise UserError(
                        f"`{sample}=` replaces the sample, so `{name}=` must be given too: "
                        f"its default, {getattr(self, name)!r}, fits the sample only."
                    )
        if self.early_stopping_patience is not None and self.early_stopping_patience < 1:
            raise UserError(
                "`early_stopping_patience` must be an integer >= 1 (1 stops at the first epoch that is no better) or none "
                f"(run to the end). Received: early_stopping_patience={self.early_stopping_patience}"
            )
        if self.learning_rate_schedule == "plateau" and self.early_stopping_patience == 1:
            raise UserError(
                "learning_rate_decay=plateau waits for epochs without improvement, and early_stopping_patience=1 stops at the first: "
                "give early_stopping_patience=2 or more, or none."
            )
        if self.learning_rate != "auto" and self.weight_decay * self.learning_rate >= 1:
            raise UserError(
                "`weight_decay` times `learning_rate` is the share of each weight that a step takes away, and must be "
                f"below 1. Received: weight_decay={self.weight_decay:g} learning_rate={self.learning_rate:g}"
            )
        self.validate_settings()

    def validate_settings(self) -> None:
        """Refuse settings that do not go together. A page writes its own; this one has nothing to say."""

    @property
    def optimizer_settings(self) -> dict[str, Any]:
        """What makes the optimizer, as a plain dictionary."""
        return {
            "name": self.optimizer,
            "learning_rate": self._known("learning_rate"),
            "decay": self.learning_rate_schedule,
            "weight_decay": self.weight_decay,
            "global_clipnorm": self.global_clipnorm,
        }

    @property
    def effective_split_seed(self) -> int:
        """What rows are split by: the same for every `seed`, where `split_seed` is given."""
        return self.seed if self.split_seed is None else self.split_seed

    @property
    def plateau_patience(self) -> int:
        """Epochs without improvement before the plateau decay acts: half of `early_stopping_patience`, or a tenth of all epochs."""
        if self.early_stopping_patience is not None:
            return max(1, self.early_stopping_patience // 2)
        return max(1, self.epochs // 10) if isinstance(self.epochs, int) else 5

    def effective_batch_size(self, rows: int) -> int:
        """Rows in a batch when there are so many rows: never more than there are."""
        size = self._known("batch_size")
        return rows if size == "all" else min(size, rows)

    def resolve_auto(self, defaults: Mapping[str, Any]) -> Self:
        """The same settings with every "auto" replaced by its value in `defaults`, which the data knows."""
        words = self.to_dict()
        for name in type(self).model_fields:
            if words[name] == "auto" and "auto" in self._kind(name).choices():
                if defaults.get(name, "auto") == "auto":
                    raise UserError(f"`{name}=auto` needs a page whose data says what suits it: give {name} a value.")
                words[name] = defaults[name]
        return self.from_dict(words)

    def _known(self, name: str) -> Any:
        value = getattr(self, name)
        if value == "auto":
            raise UserError(f"`{name}` is still auto: settle the settings with the data's defaults, or give a value.")
        return value

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain JSON values: `Config.from_dict(config.to_dict()) == config`."""
        return self.model_dump(mode="json")

    def non_defaults(self) -> dict[str, Any]:
        """The settings that differ from their defaults, as plain JSON values."""
        words = self.to_dict()
        return {
            name: words[name]
            for name, field in type(self).model_fields.items()
            if field.is_required()
            or getattr(self, name) != self.validate_setting(name, field.get_default(call_default_factory=True))
        }


def _short(word: Any) -> str:
    """A value as it was given, on one line that can be read."""
    said = " ".join(repr(word).split())
    return said if len(said) <= 80 else f"{said[:80]}..."


def read_settings(source: str | Path | Mapping[str, Any] | None) -> dict[str, Any]:
    """Settings from a JSON file such as a run's `config.json`, or from a mapping; none from None."""
    if source is None or isinstance(source, Mapping):
        return dict(source or {})
    try:
        settings = json.loads(Path(source).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"Settings are read from a JSON file. {source}: {error}") from None
    if not isinstance(settings, dict):
        raise UserError(f'Settings are a JSON object, {{"epochs": 5}}. {source} holds something else.')
    return settings
