"""Checkpoints of the complete training state: a killed run resumes to the same bits."""

import hashlib
import io
import json
import logging
import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfkit.atomic_files import atomic_file
from tfkit.errors import Interrupted, Paused, UserError
from tfkit.training.fit import EpochPosition
from tfkit.training.replicas import scope

log = logging.getLogger("tfkit")

EPOCH_END_INTERVAL_SECONDS = 20.0  # between checkpoints at epoch ends; it decides when to save, not what is computed

MID_EPOCH_INTERVAL_MINUTES = 3.0  # between checkpoints inside an epoch

MAX_CHECKPOINTS = 2  # older ones are deleted

STOP_FILE = "stop"  # a file of this name in the run folder stops the training


class Checkpoint(keras.callbacks.Callback):
    """Save the complete training state regularly, and when training is stopped.

    Must be the last callback.
    Training is stopped by a signal or by a file called `stop` in the run folder.

    Args:
        folder: The folder of the checkpoints, inside the run folder.
        position: The position in the training, shared with `tfkit.training.fit.fit`.
        callbacks: Callbacks of the training; those with a method `state` are saved.
        stop_after_epoch: Pause after this many epochs; None to train to the end.
        interval_minutes: Minutes between checkpoints inside an epoch; None for MID_EPOCH_INTERVAL_MINUTES.
    """

    def __init__(
        self,
        folder: Path,
        position: EpochPosition,
        callbacks: Sequence[Any],
        stop_after_epoch: int | None = None,
        interval_minutes: float | None = None,
    ):
        super().__init__()
        self.folder, self.position, self.stop_after_epoch = folder, position, stop_after_epoch
        self.seconds_inside = 60 * (MID_EPOCH_INTERVAL_MINUTES if interval_minutes is None else interval_minutes)
        self.callbacks = [callback for callback in callbacks if hasattr(callback, "state")]
        self.stop: int | None = None  # the signal that was received
        self.strategy: Any = None
        self._last_save = time.monotonic()
        self._metric_values: list[Any] | None = None  # of the epoch that was interrupted

    def restore(self, model: Any) -> bool:
        """Load the newest intact checkpoint into a built model and its callbacks.

        Returns:
            False if there is no checkpoint.

        Raises:
            ValueError: If the model is not the one that was saved.
        """
        self.strategy = scope.strategy_of(model)
        contents = next(filter(None, map(_read, sorted(self.folder.glob("*.npz"), reverse=True))), None)
        if contents is None:
            return False
        state, arrays = contents
        if not model.optimizer.built:  # building it later would reset its variables
            with scope.scope(self.strategy):
                model.optimizer.build(model.trainable_variables)
        variables = [*model.variables, *model.optimizer.variables]
        saved = [arrays[f"variable_{i}"] for i in range(len(state["variables"]))]
        model_specs = [_variable_spec(v.path, v.shape) for v in variables]
        saved_specs = [_variable_spec(path, array.shape) for path, array in zip(state["variables"], saved, strict=True)]
        for model_spec, saved_spec in zip_longest(model_specs, saved_specs, fillvalue="nothing"):
            if model_spec != saved_spec:
                raise ValueError(
                    f"The model must be the one that was saved. Received: {model_spec}, saved: {saved_spec}"
                )
        for variable, value in zip(variables, saved, strict=True):
            variable.assign(value)
        self.position.epoch, self.position.rows_done = state["epoch"], state["rows_done"]
        self._metric_values = [arrays[f"sum_{i}"] for i in range(state["sums"])] if state["rows_done"] else None
        for i, callback in enumerate(self.callbacks):
            callback.set_state(_unpack(state["callbacks"][i], arrays))
        return True

    def save(self) -> None:
        """Write a checkpoint atomically; the file name ends with its checksum.

        The file is written under a temporary name, flushed to the disk (`fsync`), then renamed.

        Raises:
            UserError: If the disk is full; the previous checkpoint stays unchanged.
        """
        model = self.model
        arrays: dict[str, Any] = {}
        variables = [*model.variables, *model.optimizer.variables]
        arrays |= {f"variable_{i}": variable.numpy() for i, variable in enumerate(variables)}
        arrays |= {f"sum_{i}": variable.numpy() for i, variable in enumerate(model.metrics_variables)}
        state = {
            "epoch": self.position.epoch,
            "rows_done": self.position.rows_done,
            "sums": len(model.metrics_variables),
            "variables": [variable.path for variable in variables],
            "callbacks": [
                _pack(callback.state(), f"callback_{i}", arrays) for i, callback in enumerate(self.callbacks)
            ],
        }
        buffer = io.BytesIO()
        np.savez(buffer, state=np.frombuffer(json.dumps(state).encode(), "uint8"), **arrays)
        content = buffer.getvalue()
        name = (
            f"{self.position.epoch:06d}-{self.position.rows_done:012d}-{hashlib.sha256(content).hexdigest()[:16]}.npz"
        )
        try:
            self.folder.mkdir(exist_ok=True)
            with atomic_file(self.folder / name, "wb") as file:
                file.write(content)
        except OSError as error:
            raise UserError(
                f"The disk must have space for a checkpoint; free some, then continue with --resume RUN, or "
                f"start a new run. Received: {len(content) / 1e6:,.1f} MB for {self.folder}, "
                f"{error.strerror}"
            ) from error
        for old in sorted(self.folder.glob("*.npz"))[:-MAX_CHECKPOINTS]:
            old.unlink()
        self._last_save = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self._metric_values is not None:  # metrics of the interrupted epoch
            for variable, value in zip(self.model.metrics_variables, self._metric_values, strict=True):
                variable.assign(value)
            self._metric_values = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._stop_if_requested()
        if self._is_due(self.seconds_inside):
            self.save()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        # after early stopping there is no epoch left to resume with
        self.position.epoch, self.position.rows_done = (
            self.params["epochs"] if self.model.stop_training else epoch + 1,
            0,
        )
        self._stop_if_requested()
        if self.stop_after_epoch is not None and self.stop_after_epoch <= self.position.epoch < self.params["epochs"]:
            self.save()
            raise Paused
        if self._is_due(EPOCH_END_INTERVAL_SECONDS):
            self.save()

    def _is_due(self, interval_seconds: float) -> bool:
        """Return whether the interval since the last checkpoint is over."""
        is_due = time.monotonic() - self._last_save > interval_seconds
        if scope.is_sharding_enabled():
            return is_due
        # the metrics of Keras' own step are sums over the workers, which all workers must read at the same time
        return scope.mean_over_workers(self.strategy, float(is_due)) > 0

    def _stop_if_requested(self) -> None:
        stop_file = self.folder.parent / STOP_FILE
        if self.stop is None and stop_file.exists():
            stop_file.unlink()
            self.stop = signal.SIGTERM
        if scope.mean_over_workers(self.strategy, self.stop or 0):  # a signal to one worker stops all of them
            self.stop = self.stop or signal.SIGTERM
            self.save()
            raise Interrupted(f"stopped and saved; continue with --resume {self.folder.parent}", self.stop)


