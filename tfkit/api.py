"""The Python API: train and tune recipes, and use the runs that they leave."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.inference.predictor import Predictor
from tfkit.run_dir import RunDir


class Run(RunDir):
    """The directory of one training, opened.

    Args:
        folder: What `train` left: `config.json`, `provenance.json`, `metadata.json`, `model.keras`, `metrics.json`,
            `history.csv`, `predictions.csv`.
        recipe: The recipe file again, where it has a reader or layers of its own: a recipe file is code, and runs only
            when the user names it.

    Raises:
        UserError: If the folder is no run.

    Example:
        >>> import tfkit
        >>> run = tfkit.Run("runs/tabular-...")  # doctest: +SKIP
        >>> run.metrics["test"]["accuracy"]  # doctest: +SKIP
        0.87
    """

    def __init__(self, folder: str | os.PathLike[str], *, recipe: Any = None):
        super().__init__(folder)
        self.predictor = Predictor(self, recipe)

    @property
    def model(self) -> Any:
        """The `keras.Model`: raw rows in, predictions out."""
        return self.predictor.model

    @property
    def sample_inputs(self) -> dict[str, np.ndarray]:
        """Some raw rows of the validation split, with which exports are verified."""
        return self.predictor.sample_inputs

    def predict_arrays(self, raw: Any) -> np.ndarray:
        """Predictions for raw rows: probabilities `(rows, classes)`, or values `(rows,)` in the user's units."""
        return self.predictor.predict_arrays(raw)

    def predict(self, source: Any) -> Any:
        """Predict rows: `predicted`, and for classes `probability_CLASS`.

        Args:
            source: A file, a DataFrame or a dictionary of columns.

        Returns:
            A pandas DataFrame with a row for each row of the source.
        """
        return self.predictor.predict(source)

    def predict_file(
        self, file: str | os.PathLike[str], out: str | os.PathLike[str], *, escape_formulas: bool = False
    ) -> Path:
        """Predict every row of a file; write the file's own columns, then the predictions.

        Args:
            file: The file to read.
            out: The file to write.
            escape_formulas: Whether an apostrophe is put before texts that a spreadsheet would compute.
        """
        return self.predictor.predict_file(file, out, escape_formulas=escape_formulas)

    def evaluate(self, source: Any = None) -> dict[str, Any]:
        """The scores of the test split, or of a source that also holds the targets."""
        return self.metrics if source is None else self.predictor.evaluate(source)

    def report(self, *, recipe: Any = None, more_rows: bool = False, find_rate: bool = False, **options: Any) -> Path:
        """Write `report.html` again, from this folder alone; see `tfkit.reporting.report.report`.

        Args:
            recipe: The recipe file, where `more_rows` and `find_rate` need it and it has moved.
            more_rows: Whether to train on a quarter and on a half of the training rows first, to see whether more
                would help; this needs recipe file and data.
            find_rate: Whether to look for a learning rate that suits; this too.
            options: See `tfkit.reporting.report.report`.
        """
        from tfkit.reporting.report import report

        if more_rows or find_rate:
            from tfkit.reporting import experiments

            if find_rate:
                experiments.lr_range_test(self, recipe)
            if more_rows:
                experiments.learning_curve(self, recipe)
        return report(self, **options)

    def log_to_mlflow(self, address: str = "local", **options: Any) -> str:
        """Log settings, curves, scores and the model to MLflow; see `tfkit.reporting.mlflow_export.log_to_mlflow`."""
        from tfkit.reporting.mlflow_export import log_to_mlflow

        return log_to_mlflow(self, address, **options)

    def export(self, format: str = "keras", out: str | os.PathLike[str] | None = None) -> Path:
        """Write the model in another format, verified against this one; see `tfkit.export`."""
        from tfkit.export import export

        return export(self.predictor, format, out)


def train(recipe: Any = None, *, resume: str | Path | None = None, report: bool = True, **options: Any) -> Run:
    """Train a recipe and leave a run: the model, its scores, and how it was made.

    Args:
        recipe: A name of `tfkit.list_recipes()`, the path of a recipe file, or a `Recipe`; optional with `resume`.
        resume: A run to resume; recipe and settings come from it.
        report: Whether `report.html` is written at the end.
        options: See `tfkit.training.train.train`: `out`, `device`, `anyway`, `settings`, `test`, `tensorboard`,
            `until`, `checkpoint_minutes`, `quiet`, and the settings of the recipe.

    Returns:
        The finished `Run`.

    Raises:
        UserError: If something is wrong that the user can fix.
        NotFiniteError: If the loss becomes NaN or infinite.
        Interrupted: If a signal stopped it; the state is saved.

    Example:
        >>> import tfkit
        >>> run = tfkit.train("tabular", epochs=5)  # doctest: +SKIP
    """
    from tfkit.catalog.load import load_recipe
    from tfkit.reporting.report import analyze_and_report
    from tfkit.training import train as training_train

    if recipe is not None or resume is None:
        recipe = load_recipe(recipe if recipe is not None else "tabular")
    finish = analyze_and_report if report else None
    return Run(training_train.train(recipe, resume=resume, on_finish=finish, **options).folder, recipe=recipe)


def tune(recipe: Any = None, **options: Any) -> Run:
    """Search the settings of a recipe; see `tfkit.tuning.tune.tune`."""
    from tfkit.catalog.load import load_recipe
    from tfkit.tuning import tune as tuning_tune

    recipe = load_recipe(recipe if recipe is not None else "tabular")
    return Run(tuning_tune.tune(recipe, **options).folder, recipe=recipe)
