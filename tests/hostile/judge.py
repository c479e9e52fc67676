"""Whatever comes in, a page gives rows to learn from, or one line: this holds it to that."""

import signal
import warnings
from contextlib import contextmanager

import keras
import numpy as np

import tfkit
from tfkit.errors import UserError

SECONDS = 60


def answer(page, settings, folder):
    """What a page says of its data: "" where it learns from it, else the line of its refusal."""
    before = written(folder)
    try:
        with in_time(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            recipe = tfkit.load(page)
            config = recipe.Config.of(settings)
            data = recipe.data(config)
            config.settled(data.defaults)
    except UserError as error:
        return line(error)
    finally:
        assert written(folder) == before  # of the data nothing is written, least of all outside of its folder
    for split in (data.train, data.val, data.test):
        assert len(split) > 0
        x, y, weight = split.take(np.arange(min(len(split), 16)))
        for tensor in keras.tree.flatten((x, y, weight)):
            numbers = None if tensor is None else np.asarray(tensor)
            assert numbers is None or numbers.dtype.kind not in "fc" or np.isfinite(numbers).all()
    return ""


def line(error):
    """What an error says, which must be one line that can be printed, and no endless one."""
    said = str(error)
    assert said.isprintable(), said
    assert 20 < len(said) < 1100, said
    return said


def written(folder):
    """All files of a folder and the one around it, with their sizes."""
    return {path: path.stat().st_size for path in folder.parent.rglob("*") if path.is_file()}


@contextmanager
def in_time():
    """A hang is an error too."""

    def late(number, frame):
        raise AssertionError(f"no answer in {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
