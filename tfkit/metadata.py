"""Metadata of the data of a run: what was inferred and fitted, typed in Python, JSON on disk."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tfkit.errors import UserError

FORMAT_VERSION = 1


class Target(BaseModel):
    """What is predicted.

    Args:
        name: Name of the target column, or of several columns joined by spaces.
        task: Name of the task, a module of `tfkit.tasks`: classification, regression, multilabel, forecasting.
        classes: Names of the classes or tags, in the order of their codes; None for numbers.
        label_type: Type of the labels in the data and in predictions: string, integer, float or boolean.
        tag_delimiter: What separates the tags of a cell: `|`, `;`, `,`, or "list" for a list; None without tags.
        label_normalization: "casefold" if labels that differ only in case or blanks are one class, else "none".
        positive_class: Of two classes the one that precision, recall and F1 are of.
        mean, scale: A number is learned as `(y - mean) / scale`.
        quantile: The quantile that is predicted, in (0, 1); None for the mean.
        counts: Training rows of each class.
        number_format: How the cells of a numeric target are parsed, see `tfkit.data.columns.numbers`.
    """

    model_config = ConfigDict(extra="forbid")

    name: str = "target"
    task: str = "regression"
    classes: list[str] | None = None
    label_type: Literal["string", "integer", "float", "boolean"] = "string"
    label_normalization: Literal["none", "casefold"] = "none"
    tag_delimiter: Literal["|", ";", ",", "list"] | None = None
    positive_class: str | None = None
    mean: float = 0.0
    scale: float = 1.0
    quantile: float | None = None
    counts: dict[str, int] | None = None
    number_format: dict[str, Any] = Field(default_factory=dict)

    @property
    def labels(self) -> list[Any]:
        """The classes in the type of the labels of the user.

        Example:
            >>> Target(classes=["0", "1"], label_type="integer").labels
            [0, 1]
        """
        converters: dict[str, Any] = {"integer": int, "float": float, "boolean": "True".__eq__}
        convert = converters.get(self.label_type, str)
        return [convert(name) for name in self.classes or ()]

    @property
    def is_binary(self) -> bool:
        """Whether there are two classes."""
        return self.classes is not None and len(self.classes) == 2

    @property
    def positive_code(self) -> int | None:
        """The code of the positive class of a binary target, else None."""
        if self.classes is None or len(self.classes) != 2 or self.positive_class is None:
            return None
        return self.classes.index(self.positive_class)


class Metadata(BaseModel):
    """What was inferred from the data and fitted on the training rows; one subclass for each kind of data.

    A recipe with data of its own uses this class, and may add attributes.

    Args:
        kind: Kind of input, a package of `tfkit.data`, or "custom".
        target: What is predicted.
        inputs: The inputs of the saved model by name: `dtype`, `shape`, `column`, ...
        notes: What was done to rows and columns, one sentence each, for terminal and report.
        read_options: `delimiter`, `encoding`, `na_values` and others, with which later files are read.
        columns: Type (`kind`) and `treatment` of each column.
        metric: The metric that runs are compared by; "" for the default of the task.
        block_length: Consecutive test rows that depend on each other, such as overlapping windows; see the bootstrap.

    Example:
        >>> metadata = Metadata(target=Target(task="classification", classes=["no", "yes"]))
        >>> metadata.task, metadata.target.is_binary, Metadata.from_dict(metadata.to_dict()) == metadata
        ('classification', True, True)
    """

    model_config = ConfigDict(extra="allow")

    KIND: ClassVar[str] = "custom"
    ANALYSES: ClassVar[tuple[str, ...]] = ()  # of `tfkit.analysis`, for the report of a run with this kind of input
    _classes: ClassVar[dict[str, type["Metadata"]]] = {}

    kind: str = "custom"
    target: Target = Field(default_factory=Target)
    inputs: dict[str, dict[str, Any]] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    read_options: dict[str, Any] = Field(default_factory=dict)
    columns: dict[str, dict[str, Any]] = Field(default_factory=dict)
    metric: str = ""
    block_length: int = 1

    if TYPE_CHECKING:  # fields of the kinds of data

        def __getattr__(self, name: str) -> Any: ...

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        cls._classes[cls.KIND] = cls

    @property
    def task(self) -> str:
        """Name of the task, a module of `tfkit.tasks`."""
        return self.target.task

    def describe(self) -> list[str]:
        """Sentences about the data for the report; a kind of data adds its own."""
        return []

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, with the version of the format."""
        return {"format": FORMAT_VERSION, **self.model_dump(mode="json")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Metadata":
        """Metadata of the kind that the values name; see `tfkit.data.load_metadata`.

        Raises:
            UserError: If a value is missing or has another type, or the format is of another version.
        """
        content = dict(values)
        if content.pop("format", FORMAT_VERSION) != FORMAT_VERSION:
            raise UserError(
                f"The metadata of a run must have format {FORMAT_VERSION}; use the version of tfkit that wrote it. "
                f"Received: format {values['format']}"
            )
        try:
            return cls._classes.get(str(content.get("kind")), cls)(**content)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"]))
            raise UserError(f"The metadata of a run must be complete. Received: {where}: {problem['msg']}") from None
