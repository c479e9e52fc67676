"""Before an hour of training, seconds of checks: what would spoil it, or make its scores too good, is said at once."""

import logging
import math
import shutil
import warnings
from typing import Any

import numpy as np

from tfkit.checks.memory import check_memory
from tfkit.checks.rows import warnings_of
from tfkit.checks.targets import check_targets
from tfkit.errors import UserError
from tfkit.recipe import Data
from tfkit.run_dir import RunDir

log = logging.getLogger("tfkit")

ROWS = 8  # of the one step that is tried


def before_training(run: RunDir, config: Any, data: Data, model: Any) -> None:
    """Warn of what is strange in the data, refuse what cannot fit into memory, try one step and one checkpoint.

    What is said is kept as `warnings` in about.json. Nothing that training starts from is changed.

    Raises:
        UserError: If a batch cannot fit, a target is none that the loss takes, or a checkpoint does not come back.
    """
    from tfkit import devices

    check_targets(model, data)
    said = warnings_of(data)
    if devices.replica_count() == 1:  # several make their state in their own first step
        check_memory(model, data, config.batch(len(data.train)))
        norm, loss = _try_step(model, data, config)
        if not math.isfinite(norm):
            said.append(f"the gradient of the first rows is {norm}: look at the target, and at inputs without a scale")
        if not math.isfinite(loss):
            said.append(f"the loss of the first validation rows is {loss}: look at their targets, and at a test_table")
        _try_checkpoint(run, model)
    for each in said:
        log.warning("Look: %s", each)
    run.note(warnings=said)


def _try_step(model: Any, data: Data, config: Any) -> tuple[float, float]:
    """The gradient's norm of one step, and the loss of a few validation rows; then all is as if nothing had been.

    Of a model with a `train_step` of its own both are 0.
    """
    import keras

    from tfkit.callbacks.gradient_norm import gradient_norm

    if type(model).train_step is not keras.Model.train_step:
        return 0.0, 0.0
    rows = data.train.take(np.arange(min(ROWS, len(data.train))))
    if data.augment is not None:
        rows = data.augment(*rows, np.array([config.seed, 0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a model that is solved has nothing to train
        norm = gradient_norm(model, rows)
    found = model.test_step(data.val.take(np.arange(min(ROWS, len(data.val)))))
    model.reset_metrics()
    return norm, float(found.get("loss", 0.0))


def _try_checkpoint(run: RunDir, model: Any) -> None:
    """Write the state of the model once, and read it."""
    from tfkit.loop import Place
    from tfkit.resume import Checkpoint

    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    folder = run.path("checkpoints-trial")
    trial = Checkpoint(folder, Place(), [])
    trial.set_model(model)
    try:
        trial.save()
        if not trial.restore(model):
            raise UserError(f"A checkpoint must come back as it was written; look at the disk. Received: {folder}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
