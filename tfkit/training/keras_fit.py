"""Arguments of Keras' `fit`, and Keras' own loop where compiled epochs cannot train: data without row indices."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.datasets.array import ArrayDataset
from tfkit.training.replicas import scope

if TYPE_CHECKING:
    import keras


@dataclass
class FitArguments:
    """Data arguments of `tfkit.fit`, with the names and the meaning of Keras' `fit`.

    Args:
        x, y, sample_weight, validation_data: As in `tfkit.fit`.
        batch_size: Rows of a step.
        validation_split: Fraction of the rows, the last ones, that are validation rows if there is no validation_data.
        class_weight: Class index -> weight of its rows in the loss; an absent class has weight 1.
        steps_per_epoch, validation_steps: Number of batches; None for all.
        validation_batch_size: Rows of a validation step. The scores do not depend on it.
        validation_freq: Validation every so many epochs, or the epochs with validation.
        shuffle: Whether the order of the rows is random in each epoch.
    """

    x: Any
    y: Any = None
    sample_weight: Any = None
    validation_data: Any = None
    batch_size: int = 32
    validation_split: float = 0.0
    class_weight: Mapping[int, float] | None = None
    steps_per_epoch: int | None = None
    validation_steps: int | None = None
    validation_batch_size: int | None = None
    validation_freq: Any = 1
    shuffle: bool = True

    def __post_init__(self) -> None:
        if self.class_weight is not None and self.sample_weight is not None:
            raise ValueError(
                "`class_weight` and `sample_weight` must not be used together; multiply the weights of the rows by "
                "those of their classes. Received: both"
            )
        if self.validation_split and self.validation_data is None:
            self._split()

    def _split(self) -> None:
        """Use the last rows as validation rows, as Keras does: before shuffling, and with their sample weights."""
        import keras

        arrays = self.x, self.y, self.sample_weight
        if is_stream(self.x) or _is_dataset(self.x):
            raise ValueError(
                "`validation_split` needs arrays; give validation_data. "
                f"Received: validation_split={self.validation_split}, x of type {type(self.x).__name__}"
            )
        rows = len(keras.tree.flatten(self.x)[0])
        start = math.floor(rows * (1.0 - self.validation_split))
        if not 0 < start < rows:
            raise ValueError(
                "`validation_split` must leave rows for training and for validation. "
                f"Received: validation_split={self.validation_split}, {rows} rows"
            )
        self.x, self.y, self.sample_weight = _map_rows(lambda rows: rows[:start], arrays)
        self.validation_data = _map_rows(lambda rows: rows[start:], arrays)

    @property
    def needs_keras_loop(self) -> bool:
        """Whether rows cannot be taken by index, or a number of steps is set."""
        has_steps = self.steps_per_epoch is not None or self.validation_steps is not None
        return has_steps or is_stream(self.x) or is_stream(self.validation_data)

    def training_rows(self) -> Any:
        """Training rows, by index; class weights are weights of rows."""
        weight = self.sample_weight
        if self.class_weight is not None:
            if _is_dataset(self.x):
                raise ValueError(
                    "`class_weight` needs arrays; give the dataset sample weights. "
                    f"Received: x of type {type(self.x).__name__}"
                )
            weight = class_weights_of_rows(self.y, self.class_weight)
        return _to_dataset(self.x, self.y, weight)

    def validation_rows(self) -> Any:
        """Validation rows, by index; None without validation."""
        data = self.validation_data
        return _to_dataset(*data) if isinstance(data, tuple | list) else data if data is None else _to_dataset(data)

    def fit_with_keras(
        self, model: "keras.Model", *, seed: int, own_arguments: Mapping[str, Any], **options: Any
    ) -> "keras.callbacks.History":
        """Train by Keras' own loop.

        Args:
            model: A compiled model.
            seed: Seed of the order of rows that are arrays.
            own_arguments: Arguments of `tfkit.fit` that this loop does not have; they must be None.
            options: Other arguments of Keras' `fit`.
        """
        for name, value in own_arguments.items():
            if value is not None:
                raise ValueError(
                    f"`{name}` needs rows by index and whole epochs: arrays or a dataset such as tfkit.ArrayDataset, "
                    f"without steps_per_epoch and validation_steps. Received: x of type {type(self.x).__name__}"
                )
        import keras

        if scope.strategy_of(model) is not None:
            raise ValueError(
                "On several replicas the rows must be taken by index: arrays or a dataset such as tfkit.ArrayDataset. "
                f"Received: x of type {type(self.x).__name__}"
            )
        x, y, class_weight, steps_per_epoch = self.x, self.y, self.class_weight, self.steps_per_epoch
        if is_stream(x):
            options |= {"sample_weight": self.sample_weight}
        else:
            y = class_weight = None  # both are in the batches
            rows = self.training_rows()
            steps_per_epoch = steps_per_epoch or -(-len(rows) // self.batch_size)
            x = _batches(rows, self.batch_size, seed if self.shuffle else None, options.get("initial_epoch", 0))
        return model.fit(
            x,
            y,
            class_weight=None if class_weight is None else dict(class_weight),
            validation_data=self._validation_batches(),
            steps_per_epoch=steps_per_epoch,
            validation_steps=self.validation_steps,
            validation_freq=self.validation_freq,
            shuffle=self.shuffle and isinstance(x, keras.utils.PyDataset),  # other streams have an order
            **options,
        )

    def _validation_batches(self) -> Any:
        """Validation rows for Keras' loop."""
        import tensorflow as tf

        if self.validation_data is None or is_stream(self.validation_data):
            return self.validation_data
        rows, batch_size = self.validation_rows(), self.validation_batch_size or self.batch_size
        indices = tf.data.Dataset.range(len(rows)).batch(batch_size)
        return indices.map(lambda batch: _packed(rows.take(tf.cast(batch, "int32"))))


