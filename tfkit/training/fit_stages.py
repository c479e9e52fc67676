"""The epochs of a run: those that validation watches, and those on all rows that follow where rows are few."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tfkit.atomic_files import write_json
from tfkit.errors import NotFiniteError, UserError, first_line
from tfkit.recipe import Data, Recipe
from tfkit.run_dir import RunDir
from tfkit.training.nan_report import recent_batch_rows


def fit_with_validation(
    recipe: Recipe, run: RunDir, config: Any, data: Data, model: Any, quiet: bool, until: int | None = None
) -> Any:
    """The epochs that validation watches, or the first `until` of them; the best one's weights are kept."""
    import keras

    from tfkit import callbacks

    mode = monitor_mode(recipe)
    best = callbacks.EarlyStopping(recipe.monitor, mode=mode, patience=config.patience)
    # a train_step of one's own may step other optimizers than that of `compile`, and then has no one gradient
    own_step = type(model).train_step is not keras.Model.train_step
    sample = None if own_step else _sample(config, data)
    journal = callbacks.JSONLogger(run.path("journal.jsonl"), rows=len(data.train), sample=sample)
    watching = [best, journal]
    if run.about.get("tensorboard"):
        from tfkit.training.tensorboard import TensorBoardLogger

        watching.append(TensorBoardLogger(run, journal))
    if config.learning_rate_decay == "plateau":
        patience = config.plateau_patience
        watching.append(callbacks.LearningRateDecay(recipe.monitor, mode=mode, patience=patience))
    show = None if quiet else recipe.monitor
    validation = {"validation_data": data.val}
    done = _epochs(run, "checkpoints", config, data, model, watching, config.epochs, show, until, **validation)
    if data.final is not None:  # what comes next may be stopped too
        done.save()
    if best.best_epoch is None:
        raise NotFiniteError(
            f"{recipe.monitor} was never a finite number, so no epoch's weights can be kept. "
            "Lower learning_rate to a tenth, or set global_clipnorm=1."
        )
    run.note(best_epoch=best.best_epoch + 1)
    return journal


def monitor_mode(recipe: Recipe) -> str:
    """Where the monitor of a recipe is best, "min" or "max": as it says, or as the name is known."""
    from tfkit.metrics import direction

    mode = recipe.mode or direction(recipe.monitor)
    if mode is None:
        raise UserError(
            f"A recipe must say where its monitor is best, mode='min' or mode='max', where tfkit does not "
            f"know it. Received: monitor={recipe.monitor!r}"
        )
    return mode


def refit_on_all(recipe: Recipe, run: RunDir, config: Any, data: Data, quiet: bool) -> Any:
    """The model once more from its first weights, on all rows but the test's, to the end of the schedule.

    No row is left to choose an epoch by: it ends with the last, or, where `patience` may stop it, with the one that
    validation had chosen.
    """
    from tfkit.training import devices, seeding

    seeding.seed_everything(seed=config.seed, deterministic=config.deterministic)
    with seeding.precision_policy(config.precision), devices.strategy_scope():
        model = recipe.model(config, data)
    epochs = config.epochs if config.patience is None else run.about["best_epoch"]
    _epochs(run, "checkpoints-refit", config, data, model, [], epochs, None if quiet else "loss")
    return model


def _epochs(
    run: RunDir,
    folder: str,
    config: Any,
    data: Data,
    model: Any,
    watching: list[Any],
    epochs: int,
    show: str | None,
    until: int | None = None,
    **validation: Any,
) -> Any:
    """Compiled epochs, gone on with where a checkpoint lies; the state is saved now and then and at the end."""
    from tfkit import callbacks
    from tfkit.training import fit as training_fit
    from tfkit.training.checkpoint import Checkpoint, stopping
    from tfkit.training.progress_bar import Progress

    place = training_fit.EpochPosition()
    batch = config.batch(len(data.train))
    guard = callbacks.RollbackOnNaN(
        NotFiniteError,
        retries=_retries(model),
        sample=_sample(config, data),
        where=lambda: recent_batch_rows(place, data, seed=config.seed, batch=batch),
        report=lambda found: write_json(run.path("not_finite.json"), found),
    )
    watching = [guard, *watching]
    checkpoint = Checkpoint(run.path(folder), place, watching, until, run.about.get("checkpoint_minutes"))
    checkpoint.restore(model)
    bar = [] if show is None else [Progress(epochs, show, lambda: place.done / len(data.train))]
    try:
        with stopping(checkpoint), _holding(batch):
            training_fit.fit(
                model,
                data.train,
                batch_size=batch,
                epochs=epochs,
                callbacks=[*watching, *bar, checkpoint],
                seed=config.seed,
                augment=data.augment,
                initial_epoch=place.epoch,
                place=place,
                **validation,
            )
    finally:
        for each in bar:
            each.close()
    return checkpoint


@contextmanager
def _holding(batch: int) -> Iterator[None]:
    """Say in one line that a device has run out of memory; what was saved stays as it is."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        remedy = f"give a smaller batch_size, such as {batch // 2}" if batch > 1 else "make the model smaller"
        raise UserError(
            f"A step must fit into the memory of the device; {remedy}. Received: batch_size={batch}, of "
            f"which it says: {first_line(error)}"
        ) from error


def _sample(config: Any, data: Data) -> Any:
    """A few training rows as a step sees them, to look at the model with."""
    rows = data.train.take(np.arange(min(256, len(data.train))))
    return data.augment(*rows, np.array([config.seed, 0])) if data.augment else rows


def _retries(model: Any) -> int:
    """How often to go back at a lower rate where the loss stops being finite; never where no rate can be cut."""
    from tfkit.schedules import scale_learning_rate

    try:
        scale_learning_rate(model.optimizer, 1.0)
    except ValueError:  # a schedule of the page's own
        return 0
    return 3
