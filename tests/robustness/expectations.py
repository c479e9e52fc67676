"""Check that a recipe either loads its data or raises a UserError with a message of one line."""

import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

import tfkit
from tfkit.errors import UserError

TIMEOUT_SECONDS = 60


def check_recipe_data(recipe_name: str, settings: dict[str, Any], folder: Path) -> str:
    """Load the data of a recipe; return the error message, or "" if it loads."""
    sizes_before = file_sizes(folder)
    try:
        with time_limit(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            recipe = tfkit.load_recipe(recipe_name)
            config = recipe.Config.from_dict(settings)
            data = recipe.data(config)
            config.resolve_auto(data.auto_settings)
    except UserError as error:
        return check_message(error)
    finally:
        assert file_sizes(folder) == sizes_before  # loading data writes no file, inside or outside the folder
    for split in (data.train, data.val, data.test):
        assert len(split) > 0
        x, y, sample_weight = split.take(np.arange(min(len(split), 16)))
        for tensor in keras.tree.flatten((x, y, sample_weight)):
            array = None if tensor is None else np.asarray(tensor)
            assert array is None or array.dtype.kind not in "fc" or np.isfinite(array).all()
    return ""


def check_message(error: UserError) -> str:
    """Return the message of an error; check that it is short and on one line."""
    message = str(error)
    assert message.isprintable(), message
    assert 20 < len(message) < 1100, message
    return message


def file_sizes(folder: Path) -> dict[Path, int]:
    """Return the sizes of all files in a folder and in its parent folder."""
    return {path: path.stat().st_size for path in folder.parent.rglob("*") if path.is_file()}


@contextmanager
def time_limit() -> Iterator[None]:
    """Raise an AssertionError after TIMEOUT_SECONDS."""

    def raise_timeout(signal_number, frame):
        raise AssertionError(f"not finished after {TIMEOUT_SECONDS} s")

    previous_handler = signal.signal(signal.SIGALRM, raise_timeout)
    signal.alarm(TIMEOUT_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous_handler)
