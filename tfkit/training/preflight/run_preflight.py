"""Checks before training: data, targets, memory, one step and one checkpoint."""

import logging
import math
import shutil
import warnings
from typing import Any

import numpy as np

from tfkit.config import Config
from tfkit.errors import UserError
from tfkit.recipe import Data
from tfkit.run_dir import RunDir
from tfkit.training.preflight.data_warnings import find_data_warnings
from tfkit.training.preflight.loss_targets import check_targets
from tfkit.training.preflight.memory import check_memory

log = logging.getLogger("tfkit")

PREFLIGHT_ROWS = 8


def run_preflight(run: RunDir, config: Config, data: Data, model: Any) -> None:
    """Warn about data problems, check the memory, and try one step and one checkpoint.

    The warnings are stored as `warnings` in provenance.json. The initial state of training does not change.

    Raises:
        UserError: If a batch does not fit into memory, the loss does not accept a target, or a checkpoint cannot be
            restored.
    """
    from tfkit.training import devices

    check_targets(model, data)
    messages = find_data_warnings(data)
    if devices.replica_count() == 1:  # several replicas create their state in their own first step
        check_memory(model, data, config.effective_batch_size(len(data.train)))
        gradient_norm, val_loss = _try_step(model, data, config)
        if not math.isfinite(gradient_norm):
            messages.append(
                f"the gradient norm of the first training rows is {gradient_norm}: check the target, and inputs that "
                "are not scaled"
            )
        if not math.isfinite(val_loss):
            messages.append(
                f"the loss of the first validation rows is {val_loss}: check their targets, and the test_table"
            )
        _try_checkpoint(run, model)
    for message in messages:
        log.warning("Check before training: %s", message)
    run.update_provenance(warnings=messages)


def _try_step(model: Any, data: Data, config: Config) -> tuple[float, float]:
    """Compute the gradient norm of one step and the loss of a few validation rows.

    The model does not change. Both numbers are 0 for a model with its own `train_step`.
    """
    import keras

    from tfkit.callbacks.gradient_norm import gradient_norm

    if type(model).train_step is not keras.Model.train_step:
        return 0.0, 0.0
    batch = data.train.take(np.arange(min(PREFLIGHT_ROWS, len(data.train))))
    if data.augment is not None:
        batch = data.augment(*batch, np.array([config.seed, 0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model in closed form has no trainable weights
        norm = gradient_norm(model, batch)
    logs = model.test_step(data.val.take(np.arange(min(PREFLIGHT_ROWS, len(data.val)))))
    model.reset_metrics()
    return norm, float(logs.get("loss", 0.0))


def _try_checkpoint(run: RunDir, model: Any) -> None:
    """Save the state of the model once and restore it."""
    from tfkit.training.checkpoint import Checkpoint
    from tfkit.training.fit import EpochPosition

    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    folder = run.path("checkpoints-trial")
    checkpoint = Checkpoint(folder, EpochPosition(), [])
    checkpoint.set_model(model)
    try:
        checkpoint.save()
        if not checkpoint.restore(model):
            raise UserError(f"A checkpoint must be restored as it was saved; check the disk. Received: {folder}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
