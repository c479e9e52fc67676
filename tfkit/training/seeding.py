"""Seeds, determinism and precision of a training."""

from collections.abc import Iterator
from contextlib import contextmanager

from tfkit.datasets.keras_settings import check_process


def seed_everything(*, seed: int, deterministic: bool = True) -> None:
    """Seed all random generators, so that the same seed gives the same bits.

    Args:
        seed: Seed of Python, NumPy and the backend.
        deterministic: Whether TensorFlow may use only deterministic operations; once set, it stays set for the
            process.
    """
    import keras
    import tensorflow as tf

    check_process()
    policy = keras.config.dtype_policy()
    # restarts the numbers in layer names, so that a second run in a process equals the first
    keras.utils.clear_session(free_memory=False)
    keras.config.set_dtype_policy(policy)  # which clear_session has reset
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


@contextmanager
def precision_policy(policy: str) -> Iterator[None]:
    """Set the Keras dtype policy of layers created inside, such as mixed_bfloat16."""
    import keras

    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


@contextmanager
def channels_last() -> Iterator[None]:
    """Set the image format of the data, which is that of TensorFlow on a CPU; `keras.json` may have set another."""
    import keras

    previous = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_image_data_format(previous)
