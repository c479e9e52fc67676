"""Settings of a recipe: strings or values, validated and frozen."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tfkit.errors import UserError, did_you_mean
from tfkit.setting_types import SettingType

# Types of settings, also for recipe files: `num_layers: tfkit.PositiveInt = 3`.
PositiveInt = Annotated[int, Field(ge=1)]

NonNegativeInt = Annotated[int, Field(ge=0)]

Fraction = Annotated[float, Field(ge=0, lt=1)]

PositiveFraction = Annotated[float, Field(gt=0, lt=1)]

NonNegativeFloat = Annotated[float, Field(ge=0)]

PositiveFloat = Annotated[float, Field(gt=0)]

OptimizerName = Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "nadam", "adagrad", "lion"]

ScheduleName = Literal[
    "none", "exponential", "step", "cosine", "linear", "one_cycle", "polynomial", "inverse_square_root", "plateau"
]

LossName = Literal[
    "auto", "cross_entropy", "label_smoothing", "focal", "mse", "mae", "huber", "binary_cross_entropy", "binary_focal"
]

MetricName = Literal[
    "auto",
    "accuracy",
    "balanced_accuracy",
    "precision",
    "precision_macro",
    "precision_micro",
    "precision_weighted",
    "recall",
    "recall_macro",
    "recall_micro",
    "recall_weighted",
    "f1",
    "f1_macro",
    "f1_micro",
    "f1_weighted",
    "roc_auc",
    "average_precision",
    "log_loss",
    "expected_calibration_error",
    "exact_match",
    "hamming_loss",
    "label_ranking_average_precision",
    "lrap",
    "rmse",
    "root_mean_squared_error",
    "mae",
    "mean_absolute_error",
    "median_absolute_error",
    "r2",
    "mase",
    "smape",
    "standardized_mean_squared_error",
    "standardized_mean_absolute_error",
    "loss",
]

# Flags of the command line and keywords of `train` and `tune`: no setting may have the name of a flag.
FLAGS = {"out", "device", "resume", "stop_after_epoch", "ignore_versions", "quiet", "debug", "json", "config"}
FLAGS |= {"skip_test", "recipe", "report", "tensorboard", "checkpoint_minutes"}
FLAGS |= {"trials", "time_limit_minutes", "algorithm", "workers", "overwrite", "search", "objective", "finalists"}
FLAGS |= {"dask_address"}


class Config(BaseModel):
    """Settings that every recipe has; a recipe adds settings, or changes defaults, in a subclass.

    A recipe rejects combinations of settings in its method `validate_settings`, with a `UserError`, and lists in
    `sample_only_defaults` the settings that must be given when its sample is replaced.

    Example:
        >>> config = Config.from_dict({"epochs": "5", "learning_rate": "3e-4", "early_stopping_patience": "none"})
        >>> config.non_defaults()
        {'epochs': 5, 'learning_rate': 0.0003}
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    sample_only_defaults: ClassVar[dict[str, tuple[str, ...]]] = {}

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0  # random seed of splits, row order, initial weights and dropout
    split_seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None  # random seed of the splits; none: seed
    epochs: PositiveInt | Literal["auto"] = 50  # passes over the training rows
    batch_size: PositiveInt | Literal["all", "auto"] = 128  # rows per step; all: full-batch gradient descent
    optimizer: OptimizerName = "adam"  # optimizer
    learning_rate: PositiveFloat | Literal["auto"] = 1e-3  # step size before any schedule
    learning_rate_schedule: ScheduleName = "none"  # change of the learning rate during training
    weight_decay: NonNegativeFloat = 0.0  # decoupled weight decay of each step
    l1: NonNegativeFloat = 0.0  # L1 penalty of the weights
    l2: NonNegativeFloat = 0.0  # L2 penalty of the weights
    metric: MetricName = "auto"  # that runs are compared by; auto: accuracy, rmse, f1_micro or mase, by the task
    best_epoch_by: Literal["loss", "metric"] = "loss"  # whether validation loss or metric= chooses the best epoch
    global_clipnorm: PositiveFloat | None = None  # maximum norm of the gradient
    early_stopping_patience: int | None = None  # epochs without improvement before training stops
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"  # floating-point type of computations
    deterministic: bool = True  # whether the same seed gives bit-identical results

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Reject a subclass with a setting named like a flag, or an invalid default."""
        for name, field in cls.model_fields.items():
            if name in FLAGS:
                raise UserError(f"`{name}` is a flag of tfkit, so no setting can have that name: choose another name.")
            if not field.is_required():
                cls.validate_setting(name, field.get_default(call_default_factory=True))

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Self:
        """Validate settings, given as strings or Python values; the first invalid one is reported."""
        values = {name: cls.validate_setting(name, value) for name, value in settings.items()}
        for name, field in cls.model_fields.items():
            if field.is_required() and name not in values:
                raise UserError(f"`{name}` must be given: {cls._setting_type(name).describe()}. It has no default.")
        try:
            return cls(**values)
        except ValidationError as error:
            raise UserError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None

    @classmethod
    def validate_setting(cls, name: str, value: Any) -> Any:
        """The value of one setting, from a string or a value."""
        if name not in cls.model_fields:
            raise UserError(
                f"Unknown setting `{name}`.{did_you_mean(name, cls.model_fields)} "
                "`tfkit show RECIPE` lists all settings."
            )
        setting_type = cls._setting_type(name)
        try:
            return setting_type.value(value)
        except ValidationError:
            hint = did_you_mean(str(value), setting_type.choices())
            raise UserError(
                f"`{name}` must be {setting_type.describe()}.{hint} Received: {name}={_short(value)}"
            ) from None

    @classmethod
    def _setting_type(cls, name: str) -> SettingType:
        return SettingType(cls.model_fields[name].rebuild_annotation())

    def model_post_init(self, context: Any, /) -> None:
        for sample, names in self.sample_only_defaults.items():
            for name in names:
                if sample in self.model_fields_set and name not in self.model_fields_set:
                    raise UserError(
                        f"`{sample}=` replaces the sample, so `{name}=` must be given too: "
                        f"its default, {getattr(self, name)!r}, is for the sample only."
                    )
        if self.early_stopping_patience is not None and self.early_stopping_patience < 1:
            raise UserError(
                "`early_stopping_patience` must be an integer >= 1 (1 stops at the first epoch without improvement) or "
                f"none (all epochs). Received: early_stopping_patience={self.early_stopping_patience}"
            )
        if self.learning_rate_schedule == "plateau" and self.early_stopping_patience == 1:
            raise UserError(
                "learning_rate_schedule=plateau waits for epochs without improvement, and early_stopping_patience=1 "
                "stops at the first: use early_stopping_patience=2 or more, or none."
            )
        if self.learning_rate_schedule == "plateau" and getattr(self, "refit", None) is True:
            raise UserError("learning_rate_schedule=plateau needs validation rows, and refit=true leaves none.")
        if self.learning_rate != "auto" and self.weight_decay * self.learning_rate >= 1:
            raise UserError(
                "`weight_decay` times `learning_rate` is the fraction of each weight that a step removes, and must be "
                f"below 1. Received: weight_decay={self.weight_decay:g} learning_rate={self.learning_rate:g}"
            )
        self.validate_settings()

    def validate_settings(self) -> None:
        """Reject invalid combinations of settings; a recipe overrides this method."""

    @property
    def optimizer_settings(self) -> dict[str, Any]:
        """The arguments of `tfkit.make_optimizer`."""
        return {
            "name": self.optimizer,
            "learning_rate": self._resolved("learning_rate"),
            "decay": self.learning_rate_schedule,
            "weight_decay": self.weight_decay,
            "global_clipnorm": self.global_clipnorm,
        }

    @property
    def effective_split_seed(self) -> int:
        """The seed of the splits: `split_seed`, or `seed` if that is None."""
        return self.seed if self.split_seed is None else self.split_seed

    @property
    def plateau_patience(self) -> int:
        """Patience of the plateau schedule, in epochs: half of `early_stopping_patience`, or a tenth of all."""
        if self.early_stopping_patience is not None:
            return max(1, self.early_stopping_patience // 2)
        return max(1, self.epochs // 10) if isinstance(self.epochs, int) else 5

    def effective_batch_size(self, rows: int) -> int:
        """The batch size for a number of rows: never more than there are."""
        size = self._resolved("batch_size")
        return rows if size == "all" else min(size, rows)

    def resolve_auto(self, defaults: Mapping[str, Any]) -> Self:
        """Replace every "auto" by its value in `defaults`."""
        values = self.to_dict()
        for name in type(self).model_fields:
            if values[name] == "auto" and "auto" in self._setting_type(name).choices():
                if name == "metric" and name not in defaults:
                    continue  # a recipe with metrics of its own
                if defaults.get(name, "auto") == "auto":
                    raise UserError(f"`{name}=auto` needs a recipe with auto_settings for it: give {name} a value.")
                values[name] = defaults[name]
        return self.from_dict(values)

    @classmethod
    def default_numbers(cls, auto_settings: Mapping[str, Any]) -> dict[str, Any]:
        """The numbers that settings have by default for some data, to see which settings are far from them.

        Example:
            >>> Config.default_numbers({})["learning_rate"]
            0.001
        """
        defaults = {name: field.default for name, field in cls.model_fields.items() if not field.is_required()}
        values = {name: auto_settings.get(name) if value == "auto" else value for name, value in defaults.items()}
        return {name: value for name, value in values.items() if type(value) in (int, float)}

    def _resolved(self, name: str) -> Any:
        value = getattr(self, name)
        if value == "auto":
            raise UserError(f"`{name}` is still auto: call resolve_auto first, or give a value.")
        return value

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain JSON values: `Config.from_dict(config.to_dict()) == config`."""
        return self.model_dump(mode="json")

    def non_defaults(self) -> dict[str, Any]:
        """The settings that differ from their defaults, as plain JSON values."""
        values = self.to_dict()
        return {
            name: values[name]
            for name, field in type(self).model_fields.items()
            if field.is_required()
            or getattr(self, name) != self.validate_setting(name, field.get_default(call_default_factory=True))
        }


