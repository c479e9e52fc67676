import pytest

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
