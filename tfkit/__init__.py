"""Keras recipes: from your data to a trained, evaluated and exported model.

A public name is imported at its first use, so that `import tfkit` loads neither Keras nor TensorFlow.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    "verify": "tfkit.verification.verify:verify",
    "WindowDataset": "tfkit.datasets.windows:WindowDataset",
}

if TYPE_CHECKING:  # what `__getattr__` imports, for editors and type checkers; a test compares both
    from tfkit import callbacks as callbacks
    from tfkit import data as data
    from tfkit import layers as layers
    from tfkit import linear_models as linear_models
    from tfkit import losses as losses
    from tfkit import metrics as metrics
    from tfkit import schedules as schedules
    from tfkit import tasks as tasks
    from tfkit import testing as testing
    from tfkit.api import Run as Run
    from tfkit.api import train as train
    from tfkit.api import tune as tune
    from tfkit.catalog.load import load_recipe as load_recipe
    from tfkit.catalog.recipes import copy_recipe as copy_recipe
    from tfkit.catalog.recipes import describe as describe
    from tfkit.catalog.recipes import list_recipes as list_recipes
    from tfkit.config import Config as Config
    from tfkit.config import Fraction as Fraction
    from tfkit.config import LossName as LossName
    from tfkit.config import NonNegativeFloat as NonNegativeFloat
    from tfkit.config import NonNegativeInt as NonNegativeInt
    from tfkit.config import OptimizerName as OptimizerName
    from tfkit.config import PositiveFloat as PositiveFloat
    from tfkit.config import PositiveFraction as PositiveFraction
    from tfkit.config import PositiveInt as PositiveInt
    from tfkit.config import ScheduleName as ScheduleName
    from tfkit.config import SupervisedConfig as SupervisedConfig
    from tfkit.datasets.array import ArrayDataset as ArrayDataset
    from tfkit.datasets.array import keras_inputs as keras_inputs
    from tfkit.datasets.windows import WindowDataset as WindowDataset
    from tfkit.errors import UserError as UserError
    from tfkit.evaluation import baselines as baselines
    from tfkit.inference.load_model import load_model as load_model
    from tfkit.metadata import Metadata as Metadata
    from tfkit.metadata import Target as Target
    from tfkit.optimizers import make_optimizer as make_optimizer
    from tfkit.recipe import Data as Data
    from tfkit.recipe import Recipe as Recipe
    from tfkit.reporting.comparison import compare as compare
    from tfkit.reporting.run_list import list_runs as list_runs
    from tfkit.search_space import log_uniform as log_uniform
    from tfkit.training.fit import fit as fit
    from tfkit.verification.verify import verify as verify

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


if not TYPE_CHECKING:  # else every name would be accepted

    def __getattr__(name: str) -> Any:
        if name not in PUBLIC:
            hint = import_module("tfkit.errors").did_you_mean(name, PUBLIC)
            raise AttributeError(f"module 'tfkit' has no attribute {name!r}.{hint} Its names: {', '.join(PUBLIC)}.")
        if name in NEEDS_TENSORFLOW:
            import_module("tfkit.datasets.keras_settings").require_tensorflow_backend(name)
        module, _, attribute = PUBLIC[name].partition(":")
        imported = import_module(module)
        globals()[name] = getattr(imported, attribute) if attribute else imported
        return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
