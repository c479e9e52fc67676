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
    "ArrayDataset": "tfkit.datasets.array:ArrayDataset",
    "Run": "tfkit.api:Run",
    "UserError": "tfkit.errors:UserError",
    "WindowDataset": "tfkit.datasets.windows:WindowDataset",
    "NonNegativeFloat": "tfkit.config:NonNegativeFloat",
    "ScheduleName": "tfkit.config:ScheduleName",
    "OptimizerName": "tfkit.config:OptimizerName",
    "baselines": "tfkit.evaluation.baselines",
    "callbacks": "tfkit.callbacks",
    "verify": "tfkit.verification.verify:verify",
    "compare": "tfkit.reporting.comparison:compare",
    "copy_recipe": "tfkit.catalog.recipes:copy_recipe",
    "PositiveInt": "tfkit.config:PositiveInt",
    "data": "tfkit.data",
    "fit": "tfkit.training.fit:fit",
    "Fraction": "tfkit.config:Fraction",
    "keras_inputs": "tfkit.datasets.array:keras_inputs",
    "layers": "tfkit.layers",
    "load_recipe": "tfkit.catalog.load:load_recipe",
    "load_model": "tfkit.inference.load_model:load_model",
    "log_uniform": "tfkit.search_space:log_uniform",
    "losses": "tfkit.losses",
    "list_recipes": "tfkit.catalog.recipes:list_recipes",
    "metrics": "tfkit.metrics",
    "make_optimizer": "tfkit.optimizers:make_optimizer",
    "PositiveFloat": "tfkit.config:PositiveFloat",
    "read_history": "tfkit.data.forecasting.reading:read_history",
    "read_images": "tfkit.data.image.reading:read_images",
    "read_series": "tfkit.data.series.reading:read_series",
    "read_table": "tfkit.data.tabular.reading:read_table",
    "read_texts": "tfkit.data.text.reading:read_texts",
    "list_runs": "tfkit.reporting.run_list:list_runs",
    "schedules": "tfkit.schedules",
    "describe": "tfkit.catalog.recipes:describe",
    "testing": "tfkit.testing",
    "train": "tfkit.api:train",
    "tune": "tfkit.api:tune",
    "NonNegativeInt": "tfkit.config:NonNegativeInt",
}

__all__ = ["__version__", "sample_path", *PUBLIC]


def sample_path(name: str) -> Path:
    """The path of a small data set that ships with tfkit; `data/NAME.md` says what is in it and whose it is."""
    folder = CHECKOUT / "data" if CHECKOUT else HERE / "samples"
    if (folder / name).is_file():
        return folder / name
    from tfkit.errors import UserError, did_you_mean

    names = sorted(path.name for path in folder.glob("*") if path.suffix != ".md")
    raise UserError(f"No sample {name!r}.{did_you_mean(name, names)} Samples: {', '.join(names)}.")


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'tfkit' has no attribute {name!r}. Its names: {', '.join(PUBLIC)}.")
    module, _, attribute = PUBLIC[name].partition(":")
    found = import_module(module)
    globals()[name] = getattr(found, attribute) if attribute else found
    return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
