"""The other process: `python -m tfkit.checks.child TASK` trains, dies where it is told, or loads and answers."""

import json
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from tfkit import engine, loop, resume
from tfkit.checks.replicas import steps
from tfkit.datasets.batch_predict import predict, squeeze_outputs
from tfkit.errors import Interrupted, NotFiniteError, UserError
from tfkit.inference.predictor import Predictor
from tfkit.run_dir import RunDir


def train(*, said: str | None = None, kill: dict[str, Any] | None = None, **task: Any) -> None:
    """Train or resume; with `said`, put down what the model in memory says; with `kill`, die on the way."""
    models: list[Any] = []
    keep = RunDir.keep

    def kept(run: RunDir, model: Any, history: Any) -> None:
        models.append(model)
        keep(run, model, history)

    with ExitStack() as stack:
        stack.enter_context(patch.object(RunDir, "keep", kept))
        if kill:
            _arm(stack, **kill)
        run = engine.train(task.pop("recipe"), quiet=True, test=False, **task)
    if said:
        np.savez(said, said=squeeze_outputs(predict(models[-1], Predictor(run).sample_inputs)))


def answer(*, run: str, recipe: str, said: str) -> None:
    """Put down what the file says that the run has kept."""
    predictor = Predictor(RunDir(run), recipe)
    np.savez(said, said=predictor.predict_arrays(predictor.sample_inputs))


def _arm(stack: ExitStack, *, where: str, step: int = 0, save: int | None = None) -> None:
    """Die of SIGKILL: in `reading`, at a `step` after that of `save`, while `saving` there, or `between` epochs."""
    at_step, at_end, count = resume.Checkpoint.on_train_batch_end, resume.Checkpoint.on_epoch_end, 0

    def on_train_batch_end(self: Any, batch: int, logs: Any = None) -> None:
        nonlocal count
        count += 1
        at_step(self, batch, logs)
        if count == save:
            self.save()
        if count == step:
            if where == "saving":
                stack.enter_context(patch.object(resume.os, "fsync", lambda file: _die()))
                self.save()
            _die()

    def on_epoch_end(self: Any, epoch: int, logs: Any = None) -> None:
        at_end(self, epoch, logs)
        if where == "between":
            self.save()
            _die()

    stack.enter_context(patch.object(loop, "SECONDS_A_CALL", 0.0))  # a step a call
    stack.enter_context(patch.object(resume.Checkpoint, "on_train_batch_end", on_train_batch_end))
    stack.enter_context(patch.object(resume.Checkpoint, "on_epoch_end", on_epoch_end))
    if where == "reading":  # all is read, and nothing of it written
        stack.enter_context(patch.object(engine, "_record", lambda *data: _die()))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(task: dict[str, Any]) -> int:
    """Do a task, and return the exit code."""
    sys.path[:] = [place for place in sys.path if place not in ("", str(Path(__file__).parent))]
    try:
        do: Any = {"train": train, "answer": answer, "steps": steps}[task.pop("do")]
        do(**task)
    except (UserError, NotFiniteError, Interrupted) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
