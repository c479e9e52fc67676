"""Training of a model in a few compiled calls per epoch, inside Keras' own `fit`.

Keras keeps the callbacks, the validation and the history. One function is replaced: instead of one batch per call, a
call gathers and trains on many, because most of the time of a small model is spent between its steps. The order of the
rows of an epoch is a permutation from (seed, epoch) alone, so that it is the same after a resume; the seeded `fit` of
Keras would repeat one order in every epoch.
"""

import functools
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.datasets.batch_predict import rows_per_call
from tfkit.training import keras_fit
from tfkit.training.compiled_steps import compile_steps, global_clipnorm_of, train_step_function
from tfkit.training.keras_fit import epoch_permutation
from tfkit.training.replicas import scope

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

SECONDS_PER_CALL = 0.25  # so that a progress bar moves several times per second

MAX_GROWTH_FACTOR = 8  # of the number of steps from one call to the next


def fit(
    model: "keras.Model",
    x: Any,
    y: Any = None,
    *,
    batch_size: int = 32,
    epochs: int = 1,
    validation_data: Any = None,
    sample_weight: Any = None,
    callbacks: "Sequence[keras.callbacks.Callback]" = (),
    seed: int = 0,
    augment: Callable[..., Any] | None = None,
    initial_epoch: int = 0,
    verbose: int | str = 0,
    fuse_steps: bool | None = None,
    position: "EpochPosition | None" = None,
    **options: Any,
) -> "keras.callbacks.History":
    """Train like Keras' `fit`, several times faster on small models.

    Callbacks, history and result are the same.

    Args:
        model: A compiled Keras model, with Keras' `train_step` or its own.
        x: Inputs `(rows, ...)`, a dictionary of them, or a dataset such as `tfkit.ArrayDataset`. Data without row
            indices (`tf.data.Dataset`, `keras.utils.PyDataset`, generators) is trained on by Keras' own loop.
        y: Targets, if `x` is not a dataset.
        batch_size: Rows of a step; the last batch of an epoch has the remaining rows.
        epochs: Passes over the rows.
        validation_data: As `x`, or `(x, y)` or `(x, y, sample_weight)`.
        sample_weight: Weight of each row, if `x` is not a dataset.
        callbacks: Callbacks of Keras. Batch callbacks are called once per call of many steps. As with Keras'
            `steps_per_execution`, they get the number of its first step when it begins and of its last when it ends.
        seed: Seed of the order of the rows.
        augment: `(x, y, weight, random) -> (x, y, weight)`, run on each training batch inside the compiled step.
            `random` is a seed of two numbers for TensorFlow's stateless functions. It differs from step to step;
            random numbers from it are the same after a resume.
        initial_epoch: The first epoch, if earlier ones are done.
        verbose: As in Keras.
        fuse_steps: Whether XLA fuses the steps of dense networks on a CPU: in trainings of 300,000 rows or more (rows
            times epochs), or if the model was compiled with `jit_compile=True`. The random masks are those of Keras in
            both cases. None: yes, unless the environment variable `TFKIT_FUSE_STEPS` is 0.
        position: Position in the training at which to start, kept up to date; for resuming.
        options: Other arguments of Keras' `fit`: `validation_split`, `class_weight`, `shuffle`, `validation_freq`,
            `validation_batch_size`; `steps_per_epoch` and `validation_steps`, with which Keras' own loop trains.

    Returns:
        Keras' `History`.

    Raises:
        ValueError: If the model is not compiled, or an argument is out of range.

    Example:
        >>> import keras, numpy as np, tfkit
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> history = tfkit.fit(model, np.zeros((100, 3)), np.zeros(100), epochs=2)
        >>> len(history.history["loss"])
        2
    """
    import keras
    import tensorflow as tf

    _validate(model, batch_size)
    arguments = keras_fit.FitArguments(x, y, sample_weight, validation_data, batch_size=batch_size, **options)
    shared: dict[str, Any] = {"epochs": epochs, "initial_epoch": initial_epoch, "verbose": verbose}
    if arguments.needs_keras_loop:
        own_arguments = {"augment": augment, "position": position}
        return arguments.fit_with_keras(
            model, seed=seed, own_arguments=own_arguments, callbacks=list(callbacks), **shared
        )
    train, val = arguments.training_rows(), arguments.validation_rows()
    with _own_functions(model), scope.replica_context(model) as context:
        runner = EpochRunner(
            model,
            train,
            batch_size=batch_size,
            epochs=epochs,
            seed=seed,
            augment=augment,
            fuse_steps=fuse_steps,
            position=position or EpochPosition(),
            context=context,
            shuffle=arguments.shuffle,
        )
        begin = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: runner.begin(epoch))
        params = {"verbose": verbose, "epochs": epochs, "steps": runner.steps, "model": model}
        model.train_function = runner.run
        model.test_function = _test_function(model, val, context, fuse_steps) if val is not None else None
        runner.compile()
        return model.fit(
            tf.data.Dataset.range(runner.steps),
            validation_data=tf.data.Dataset.range(1) if val is not None else None,
            callbacks=keras_fit.step_callbacks(runner, [begin, *callbacks], add_progbar=verbose != 0, **params),
            shuffle=False,
            validation_freq=arguments.validation_freq,
            **shared,
        )


def _validate(model: "keras.Model", batch_size: int) -> None:
    if not model.compiled:
        raise ValueError(
            "`model` must be compiled first: model.compile(optimizer, loss). A model that was loaded by "
            "tfkit.load_model is not; it only predicts."
        )
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received: {batch_size}")


