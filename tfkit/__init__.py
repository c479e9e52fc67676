"""Keras recipes for people who have data: settings, data, model in; a folder that proves what it learnt out.

Every public name is imported when it is first asked for, so that `import tfkit` loads neither Keras nor TensorFlow.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

HERE = Path(__file__).resolve().parent

# The checkout that this file belongs to; None where tfkit was installed from a wheel.
CHECKOUT = HERE.parent if (HERE.parent / "pyproject.toml").is_file() else None

# name -> "module" or "module:attribute"
PUBLIC = {
    "Config": "tfkit.config:Config",
    "Data": "tfkit.recipe:Data",
    "Recipe": "tfkit.recipe:Recipe",
    "Rows": "tfkit.datasets.array:Rows",
    "Run": "tfkit.api:Run",
    "UserError": "tfkit.errors:UserError",
    "Windows": "tfkit.datasets.windows:Windows",
    "amount": "tfkit.config:amount",
    "any_decay": "tfkit.config:any_decay",
    "any_optimizer": "tfkit.config:any_optimizer",
    "baselines": "tfkit.evaluation.baselines",
    "callbacks": "tfkit.callbacks",
    "check": "tfkit.verification:check",
    "compare": "tfkit.reporting.comparison:compare",
    "copy": "tfkit.catalog.recipes:copy",
    "count": "tfkit.config:count",
    "data": "tfkit.data",
    "fit": "tfkit.training.fit:fit",
    "fraction": "tfkit.config:fraction",
    "inputs": "tfkit.datasets.array:inputs",
    "layers": "tfkit.layers",
    "load": "tfkit.catalog.load:load",
    "load_model": "tfkit.inference.load_model:load_model",
    "log": "tfkit.search_space:log",
    "losses": "tfkit.losses",
    "ls": "tfkit.catalog.recipes:ls",
    "metrics": "tfkit.metrics",
    "optimizer": "tfkit.optimizers:optimizer",
    "positive": "tfkit.config:positive",
    "read_history": "tfkit.data.forecasting.reading:read_history",
    "read_images": "tfkit.data.image.reading:read_images",
    "read_series": "tfkit.data.series.reading:read_series",
    "read_table": "tfkit.data.tabular.reading:read_table",
    "read_texts": "tfkit.data.text.reading:read_texts",
    "runs": "tfkit.reporting.run_list:runs",
    "schedules": "tfkit.schedules",
    "show": "tfkit.catalog.recipes:show",
    "testing": "tfkit.testing",
    "train": "tfkit.api:train",
    "tune": "tfkit.api:tune",
    "whole": "tfkit.config:whole",
}

__all__ = ["__version__", "sample", *PUBLIC]


def sample(name: str) -> Path:
    """The path of a small data set that ships with tfkit; `data/NAME.md` says what is in it and whose it is."""
    folder = CHECKOUT / "data" if CHECKOUT else HERE / "samples"
    if (folder / name).is_file():
        return folder / name
    from tfkit.errors import UserError, nearest

    names = sorted(path.name for path in folder.glob("*") if path.suffix != ".md")
    raise UserError(f"No sample {name!r}.{nearest(name, names)} Samples: {', '.join(names)}.")


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'tfkit' has no attribute {name!r}. Its names: {', '.join(PUBLIC)}.")
    module, _, attribute = PUBLIC[name].partition(":")
    found = import_module(module)
    globals()[name] = getattr(found, attribute) if attribute else found
    return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
