"""The stages of fitting: with validation, and once more on all rows where rows are few."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tfkit.atomic_files import write_json
from tfkit.errors import NotFiniteError, UserError, first_line
from tfkit.evaluation.scoring import compute_metrics
from tfkit.recipe import Data, Recipe
from tfkit.run_dir import RunDir
from tfkit.tasks.primary_metric import primary_metric
from tfkit.training.batch_rows import recent_batch_rows

if TYPE_CHECKING:
    import keras

    from tfkit.training.checkpoint import Checkpoint

MAX_ROLLBACKS = 3
SAMPLE_ROWS = 256  # on which the gradient norm of each epoch is measured


def fit_with_validation(
    recipe: Recipe,
    run: RunDir,
    config: Any,
    data: Data,
    model: "keras.Model",
    *,
    quiet: bool,
    stop_after_epoch: int | None = None,
) -> list[dict[str, float]]:
    """Train with validation after every epoch; the weights of the best epoch are restored.

    Returns:
        The history: a dictionary for each epoch.
    """
    import keras

    from tfkit import callbacks
    from tfkit.training.validation_metric import ValidationMetric

    monitor, mode, callback_list = recipe.monitor, monitor_mode(recipe), []
    if config.best_epoch_by == "metric":
        metric, mode = primary_metric(data.metadata)
        monitor = f"val_{metric}"
        callback_list.append(ValidationMetric(monitor, lambda: _validation_score(model, data, metric)))
    early_stopping = callbacks.EarlyStopping(monitor, mode=mode, patience=config.early_stopping_patience)
    # a custom train_step may use several optimizers and losses, so it has no single gradient
    has_custom_step = type(model).train_step is not keras.Model.train_step
    sample = None if has_custom_step else _sample_batch(config, data)
    logger = callbacks.JSONLogger(run.path("history.jsonl"), rows=len(data.train), sample=sample)
    callback_list += [early_stopping, logger]
    if run.provenance.get("tensorboard"):
        from tfkit.training.tensorboard import TensorBoardLogger

        callback_list.append(TensorBoardLogger(run, logger))
    if config.learning_rate_schedule == "plateau":
        callback_list.append(callbacks.LearningRateDecay(monitor, mode=mode, patience=config.plateau_patience))
    stage = _Stage(run, "checkpoints", config, data, model)
    checkpoint = stage.fit(
        callback_list,
        config.epochs,
        progress_metric=None if quiet else monitor,
        stop_after_epoch=stop_after_epoch,
        validation_data=data.val,
    )
    if data.refit_dataset is not None:  # the refit may be interrupted too
        checkpoint.save()
    if early_stopping.best_epoch is None:
        raise NotFiniteError(
            f"{monitor} was never a finite number, so there is no best epoch. "
            "Lower learning_rate to a tenth, or set global_clipnorm=1."
        )
    run.update_provenance(best_epoch=early_stopping.best_epoch + 1)
    return logger.lines


def _validation_score(model: "keras.Model", data: Data, metric: str) -> float:
    """Compute a metric of the validation rows."""
    from tfkit.training.evaluate import predict_dataset

    return float(compute_metrics(*predict_dataset(data.val, model, data), data.metadata)[metric])


def monitor_mode(recipe: Recipe) -> Literal["min", "max"]:
    """Whether the monitor of a recipe is best at its "min" or "max"."""
    from tfkit.metrics import direction

    mode = recipe.mode or direction(recipe.monitor)
    if mode is None:
        raise UserError(
            "A recipe must say where its monitor is best, mode='min' or mode='max', if tfkit does not know the "
            f"metric. Received: monitor={recipe.monitor!r}"
        )
    return mode


def refit_on_all(recipe: Recipe, run: RunDir, config: Any, data: Data, *, quiet: bool) -> "keras.Model":
    """Train the model again from its initial weights, on training and validation rows together.

    There is no validation, so training ends with the last epoch or, with early stopping, with the epoch that validation
    chose.
    """
    from tfkit.training import devices, seeding

    seeding.seed_everything(seed=config.seed, deterministic=config.deterministic)
    with seeding.precision_policy(config.precision), devices.strategy_scope():
        model = recipe.model(config, data)
    epochs = config.epochs if config.early_stopping_patience is None else run.provenance["best_epoch"]
    _Stage(run, "checkpoints-refit", config, data, model).fit([], epochs, progress_metric=None if quiet else "loss")
    return model


class _Stage:
    """Compiled epochs with checkpoints in a folder of the run; continues from a checkpoint that is there."""

    def __init__(self, run: RunDir, folder: str, config: Any, data: Data, model: "keras.Model"):
        self.run, self.folder, self.config, self.data, self.model = run, folder, config, data, model

    def fit(
        self,
        callback_list: list[Any],
        epochs: int,
        *,
        progress_metric: str | None,
        stop_after_epoch: int | None = None,
        **validation: Any,
    ) -> "Checkpoint":
        """Train to the last epoch; returns the `Checkpoint` callback."""
        from tfkit.training import fit as training_fit
        from tfkit.training.checkpoint import Checkpoint, stopping
        from tfkit.training.progress_bar import Progress

        run, data, position = self.run, self.data, training_fit.EpochPosition()
        batch_size = self.config.effective_batch_size(len(data.train))
        callback_list = [self._nan_guard(position, batch_size), *callback_list]
        interval = run.provenance.get("checkpoint_minutes")
        checkpoint = Checkpoint(run.path(self.folder), position, callback_list, stop_after_epoch, interval)
        checkpoint.restore(self.model)
        if progress_metric is not None:
            bars = [Progress(epochs, progress_metric, lambda: position.rows_done / len(data.train))]
        else:
            bars = []
        try:
            with stopping(checkpoint), _report_out_of_memory(batch_size):
                training_fit.fit(
                    self.model,
                    data.train,
                    batch_size=batch_size,
                    epochs=epochs,
                    callbacks=[*callback_list, *bars, checkpoint],
                    seed=self.config.seed,
                    augment=data.augment,
                    initial_epoch=position.epoch,
                    position=position,
                    **validation,
                )
        finally:
            for bar in bars:
                bar.close()
        return checkpoint

    def _nan_guard(self, position: Any, batch_size: int) -> Any:
        """The callback that rolls back when the loss is NaN or infinite."""
        from tfkit import callbacks

        return callbacks.RollbackOnNaN(
            NotFiniteError,
            retries=_max_rollbacks(self.model),
            sample=_sample_batch(self.config, self.data),
            where=lambda: recent_batch_rows(position, self.data, seed=self.config.seed, batch=batch_size),
            report=lambda report: write_json(self.run.path("nan_report.json"), report),
        )


@contextmanager
def _report_out_of_memory(batch_size: int) -> Iterator[None]:
    """Report in one line that a device is out of memory."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        remedy = f"use a smaller batch_size, such as {batch_size // 2}" if batch_size > 1 else "make the model smaller"
        raise UserError(
            f"A step must fit into the memory of the device; {remedy}. Received: batch_size={batch_size}, for which "
            f"TensorFlow reports: {first_line(error)}"
        ) from error


def _sample_batch(config: Any, data: Data) -> Any:
    """A few training rows as a training step sees them."""
    batch = data.train.take(np.arange(min(SAMPLE_ROWS, len(data.train))))
    return data.augment(*batch, np.array([config.seed, 0])) if data.augment else batch


def _max_rollbacks(model: "keras.Model") -> int:
    """The number of rollbacks allowed; 0 if the learning rate of the model cannot be lowered."""
    from tfkit.schedules import scale_learning_rate

    try:
        scale_learning_rate(model.optimizer, 1.0)
    except ValueError:  # a custom schedule
        return 0
    return MAX_ROLLBACKS