def is_stream(data: Any) -> bool:
    """Whether data yields batches and its rows cannot be taken by index: tf.data, PyDataset, a generator, a loader."""
    import keras
    import tensorflow as tf

    if isinstance(data, tf.data.Dataset | keras.utils.PyDataset | Iterator):
        return True
    is_array = data is None or hasattr(data, "shape") or isinstance(data, Mapping | list | tuple)
    return not is_array and not hasattr(data, "take")


def class_weights_of_rows(y: Any, class_weight: Mapping[int, float]) -> np.ndarray:
    """The weight of each row `(rows,)` by its class; as in Keras, an absent class has weight 1.

    Args:
        y: Class indices `(rows,)` or `(rows, 1)`, or one-hot classes `(rows, classes)`.
        class_weight: Class index -> weight.

    Example:
        >>> class_weights_of_rows(np.array([0, 1, 2]), {1: 5.0}).tolist()
        [1.0, 5.0, 1.0]
    """
    classes = np.asarray(y) if not isinstance(y, Mapping | list | tuple) else None
    if classes is None or classes.ndim > 2:
        raise ValueError("`class_weight` needs one array of targets (rows,) or (rows, classes). Received: another form")
    one_hot = classes.ndim == 2 and classes.shape[1] > 1
    codes = classes.argmax(axis=1) if one_hot else np.round(classes.reshape(len(classes))).astype("int64")
    distinct, inverse = np.unique(codes, return_inverse=True)
    return np.array([class_weight.get(int(code), 1.0) for code in distinct], "float32")[inverse]


def epoch_permutation(seed: int, epoch: int, rows: int) -> np.ndarray:
    """The order of the rows of an epoch, a function of seed and epoch alone."""
    return np.random.default_rng((seed, epoch)).permutation(rows).astype("int32")


def pack_as_keras(step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Call a custom step with what Keras' `fit` passes: `x`, `(x, y)` or `(x, y, sample_weight)`.

    A step that unpacks three values of `(x, y)`, which Keras would refuse, gets None as its third.
    """

    def packed_step(data: Any) -> Any:
        x, y, weight = data
        if weight is not None:
            return step(data)
        if y is None:
            return step((x,) if isinstance(x, tuple | list) else x)
        try:
            return step((x, y))
        except ValueError as error:
            if "not enough values to unpack (expected 3" not in str(error):
                raise
        return step(data)

    return packed_step


def _is_dataset(data: Any) -> bool:
    return hasattr(data, "take") and hasattr(data, "raw_inputs")


def _to_dataset(x: Any, y: Any = None, weight: Any = None) -> Any:
    """The dataset itself, or arrays as a dataset."""
    is_dataset = hasattr(x, "take") and not hasattr(x, "shape")
    return x if is_dataset else ArrayDataset(x, y, weight)


def _map_rows(function: Callable[[Any], Any], arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    import keras

    return tuple(None if array is None else keras.tree.map_structure(function, array) for array in arrays)


def _packed(rows: tuple[Any, Any, Any]) -> Any:
    """The values of `take` as Keras' `fit` takes them."""
    x, y, weight = rows
    return (x, y, weight) if weight is not None else (x,) if y is None else (x, y)


def _batches(dataset: Any, batch_size: int, seed: int | None, epoch: int) -> Iterator[Any]:
    """Batches without end, in the order of the compiled epochs; without a seed in the order of the rows."""
    rows = len(dataset)
    for number in itertools.count(epoch):
        order = np.arange(rows, dtype="int32") if seed is None else epoch_permutation(seed, number, rows)
        for start in range(0, rows, batch_size):
            yield _packed(dataset.take(order[start : start + batch_size]))


def step_callbacks(
    runner: Any, callbacks: "list[keras.callbacks.Callback]", **options: Any
) -> "keras.callbacks.CallbackList":
    """Create Keras' list of callbacks, with the number of the step instead of the number of the call."""
    import keras

    class StepCallbackList(keras.callbacks.CallbackList):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if runner.position.rows_done < runner.rows:  # Keras makes another call at the end of an epoch
                super().on_train_batch_begin(runner.position.rows_done // runner.batch_size, logs)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            super().on_train_batch_end(-(-runner.position.rows_done // runner.batch_size) - 1, logs)

    return StepCallbackList(callbacks, add_history=True, **options)
