"""Devices, seeds and numeric precision of training."""

import atexit
import json
import os
import shutil
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tfkit.errors import UserError, did_you_mean

DEVICES = ("auto", "cpu", "gpu", "mirrored", "multiworker")

_selected: dict[str, Any] = {"device": "auto", "strategy": None}  # a process can select its devices only once


def select_devices(device: str = "auto") -> None:
    """Select the devices of this process, before TensorFlow computes anything.

    Args:
        device: `cpu`; `gpu`, the first GPU; `mirrored`, all GPUs of this machine; `mirrored:N`, N of them, or on a
            machine without GPU N virtual CPU devices, to try it; `multiworker`, the machines that the environment
            variable `TF_CONFIG` lists; `auto`, several workers or GPUs if there are any, else TensorFlow's default.

    Raises:
        UserError: If the name is unknown, there is no such device, or TensorFlow has already started.
    """
    kind, count = _parse_device(device)
    workers = _workers()
    if kind == "multiworker" and len(workers) < 2:
        raise UserError(
            "device=multiworker needs the environment variable TF_CONFIG, which lists the workers and "
            f"the index of this one. Received: {len(workers)} workers"
        )
    if kind == "auto" and len(workers) > 1:
        kind = "multiworker"
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if kind == "auto" and len(gpus) > 1:
        kind = "mirrored"
    if kind == "gpu" and not gpus:
        raise UserError("device=gpu needs a GPU that TensorFlow sees; train with device=cpu. Received: no GPU")
    if kind == "mirrored" and (count or len(gpus)) < 2:
        raise UserError(
            "device=mirrored needs more than one GPU; mirrored:2 tries it with two virtual CPU devices. "
            f"Received: {len(gpus)} GPUs"
        )
    if kind == "mirrored" and gpus and (count or 0) > len(gpus):
        raise UserError(f"device=mirrored:{count} needs {count} GPUs. Received: {len(gpus)}")
    name = f"mirrored:{count or len(gpus)}" if kind == "mirrored" else kind
    if name == _selected["device"]:
        return
    make_strategy = {"mirrored": _mirrored, "multiworker": _multiworker}.get(kind, _single_device)
    try:
        strategy = make_strategy(kind, gpus, count or len(gpus))
    except RuntimeError as error:
        raise UserError(
            "A process selects its devices once, before anything is computed; train in a new process. "
            f"Received: device={name} after {_selected['device']}"
        ) from error
    _selected.update(device=name, strategy=strategy)


def selected_device() -> str:
    """Return the name of the selected devices, such as `mirrored:2`."""
    return _selected["device"]


def strategy_scope() -> AbstractContextManager[None]:
    """Create and compile a model for the selected devices inside."""
    from tfkit.training.replicas import scope as replicas_scope

    return replicas_scope.scope(_selected["strategy"])


def replica_count() -> int:
    """Return the number of replicas that share a batch."""
    return _selected["strategy"].num_replicas_in_sync if _selected["strategy"] is not None else 1


def replica_suffix() -> str:
    """Return ` over 2 replicas (mirrored:2)`, or an empty string for one replica."""
    return f" over {replica_count()} replicas ({selected_device()})" if replica_count() > 1 else ""


def device_for_resume(device: str, resume: str | Path | None, allow_other: bool) -> str:
    """Return the device on which to resume a run.

    On other devices dropout would draw other masks.

    Args:
        device: The requested device; `auto` for that of the run.
        resume: The run folder to resume, or None for a new run.
        allow_other: Whether another device is allowed (`--ignore-versions`).

    Raises:
        UserError: If another device is requested, unless `allow_other`.
    """
    about_path = Path(resume) / "provenance.json" if resume is not None else None
    if about_path is None or not about_path.is_file():
        return device
    try:
        run_device = json.loads(about_path.read_text(encoding="utf-8")).get("device", "auto")
    except (OSError, ValueError, AttributeError, RecursionError):  # reported by the code that opens the run
        return device
    if device not in ("auto", run_device) and not allow_other:
        raise UserError(
            f"A resumed run gives the same result only on its first device, {run_device}; --ignore-versions allows "
            "another. "
            f"Received: device={device}"
        )
    return run_device if device == "auto" else device


