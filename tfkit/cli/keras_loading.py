"""Loading of Keras in a command: no log output of TensorFlow, and only the result on stdout."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from tfkit.console import suppress_native_stderr

GC_THRESHOLD_OBJECTS = 100_000  # objects; while TensorFlow is imported there is nothing to collect


@contextmanager
def load_keras() -> Iterator[None]:
    """Import Keras without TensorFlow's log output; inside the block stdout is redirected to stderr."""
    if "keras" not in sys.modules:
        thresholds = gc.get_threshold()
        gc.set_threshold(GC_THRESHOLD_OBJECTS)
        with suppress_native_stderr():
            import keras  # noqa: F401
        gc.freeze()  # imported objects are never collected
        gc.set_threshold(*thresholds)
    with redirect_stdout(sys.stderr):
        yield