@contextmanager
def _own_functions(model: "keras.Model") -> Iterator[None]:
    """Let Keras' `fit` call other functions in this block than those that it compiles."""
    steps_per_execution, model.steps_per_execution = model.steps_per_execution, 1  # Keras makes fewer calls otherwise
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Your input ran out of data")  # an epoch has fewer calls than steps
            warnings.filterwarnings("ignore", "The model does not have any trainable weights")  # they may be solved
            yield
    finally:  # the next plain `fit` makes its own
        model.train_function = model.test_function = None
        model.steps_per_execution = steps_per_execution


class EpochPosition:
    """Position in a training, to be saved and restored.

    Args:
        epoch: Index of the epoch.
        rows_done: Rows of its permutation that are done.

    `rows_done_before` is `rows_done` before the last call.
    """

    def __init__(self, epoch: int = 0, rows_done: int = 0):
        self.epoch, self.rows_done, self.rows_done_before = epoch, rows_done, rows_done


class EpochRunner:
    """Passes the permuted rows of each epoch to the compiled steps, many steps per call.

    Args:
        model: A compiled model.
        dataset: The training rows.
        batch_size: Rows of a step.
        epochs: Passes over the rows.
        seed: Seed of the order of the rows, and of the augmentation.
        augment: See `fit`.
        fuse_steps: See `fit`.
        position: Position in the training, kept up to date.
        context: The `ReplicaContext` of the training.
        shuffle: Whether the order of the rows is random.
    """

    def __init__(
        self,
        model: "keras.Model",
        dataset: Any,
        *,
        batch_size: int,
        epochs: int,
        seed: int,
        augment: Callable[..., Any] | None,
        fuse_steps: bool | None,
        position: EpochPosition,
        context: scope.ReplicaContext,
        shuffle: bool = True,
    ):
        self.shuffle = shuffle
        self.seed, self.position, self.rows = seed, position, len(dataset)
        self.batch_size = min(batch_size, self.rows)
        self.steps = -(-self.rows // self.batch_size)
        self.model, self.context = model, context
        self._make_step_function = functools.partial(
            train_step_function,
            model,
            context,
            dataset,
            self.batch_size,
            augment,
            seed,
            len(dataset) * epochs,
            fuse_steps,
        )
        self._run_steps: Callable[..., Any] | None = None
        self._clipnorm: float | None = None  # that of the compiled steps
        self.steps_per_call = 1  # of the next call
        self.permutation: np.ndarray = np.zeros(0, "int32")  # of the current epoch
        self._has_called = False  # in this epoch

    def compile(self) -> None:
        """Compile the steps before the first epoch, so that compiling is not part of a measured call."""
        optimizer = self.model.optimizer
        if optimizer is not None and self.model.built and not optimizer.built:
            with scope.scope(self.context.strategy):
                optimizer.build(self.model.trainable_variables)  # otherwise TensorFlow would trace twice
        self._clipnorm = global_clipnorm_of(optimizer)
        self._run_steps = self._make_step_function()

    def begin(self, epoch: int) -> None:
        """Permute the rows of the epoch; rows that were done before a resume are skipped."""
        if epoch != self.position.epoch:
            self.position.epoch, self.position.rows_done = epoch, 0
        self._has_called = False
        in_order: np.ndarray = np.arange(self.rows, dtype="int32")
        self.permutation = epoch_permutation(self.seed, epoch, self.rows) if self.shuffle else in_order

    def run(self, iterator: Any) -> Any:
        """One call of Keras' loop: train on the next rows of the permutation, and return the logs."""
        import tensorflow as tf

        start = self.position.rows_done
        if start >= self.rows:
            if self._has_called:
                raise StopIteration
            self._has_called = True
            return self.model.get_metrics_result()  # stopped between the last step and the end of its epoch
        self._has_called = True
        if self._run_steps is None or global_clipnorm_of(self.model.optimizer) != self._clipnorm:  # set by a callback
            self.compile()
        end = min(start + self.steps_per_call * self.batch_size, self.rows)
        end = self.context.end(start, end, self.batch_size)
        indices = tf.constant(self.permutation[start:end])
        rows_seen = tf.constant(self.position.epoch * self.rows + start, "int64")
        start_time = time.perf_counter()
        logs = self._run_steps(indices, rows_seen)  # type: ignore[misc]
        self.adapt_steps_per_call(self.context.mean_over_workers(time.perf_counter() - start_time))
        self.position.rows_done_before, self.position.rows_done = start, end
        return logs

    def adapt_steps_per_call(self, seconds: float) -> None:
        """Set the number of steps of the next call, which takes `SECONDS_PER_CALL`, from the seconds of the last call.

        The results do not depend on it.
        """
        target = int(self.steps_per_call * SECONDS_PER_CALL / max(seconds, 1e-6))
        self.steps_per_call = max(1, min(MAX_GROWTH_FACTOR * self.steps_per_call, self.steps, target))


def _test_function(
    model: "keras.Model", dataset: Any, context: scope.ReplicaContext, fuse_steps: bool | None
) -> "Callable[[Any], dict[str, tf.Tensor]]":
    """Create the function that Keras' `evaluate` calls: one call evaluates the complete dataset."""
    import tensorflow as tf

    x, _, _ = dataset.take(np.arange(1))
    batch_size, rows = rows_per_call(x), len(dataset)
    compiled = functools.cache(
        lambda: compile_steps(model, "test_step", context, dataset, batch_size, fuse_steps=fuse_steps)
    )
    indices = tf.range(rows, dtype="int32")
    end = context.end(0, rows, batch_size)

    def evaluate(iterator: Any) -> Any:
        next(iterator)
        run = compiled()
        logs = run(indices[:end], tf.constant(0, "int64"))
        return run(indices[end:], tf.constant(0, "int64")) if end < rows else logs

    return evaluate