def is_chief() -> bool:
    """Return whether this process writes the run: the first worker, or the only one."""
    return _selected["device"] != "multiworker" or _worker_index() == 0


def worker_folders(out: Any, resume: Any) -> tuple[Any, Any]:
    """Return the output folder and the run to resume of this worker.

    All workers but the chief use temporary copies.

    Raises:
        UserError: If a worker cannot see the run to resume.
    """
    if is_chief():
        return out, resume
    temporary = Path(tempfile.mkdtemp(prefix="tfkit-worker-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    if resume is None:
        return temporary, None
    if not Path(resume).is_dir():
        raise UserError(f"Every worker must see the run to resume, on a shared disk. Received: {resume}")
    return temporary, shutil.copytree(resume, temporary / Path(resume).name, ignore=shutil.ignore_patterns("*.part"))


def list_devices() -> dict[str, Any]:
    """Return the GPUs, CPU cores and replicas, to be stored with a run."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"gpus": names, "cpus": cpus, "replicas": replica_count()}


def _parse_device(device: str) -> tuple[str, int | None]:
    """Split a device name: `mirrored:2` -> `("mirrored", 2)`."""
    kind, colon, count = str(device).partition(":")
    if kind not in DEVICES or (colon and kind != "mirrored"):
        raise UserError(
            f"`device` must be one of {', '.join(DEVICES)}, or mirrored:N.{did_you_mean(kind, DEVICES)} "
            f"Received: device={device}"
        )
    if colon and not (count.isascii() and count.isdigit() and int(count) > 1):
        raise UserError(f"mirrored:N needs an integer N above 1. Received: device={device}")
    return kind, int(count) if colon else None


def _workers() -> list[str]:
    """Return the addresses of the workers in `TF_CONFIG`; none where it is not set."""
    cluster = _tf_config().get("cluster", {})
    return [*cluster.get("chief", []), *cluster.get("worker", [])] if isinstance(cluster, dict) else []


def _worker_index() -> int:
    """Return the index of this process among the workers; 0 is the chief."""
    config = _tf_config()
    task = config.get("task", {})
    num_chiefs = len(config["cluster"].get("chief", [])) if task.get("type") == "worker" else 0
    return num_chiefs + int(task.get("index", 0))


def _tf_config() -> dict[str, Any]:
    """Return the parsed environment variable `TF_CONFIG`; empty where it is not set."""
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text or "{}")
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise UserError(
            'TF_CONFIG must be JSON such as {"cluster": {"worker": ["one:2222", "two:2222"]}, "task": '
            f'{{"type": "worker", "index": 0}}}}. Received: {text[:80]}'
        )
    return config


def _single_device(kind: str, gpus: list[Any], count: int) -> None:
    """Hide all GPUs but the selected one; no strategy."""
    import tensorflow as tf

    if kind != "auto" and gpus:
        tf.config.set_visible_devices(gpus[:1] if kind == "gpu" else [], "GPU")


def _mirrored(kind: str, gpus: list[Any], count: int) -> Any:
    """Return a strategy over `count` GPUs, or over `count` virtual CPU devices."""
    import tensorflow as tf

    if gpus:
        return tf.distribute.MirroredStrategy([f"GPU:{index}" for index in range(count)])
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    devices = [f"CPU:{index}" for index in range(count)]
    # plain sums; the collective operations that TensorFlow uses by default take twice the time to compile
    return tf.distribute.MirroredStrategy(devices, cross_device_ops=tf.distribute.ReductionToOneDevice())


def _multiworker(kind: str, gpus: list[Any], count: int) -> Any:
    """Return a strategy over the workers of `TF_CONFIG`."""
    import tensorflow as tf

    return tf.distribute.MultiWorkerMirroredStrategy()