class SupervisedConfig(Config):
    """Settings of recipes that predict a class, a number or tags for each row; a recipe adds those of its data.

    Each "auto" needs a value in the `auto_settings` of the recipe.
    """

    task: Literal["auto", "classification", "regression", "multilabel"] = "auto"  # auto: by the target
    positive_class: str | None = None  # of two classes the one that precision, recall and F1 are of; none: the rarer
    label_normalization: Literal["none", "casefold"] = "none"  # casefold: join labels that differ in case or blanks
    test_data: Path | None = None  # separate test rows; none: a fraction of the data
    test_fraction: Fraction = 0.15  # fraction of the rows for the test split, without test_data
    val_fraction: Fraction = 0.15  # fraction of the rows for validation, which selects the best epoch
    group_column: str | None = None  # rows of one group, such as one patient, stay in one split
    balance_classes: bool = False  # give all classes the same total weight
    refit: bool | Literal["auto"] = "auto"  # train again on training and validation rows; auto: if rows are few
    loss: LossName = "auto"  # auto: cross_entropy (images: label_smoothing), mse or binary_cross_entropy, by the task
    epochs: PositiveInt | Literal["auto"] = "auto"
    batch_size: PositiveInt | Literal["all", "auto"] = "auto"
    learning_rate: PositiveFloat | Literal["auto"] = "auto"
    learning_rate_schedule: ScheduleName = "cosine"
    optimizer: OptimizerName = "adamw"
    weight_decay: NonNegativeFloat = 0.01


def _short(value: Any) -> str:
    """A value on one short line."""
    if hasattr(value, "shape"):
        return f"a {type(value).__name__} of shape {tuple(value.shape)}; write it to a file first, such as rows.parquet"
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:80]}..."


def read_settings(source: str | Path | Mapping[str, Any] | None) -> dict[str, Any]:
    """Settings from a JSON file such as a run's `config.json`, or from a mapping; none from None."""
    if source is None or isinstance(source, Mapping):
        return dict(source or {})
    try:
        settings = json.loads(Path(source).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"Settings must be in a JSON file. {source}: {error}") from None
    if not isinstance(settings, dict):
        raise UserError(f'Settings must be a JSON object, {{"epochs": 5}}. Received: {source}, which is not an object')
    return settings
