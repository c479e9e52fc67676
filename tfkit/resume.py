"""The state of a training, saved and restored whole, so that a run that was killed goes on as if nothing had been."""

import hashlib
import io
import json
import logging
import os
import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfkit import replicas
from tfkit.errors import Interrupted, Paused, UserError
from tfkit.loop import Place

log = logging.getLogger("tfkit")

SECONDS_BETWEEN = 20.0  # the clock decides when to save, never what is computed
MINUTES_INSIDE = 3.0  # between two inside an epoch
KEPT = 2
STOP = "stop"


class Checkpoint(keras.callbacks.Callback):
    """Save everything a training is, now and then and when it is told to stop. Must be the last of the callbacks.

    It is told by a signal, by a file called `stop` in the run's folder, or beforehand: `until` such an epoch. Inside an
    epoch it is saved every so many `minutes`, None for MINUTES_INSIDE.
    """

    def __init__(
        self,
        folder: Path,
        place: Place,
        callbacks: Sequence[Any],
        until: int | None = None,
        minutes: float | None = None,
    ):
        super().__init__()
        self.folder, self.place, self.until = folder, place, until
        self.seconds_inside = 60 * (MINUTES_INSIDE if minutes is None else minutes)
        self.callbacks = [callback for callback in callbacks if hasattr(callback, "state")]
        self.stop: int | None = None  # the signal that came
        self.strategy: Any = None
        self._saved = time.monotonic()
        self._sums: list[Any] | None = None

    def restore(self, model: Any) -> bool:
        """Put the newest whole checkpoint into a built model and its callbacks. False where there is none."""
        self.strategy = replicas.strategy_of(model)
        loaded = next(filter(None, map(_read, sorted(self.folder.glob("*.npz"), reverse=True))), None)
        if loaded is None:
            return False
        state, arrays = loaded
        if not model.optimizer.built:  # it would drop what it is given
            with replicas.scope(self.strategy):
                model.optimizer.build(model.trainable_variables)
        variables = [*model.variables, *model.optimizer.variables]
        saved = [arrays[f"variable_{i}"] for i in range(len(state["variables"]))]
        here = [_kind(v.path, v.shape) for v in variables]
        there = [_kind(path, array.shape) for path, array in zip(state["variables"], saved, strict=True)]
        if here != there:
            one, other = next(pair for pair in zip_longest(here, there, fillvalue="nothing") if pair[0] != pair[1])
            raise ValueError(f"The model must be the one that was saved. Received: {one}, saved: {other}")
        for variable, value in zip(variables, saved, strict=True):
            variable.assign(value)
        self.place.epoch, self.place.done = state["epoch"], state["done"]
        self._sums = [arrays[f"sum_{i}"] for i in range(state["sums"])] if state["done"] else None
        for i, callback in enumerate(self.callbacks):
            callback.set_state(_unpack(state["callbacks"][i], arrays))
        return True

    def save(self) -> None:
        """Write one file whole: a temporary name, flushed to disk, then renamed; its name ends with its checksum.

        Raises:
            UserError: If the disk has no room; the checkpoint before is as it was.
        """
        model = self.model
        arrays: dict[str, Any] = {}
        variables = [*model.variables, *model.optimizer.variables]
        arrays |= {f"variable_{i}": variable.numpy() for i, variable in enumerate(variables)}
        arrays |= {f"sum_{i}": variable.numpy() for i, variable in enumerate(model.metrics_variables)}
        state = {
            "epoch": self.place.epoch,
            "done": self.place.done,
            "sums": len(model.metrics_variables),
            "variables": [variable.path for variable in variables],
            "callbacks": [_pack(each.state(), f"callback_{i}", arrays) for i, each in enumerate(self.callbacks)],
        }
        buffer = io.BytesIO()
        np.savez(buffer, state=np.frombuffer(json.dumps(state).encode(), "uint8"), **arrays)
        content = buffer.getvalue()
        name = f"{self.place.epoch:06d}-{self.place.done:012d}-{hashlib.sha256(content).hexdigest()[:16]}.npz"
        try:
            _write(self.folder / name, content)
        except OSError as error:
            raise UserError(
                f"The disk must have room for a checkpoint; free some, then go on with --resume RUN, or "
                f"begin again. Received: {len(content) / 1e6:,.1f} MB for {self.folder}, "
                f"{error.strerror}"
            ) from error
        for old in sorted(self.folder.glob("*.npz"))[:-KEPT]:
            old.unlink()
        self._saved = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self._sums is not None:  # the running metrics of an epoch that was begun before
            for variable, value in zip(self.model.metrics_variables, self._sums, strict=True):
                variable.assign(value)
            self._sums = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._stop_if_told()
        if time.monotonic() - self._saved > self.seconds_inside:
            self.save()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        # a training that was stopped is over: there is nothing to go on with
        self.place.epoch, self.place.done = self.params["epochs"] if self.model.stop_training else epoch + 1, 0
        self._stop_if_told()
        if self.until is not None and self.until <= self.place.epoch < self.params["epochs"]:
            self.save()
            raise Paused
        if time.monotonic() - self._saved > SECONDS_BETWEEN:
            self.save()

    def _stop_if_told(self) -> None:
        told = self.folder.parent / STOP
        if self.stop is None and told.exists():
            told.unlink()
            self.stop = signal.SIGTERM
        if replicas.agreed(self.strategy, self.stop or 0):  # one worker told is all of them told
            self.stop = self.stop or signal.SIGTERM
            self.save()
            raise Interrupted(f"stopped and saved; go on with --resume {self.folder.parent}", self.stop)


@contextmanager
def stopping(checkpoint: Checkpoint) -> Iterator[None]:
    """While inside, Ctrl-C and SIGTERM end training as soon as it can be saved; a second one ends it at once."""

    def told(number: int, frame: Any) -> None:
        if checkpoint.stop is not None:
            raise KeyboardInterrupt
        checkpoint.stop = number

    try:
        before = {number: signal.signal(number, told) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: whoever runs it stops it
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _kind(path: str, shape: Any) -> str:
    """Name and shape of a variable; without the numbers in it, which count on from the models made before."""
    return f"{re.sub(r'_[0-9]+', '', path.rsplit('/', 1)[-1])} {tuple(shape)}"


def _write(path: Path, content: bytes) -> None:
    """Put a file there whole, or not at all."""
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f"{path.name}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


def _read(path: Path) -> tuple[dict[str, Any], Any] | None:
    """State and arrays of a checkpoint; None where its bytes are not those that were written."""
    content = path.read_bytes()
    if not path.stem.endswith(hashlib.sha256(content).hexdigest()[:16]):
        log.warning("Damaged, so the checkpoint before it is used: %s", path)
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        loaded = dict(arrays)
    return json.loads(loaded.pop("state").tobytes()), loaded


def _pack(state: dict[str, Any], name: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """The state with lists of arrays taken out, to stand beside the others."""
    packed = {}
    for key, value in state.items():
        if isinstance(value, list) and value and isinstance(value[0], (np.ndarray, np.generic)):
            arrays |= {f"{name}_{key}_{i}": array for i, array in enumerate(value)}
            packed[key] = {"arrays": f"{name}_{key}", "count": len(value)}
        else:
            packed[key] = value
    return packed


def _unpack(state: dict[str, Any], arrays: Any) -> dict[str, Any]:
    """What `_pack` took apart."""

    def whole(value: Any) -> Any:
        if isinstance(value, dict) and "arrays" in value:
            return [arrays[f"{value['arrays']}_{i}"] for i in range(value["count"])]
        return value

    return {key: whole(value) for key, value in state.items()}
