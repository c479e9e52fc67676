"""What training runs on, and with which arithmetic."""

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from tfkit.errors import UserError, nearest

WORDS = ("auto", "cpu", "gpu", "mirrored", "multiworker")

_chosen: dict[str, Any] = {"word": "auto", "strategy": None}  # of this process, which can change its mind only once


def choose(device: str = "auto") -> None:
    """Choose what this process trains on, before TensorFlow has computed anything.

    Args:
        device: `cpu`; `gpu`, the first; `mirrored`, all GPUs of this machine; `mirrored:N`, N of them, or where there
            is no GPU N parts of the CPU, to try it; `multiworker`, the machines that the environment variable
            `TF_CONFIG` names; `auto`, whichever of these there is more than one of, else what TensorFlow takes.

    Raises:
        UserError: If it is no such word, or there is no such device, or too late.
    """
    kind, count = _word(device)
    workers = _workers()
    if kind == "multiworker" and len(workers) < 2:
        raise UserError(
            "device=multiworker needs the environment variable TF_CONFIG, which names the workers and "
            f"which of them this is. Received: {len(workers)} workers"
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
            "device=mirrored needs more than one GPU; mirrored:2 tries it with two parts of the CPU. "
            f"Received: {len(gpus)} GPUs"
        )
    if kind == "mirrored" and gpus and (count or 0) > len(gpus):
        raise UserError(f"device=mirrored:{count} needs {count} GPUs. Received: {len(gpus)}")
    word = f"mirrored:{count or len(gpus)}" if kind == "mirrored" else kind
    if word == _chosen["word"]:
        return
    try:
        strategy = {"mirrored": _mirrored, "multiworker": _multiworker}.get(kind, _one)(kind, gpus, count or len(gpus))
    except RuntimeError as error:
        raise UserError(
            "A process chooses its devices once, before anything is computed: train in a new process. "
            f"Received: device={word} after {_chosen['word']}"
        ) from error
    _chosen.update(word=word, strategy=strategy)


def chosen() -> str:
    """The word of what this process trains on, such as `mirrored:2`; the same word chooses the same again."""
    return _chosen["word"]


def scope() -> AbstractContextManager[None]:
    """Where a model for what was chosen is made and compiled."""
    from tfkit import replicas

    return replicas.scope(_chosen["strategy"])


def replica_count() -> int:
    """How many replicas share a batch."""
    return _chosen["strategy"].num_replicas_in_sync if _chosen["strategy"] is not None else 1


def said() -> str:
    """The end of a sentence: ` on 2 replicas`; nothing where there is one."""
    return f" over {replica_count()} replicas ({chosen()})" if replica_count() > 1 else ""


def of_run(device: str, resume: Any, anyway: bool) -> str:
    """What a run that is to go on was begun on: the random masks of other replicas would be others.

    Raises:
        UserError: If another is asked for, unless `anyway`.
    """
    about = Path(resume) / "about.json" if resume is not None else None
    if about is None or not about.is_file():
        return device
    try:
        before = json.loads(about.read_text(encoding="utf-8")).get("device", "auto")
    except (OSError, ValueError, AttributeError, RecursionError):  # said by those who open it
        return device
    if device not in ("auto", before) and not anyway:
        raise UserError(
            f"A run goes on to the same result only on the device that it began on, {before}; --anyway "
            f"goes on all the same. Received: device={device}"
        )
    return before if device == "auto" else device


def is_chief() -> bool:
    """Whether this process is the one that writes: the first of several workers, or the only one."""
    return _chosen["word"] != "multiworker" or _task_index() == 0


def folders(out: Any, resume: Any) -> tuple[Any, Any]:
    """Where this process writes and what it resumes: a worker that is not the chief, in a folder that goes with it."""
    if is_chief():
        return out, resume
    room = Path(tempfile.mkdtemp(prefix="tfkit-worker-"))
    atexit.register(shutil.rmtree, room, ignore_errors=True)
    if resume is None:
        return room, None
    if not Path(resume).is_dir():
        raise UserError(f"Every worker must see the run that is resumed, on a disk that they share. Received: {resume}")
    return room, shutil.copytree(resume, room / Path(resume).name, ignore=shutil.ignore_patterns("*.part"))


def set_up(*, seed: int, deterministic: bool = True) -> None:
    """Seed everything, and make the same seed give the same bits.

    Args:
        seed: For Python, NumPy and the backend.
        deterministic: Whether TensorFlow may use only operations that give the same bits each time; once set it
            stays so for the process.
    """
    import keras
    import tensorflow as tf

    policy = keras.config.dtype_policy()
    # names of layers count from the start, so a second run in a process is like the first
    keras.utils.clear_session(free_memory=False)
    keras.config.set_dtype_policy(policy)  # the session's end takes it away too
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


@contextmanager
def precision(policy: str) -> Iterator[None]:
    """Layers made inside compute as this dtype policy of Keras says, such as mixed_bfloat16; others as before."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def describe() -> dict[str, Any]:
    """The devices that there are, for the record."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"gpus": names, "cpus": cpus, "replicas": replica_count()}


def _word(device: str) -> tuple[str, int | None]:
    """`mirrored:2` -> mirrored, 2."""
    kind, colon, count = str(device).partition(":")
    if kind not in WORDS or (colon and kind != "mirrored"):
        raise UserError(
            f"`device` must be one of {', '.join(WORDS)}, or mirrored:N.{nearest(kind, WORDS)} "
            f"Received: device={device}"
        )
    if colon and not (count.isascii() and count.isdigit() and int(count) > 1):
        raise UserError(f"mirrored:N needs a whole number N above 1. Received: device={device}")
    return kind, int(count) if colon else None


def _workers() -> list[str]:
    """The workers that `TF_CONFIG` names; none where it is not set."""
    cluster = _tf_config().get("cluster", {})
    return [*cluster.get("chief", []), *cluster.get("worker", [])] if isinstance(cluster, dict) else []


def _task_index() -> int:
    """The place of this process among the workers; 0 is the chief."""
    config = _tf_config()
    task = config.get("task", {})
    before = len(config["cluster"].get("chief", [])) if task.get("type") == "worker" else 0
    return before + int(task.get("index", 0))


def _tf_config() -> dict[str, Any]:
    words = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(words or "{}")
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise UserError(
            'TF_CONFIG must be JSON such as {"cluster": {"worker": ["one:2222", "two:2222"]}, "task": '
            f'{{"type": "worker", "index": 0}}}}. Received: {words[:80]}'
        )
    return config


def _one(kind: str, gpus: list[Any], count: int) -> None:
    import tensorflow as tf

    if kind != "auto" and gpus:
        tf.config.set_visible_devices(gpus[:1] if kind == "gpu" else [], "GPU")


def _mirrored(kind: str, gpus: list[Any], count: int) -> Any:
    import tensorflow as tf

    if gpus:
        return tf.distribute.MirroredStrategy([f"GPU:{number}" for number in range(count)])
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    devices = [f"CPU:{number}" for number in range(count)]
    # plain sums; collective ones, which TensorFlow takes here, need twice the time to compile
    return tf.distribute.MirroredStrategy(devices, cross_device_ops=tf.distribute.ReductionToOneDevice())


def _multiworker(kind: str, gpus: list[Any], count: int) -> Any:
    import tensorflow as tf

    return tf.distribute.MultiWorkerMirroredStrategy()
