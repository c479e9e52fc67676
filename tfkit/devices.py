"""What training runs on, and with which arithmetic."""

from typing import Any


def set_up(*, seed: int, precision: str = "float32", deterministic: bool = True) -> None:
    """Seed everything, choose the arithmetic, and make the same seed give the same bits.

    Args:
        seed: For Python, NumPy and the backend.
        precision: A dtype policy of Keras, such as float32 or mixed_bfloat16.
        deterministic: Whether TensorFlow may use only operations that give the same bits each time.
    """
    import keras
    import tensorflow as tf

    keras.utils.clear_session()  # names of layers count from the start, so a second run in a process is like the first
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(precision)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def describe() -> dict[str, Any]:
    """The devices that there are, for the record."""
    import os

    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return {"gpus": names, "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()}
