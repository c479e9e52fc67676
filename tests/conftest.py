"""Fixtures of all tests: a recipe file, no reports after training, and seeded random numbers."""

import gc
import os
import zlib

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # silence TensorFlow's log

RECIPE_SOURCE = '''"""Predict yes for every row.

Data     none
"""

from pathlib import Path
from typing import ClassVar, Literal

import tfkit


class Config(tfkit.Config):
    sample_only_defaults: ClassVar[dict[str, tuple[str, ...]]] = {"data": ("target",)}

    data: Path = Path("sample.csv")  # the rows
    target: str = "income"  # the column to predict
    num_layers: tfkit.PositiveInt = 3  # hidden layers
    architecture: Literal["mlp", "tabm"] = "mlp"
    epochs: tfkit.PositiveInt | None = 7


def data(config):
    raise RuntimeError("no data")


def model(config, data): ...


recipe = tfkit.Recipe(Config, data, model, search_space={"num_layers": (1, 4)})
'''


@pytest.fixture
def recipe_file(tmp_path):
    """Path of a recipe file of a user."""
    path = tmp_path / "mine.py"
    path.write_text(RECIPE_SOURCE)
    return path


def pytest_collection_finish():
    """Exclude imported objects from garbage collection, which every training runs."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def disable_reports():
    """Render no report after training, unless a test requests it, to save time."""
    from tfkit.api import train

    train.__kwdefaults__["report"] = False
    yield
    train.__kwdefaults__["report"] = True


@pytest.fixture(autouse=True)
def reseed_module_generator(request):
    """Seed the RANDOM generator of a module from the test name, so that tests do not depend on their order."""
    generator = getattr(request.module, "RANDOM", None)
    if generator is not None:
        seed = zlib.crc32(request.node.nodeid.encode())
        generator.bit_generator.state = np.random.default_rng(seed).bit_generator.state
