"""What all tests share: pages and tables to begin with, and randomness that begins anew for each."""

import gc
import os
import zlib

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # chatter of TensorFlow's is no line of ours

PAGE = '''"""Say yes to everything.

Data     none
"""

from pathlib import Path
from typing import ClassVar, Literal

import tfkit


class Config(tfkit.Config):
    fits_sample: ClassVar[dict[str, tuple[str, ...]]] = {"table": ("target",)}

    table: Path = Path("sample.csv")  # the rows
    target: str = "income"  # the column to predict
    depth: tfkit.count = 3  # hidden layers
    body: Literal["mlp", "ensemble"] = "mlp"
    epochs: tfkit.count | None = 7


def data(config):
    raise RuntimeError("no data")


def model(config, data): ...


recipe = tfkit.Recipe(Config, data, model, search={"depth": (1, 4)})
'''


@pytest.fixture
def page(tmp_path):
    """A page of one's own."""
    path = tmp_path / "mine.py"
    path.write_text(PAGE)
    return path


def pytest_collection_finish():
    """What was imported stays: the garbage collector, which every training calls, need not look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def few_reports():
    """A report is made in a test that asks for it, not at the end of every training: the tests are many."""
    from tfkit.api import train

    train.__kwdefaults__["report"] = False
    yield
    train.__kwdefaults__["report"] = True


@pytest.fixture(autouse=True)
def same_numbers(request):
    """A module's RANDOM begins anew for each test, as its name says, so that none depends on which ran before."""
    generator = getattr(request.module, "RANDOM", None)
    if generator is not None:
        seed = zlib.crc32(request.node.nodeid.encode())
        generator.bit_generator.state = np.random.default_rng(seed).bit_generator.state