@contextmanager
def stopping(checkpoint: Checkpoint) -> Iterator[None]:
    """Stop training with a checkpoint on Ctrl-C or SIGTERM; at once on the second."""

    def request_stop(number: int, frame: Any) -> None:
        if checkpoint.stop is not None:
            raise KeyboardInterrupt
        checkpoint.stop = number

    try:
        handlers = {number: signal.signal(number, request_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread, which handles the signals then
        handlers = {}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _variable_spec(path: str, shape: Any) -> str:
    """Return name and shape of a variable, without the number in its name.

    The number depends on the models created before.
    """
    return f"{re.sub(r'_[0-9]+', '', path.rsplit('/', 1)[-1])} {tuple(shape)}"


def _read(path: Path) -> tuple[dict[str, Any], Any] | None:
    """Return state and arrays of a checkpoint; None if its checksum is wrong."""
    content = path.read_bytes()
    if not path.stem.endswith(hashlib.sha256(content).hexdigest()[:16]):
        log.warning("Damaged checkpoint, using the previous one: %s", path)
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        contents = dict(arrays)
    return json.loads(contents.pop("state").tobytes()), contents


def _pack(state: dict[str, Any], name: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """Move the lists of arrays of a callback state to `arrays`; return plain JSON."""
    packed = {}
    for key, value in state.items():
        if isinstance(value, list) and value and isinstance(value[0], (np.ndarray, np.generic)):
            arrays |= {f"{name}_{key}_{i}": array for i, array in enumerate(value)}
            packed[key] = {"arrays": f"{name}_{key}", "count": len(value)}
        else:
            packed[key] = value
    return packed


def _unpack(state: dict[str, Any], arrays: Any) -> dict[str, Any]:
    """Restore a callback state from `_pack`."""

    def unpack_value(value: Any) -> Any:
        if isinstance(value, dict) and "arrays" in value:
            return [arrays[f"{value['arrays']}_{i}"] for i in range(value["count"])]
        return value

    return {key: unpack_value(value) for key, value in state.items()}
