"""Worker process of the verification: it trains, kills itself, or predicts.

Started as `python -m tfkit.verification.worker TASK`, with the task as JSON.
"""

import json
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from tfkit.datasets import batch_predict
from tfkit.errors import Interrupted, NotFiniteError, UserError
from tfkit.inference.predictor import Predictor
from tfkit.run_dir import RunDir
from tfkit.training import checkpoint, fit
from tfkit.training import train as training_train
from tfkit.verification.multi_replica import train_steps


def train(*, predictions_file: str | None = None, kill: dict[str, Any] | None = None, **task: Any) -> None:
    """Train or resume a run.

    Args:
        predictions_file: File for the predictions of the model in memory after training; None for none.
        kill: When to kill the process: arguments of `_kill_at`; None for never.
        task: Arguments of `tfkit.training.train.train`.
    """
    models: list[Any] = []
    original_save_model = RunDir.save_model

    def save_model(run: RunDir, model: Any, history: Any) -> None:
        models.append(model)
        original_save_model(run, model, history)

    with ExitStack() as stack:
        stack.enter_context(patch.object(RunDir, "save_model", save_model))
        if kill:
            _kill_at(stack, **kill)
        run = training_train.train(task.pop("recipe"), quiet=True, skip_test=True, **task)
    if predictions_file:
        outputs = batch_predict.predict(models[-1], Predictor(run).sample_inputs)
        np.savez(predictions_file, predictions=batch_predict.squeeze_outputs(outputs))


def predict(*, run: str, recipe: str, predictions_file: str) -> None:
    """Save the predictions of the saved model of a run for its example rows."""
    predictor = Predictor(RunDir(run), recipe)
    np.savez(predictions_file, predictions=predictor.predict_arrays(predictor.sample_inputs))


def _kill_at(stack: ExitStack, *, where: str, step: int = 0, save: int | None = None) -> None:
    """Kill this process with SIGKILL at a point of the training.

    Args:
        stack: Receives the patches.
        where: `"reading"`: after the data is read, before it is recorded; `"step"`: after step `step`; `"saving"`:
            while saving a checkpoint after step `step`; `"between"`: between two epochs.
        step: Number of the step, counted from 1.
        save: Number of the step after which a checkpoint is saved, or None.
    """
    original_batch_end, original_epoch_end = (
        checkpoint.Checkpoint.on_train_batch_end,
        checkpoint.Checkpoint.on_epoch_end,
    )
    num_steps = 0

    def on_train_batch_end(self: Any, batch: int, logs: Any = None) -> None:
        nonlocal num_steps
        num_steps += 1
        original_batch_end(self, batch, logs)
        if num_steps == save:
            self.save()
        if num_steps == step:
            if where == "saving":
                stack.enter_context(patch.object(os, "fsync", lambda file: _kill()))
                self.save()
            _kill()

    def on_epoch_end(self: Any, epoch: int, logs: Any = None) -> None:
        original_epoch_end(self, epoch, logs)
        if where == "between":
            self.save()
            _kill()

    stack.enter_context(patch.object(fit, "SECONDS_PER_CALL", 0.0))  # one step per call
    stack.enter_context(patch.object(checkpoint.Checkpoint, "on_train_batch_end", on_train_batch_end))
    stack.enter_context(patch.object(checkpoint.Checkpoint, "on_epoch_end", on_epoch_end))
    if where == "reading":  # all data is read, and none of it recorded
        stack.enter_context(patch.object(training_train, "_save_inputs", lambda *data: _kill()))


def _kill() -> None:
    """Kill this process with SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)


def main(task: dict[str, Any]) -> int:
    """Run a task and return the exit code."""
    sys.path[:] = [entry for entry in sys.path if entry not in ("", str(Path(__file__).parent))]
    try:
        function: Any = {"train": train, "predict": predict, "steps": train_steps}[task.pop("do")]
        function(**task)
    except (UserError, NotFiniteError, Interrupted) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
