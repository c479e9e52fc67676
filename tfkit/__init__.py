"""Keras recipes: from your data to a trained, evaluated and exported model.

A public name is imported at its first use, so that `import tfkit` loads neither Keras nor TensorFlow.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

PACKAGE_FOLDER = Path(__file__).resolve().parent

# Root of the repository; None if tfkit was installed from a wheel.
CHECKOUT = PACKAGE_FOLDER.parent if (PACKAGE_FOLDER.parent / "pyproject.toml").is_file() else None

# name -> "module" or "module:attribute"
PUBLIC = {
    "ArrayDataset": "tfkit.datasets.array:ArrayDataset",
    "baselines": "tfkit.evaluation.baselines",
    "callbacks": "tfkit.callbacks",
    "compare": "tfkit.reporting.comparison:compare",
    "Config": "tfkit.config:Config",
    "copy_recipe": "tfkit.catalog.recipes:copy_recipe",
    "data": "tfkit.data",
    "linear_models": "tfkit.linear_models",
    "Data": "tfkit.recipe:Data",
    "describe": "tfkit.catalog.recipes:describe",
    "fit": "tfkit.training.fit:fit",
    "Fraction": "tfkit.config:Fraction",
    "keras_inputs": "tfkit.datasets.array:keras_inputs",
    "layers": "tfkit.layers",
    "list_recipes": "tfkit.catalog.recipes:list_recipes",
    "list_runs": "tfkit.reporting.run_list:list_runs",
    "load_model": "tfkit.inference.load_model:load_model",
    "load_recipe": "tfkit.catalog.load:load_recipe",
    "log_uniform": "tfkit.search_space:log_uniform",
    "losses": "tfkit.losses",
    "LossName": "tfkit.config:LossName",
    "make_optimizer": "tfkit.optimizers:make_optimizer",
    "Metadata": "tfkit.metadata:Metadata",
    "metrics": "tfkit.metrics",
    "NonNegativeFloat": "tfkit.config:NonNegativeFloat",
    "NonNegativeInt": "tfkit.config:NonNegativeInt",
    "OptimizerName": "tfkit.config:OptimizerName",
    "PositiveFloat": "tfkit.config:PositiveFloat",
    "PositiveFraction": "tfkit.config:PositiveFraction",
    "PositiveInt": "tfkit.config:PositiveInt",
    "Recipe": "tfkit.recipe:Recipe",
    "Run": "tfkit.api:Run",
    "ScheduleName": "tfkit.config:ScheduleName",
    "schedules": "tfkit.schedules",
    "SupervisedConfig": "tfkit.config:SupervisedConfig",
    "Target": "tfkit.metadata:Target",
    "tasks": "tfkit.tasks",
    "testing": "tfkit.testing",
    "train": "tfkit.api:train",
    "tune": "tfkit.api:tune",
    "UserError": "tfkit.errors:UserError",
    "verify": "tfkit.verification:verify",
    "WindowDataset": "tfkit.datasets.windows:WindowDataset",
}

NEEDS_TENSORFLOW = {"fit", "load_model", "Run", "train", "tune", "verify"}  # layers and losses work on all backends

__all__ = ["__version__", "sample_path", *PUBLIC]


def sample_path(name: str) -> Path:
    """Return the path of a small data set that comes with tfkit; `data/NAME.md` describes it."""
    folder = CHECKOUT / "data" if CHECKOUT else PACKAGE_FOLDER / "samples"
    if (folder / name).is_file():
        return folder / name
    from tfkit.errors import UserError, did_you_mean

    names = sorted(path.name for path in folder.glob("*") if path.suffix != ".md")
    raise UserError(f"No sample {name!r}.{did_you_mean(name, names)} Samples: {', '.join(names)}.")


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'tfkit' has no attribute {name!r}. Its names: {', '.join(PUBLIC)}.")
    if name in NEEDS_TENSORFLOW:
        import_module("tfkit.datasets.keras_settings").require_tensorflow_backend(name)
    module, _, attribute = PUBLIC[name].partition(":")
    imported = import_module(module)
    globals()[name] = getattr(imported, attribute) if attribute else imported
    return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
