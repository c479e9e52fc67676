"""What training runs on, and with which arithmetic."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


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
    import os

    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return {"gpus": names, "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()}
