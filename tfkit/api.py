"""The Python API: train and tune recipes, and use their runs."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.inference.predictor import Predictor
from tfkit.recipe import Recipe
from tfkit.run_dir import RunDir

if TYPE_CHECKING:
    import keras
    import pandas as pd


class Run(RunDir):
    """The directory of one training, opened.

    Args:
        folder: Directory that `train` wrote: `config.json`, `provenance.json`, `metadata.json`, `model.keras`,
            `metrics.json`, `history.csv`, `predictions.csv`.
        recipe: The recipe file, if it defines a reader or layers: a recipe file is code, and runs only if the user
            names it.

    Raises:
        UserError: If the folder is not a run.

    Example:
        >>> import tfkit
        >>> run = tfkit.Run("runs/tabular-...")  # doctest: +SKIP
        >>> run.metrics["test"]["accuracy"]  # doctest: +SKIP
        0.87
    """

    def __init__(self, folder: str | os.PathLike[str], *, recipe: str | Path | Recipe | None = None):
        super().__init__(folder)
        self.predictor = Predictor(self, recipe)

    @property
    def model(self) -> "keras.Model":
        """The `keras.Model`: raw rows in, predictions out."""
        return self.predictor.model

    @property
    def sample_inputs(self) -> dict[str, np.ndarray]:
        """Some raw rows of the validation split, with which exports are verified."""
        return self.predictor.sample_inputs

    def _repr_html_(self) -> str:
        """The card of the run that a notebook shows."""
        from tfkit.reporting.run_card import run_card

        return run_card(self)

    def predict_arrays(self, raw: Any) -> np.ndarray:
        """Predictions for raw rows: probabilities `(rows, classes)`, or values `(rows,)` in the user's units."""
        return self.predictor.predict_arrays(raw)

    def predict(
        self, source: Any, *, threshold: float | None = None, false_negative_cost: float | None = None
    ) -> "pd.DataFrame":
        """Predict rows: `predicted`, and for classes `probability_CLASS`.

        Args:
            source: A file, a DataFrame, a Series (one row), an Arrow table (of polars, PyArrow, ...), a dictionary of
                columns or of one row, or a list of dictionaries (rows).
            threshold: Probability, in [0, 1], from which the positive class (or a tag) is predicted; None for the most
                likely class, or what `report(false_negative_cost=...)` stored in the run.
            false_negative_cost: Instead of a threshold: cost of a false negative in false positives, above 0; the
                threshold with the lowest cost on the test rows is used.

        Returns:
            A pandas DataFrame with a row for each row of the source.
        """
        return self.predictor.predict(source, threshold=threshold, false_negative_cost=false_negative_cost)

    def predict_file(
        self,
        file: str | os.PathLike[str],
        out: str | os.PathLike[str],
        *,
        escape_formulas: bool = False,
        threshold: float | None = None,
        false_negative_cost: float | None = None,
    ) -> Path:
        """Predict every row of a file; write the columns of the file, then the predictions.

        A text file is written with the delimiter and the encoding of the file that is read.

        Args:
            file: The file to read.
            out: The file to write.
            escape_formulas: Whether an apostrophe is put before texts that a spreadsheet would compute.
            threshold, false_negative_cost: As in `predict`.
        """
        decision: dict[str, Any] = {"threshold": threshold, "false_negative_cost": false_negative_cost}
        return self.predictor.predict_file(file, out, escape_formulas=escape_formulas, **decision)

    def evaluate(self, source: Any = None) -> dict[str, Any]:
        """Return the scores of the test split, or of a source that contains the targets."""
        return self.metrics if source is None else self.predictor.evaluate(source)

    def report(
        self,
        *,
        false_negative_cost: float | None = None,
        learning_curve: bool = False,
        lr_range_test: bool = False,
        recipe: str | Path | Recipe | None = None,
    ) -> Path:
        """Write `report.html` again, from this directory alone.

        Args:
            false_negative_cost: Cost of a false negative in false positives, above 0; the threshold with the lowest
                cost is stored in the run, and used by later predictions. 1 restores the default, None changes nothing.
            learning_curve: Whether to train on a quarter and on a half of the training rows first, to see whether more
                rows would help; this needs the recipe file and the data.
            lr_range_test: Whether to search for a learning rate first; this too.
            recipe: The recipe file, where these two need it and it has moved.

        Returns:
            The path of the report.
        """
        from tfkit.reporting.report import report

        if learning_curve or lr_range_test:
            from tfkit.reporting import experiments

            if lr_range_test:
                experiments.lr_range_test(self, recipe)
            if learning_curve:
                experiments.learning_curve(self, recipe)
        return report(self, false_negative_cost=false_negative_cost)

    def log_to_mlflow(self, tracking_uri: str = "local", *, experiment: str | None = None) -> str:
        """Log settings, curves, scores and the model to MLflow; see `tfkit.reporting.mlflow_export`."""
        from tfkit.reporting.mlflow_export import log_to_mlflow

        return log_to_mlflow(self, tracking_uri, experiment=experiment)

    def export(self, format: str = "keras", out: str | os.PathLike[str] | None = None) -> Path:
        """Write the model in another format, verified against this one; see `tfkit.export`."""
        from tfkit.export import export

        return export(self.predictor, format, out)


def train(
    recipe: str | Path | Recipe | None = None,
    *,
    out: str | Path = "runs",
    device: str = "auto",
    resume: str | Path | None = None,
    ignore_versions: bool = False,
    config: str | Path | Mapping[str, Any] | None = None,
    skip_test: bool = False,
    report: bool = True,
    tensorboard: bool = False,
    stop_after_epoch: int | None = None,
    checkpoint_minutes: float | None = None,
    quiet: bool = False,
    **overrides: Any,
) -> Run:
    """Train a recipe and write a run directory: the model, its scores, the report.

    Args:
        recipe: A name of `tfkit.list_recipes()`, the path of a recipe file, or a `Recipe`; optional with `resume`.
        out: Parent of the new run directory.
        device: auto, cpu, gpu, mirrored, mirrored:N or multiworker.
        resume: A run to resume; recipe and settings come from it.
        ignore_versions: Whether to resume although versions of packages differ.
        config: A JSON file or a mapping of settings; `overrides` have priority.
        skip_test: Whether the test split is not evaluated.
        report: Whether `report.html` is written at the end.
        tensorboard: Whether curves, settings and scores are also written for TensorBoard, into the run.
        stop_after_epoch: Epoch after which training pauses with its state saved; the run is then not finished.
        checkpoint_minutes: Interval of checkpoints inside a long epoch, above 0; None: 3, or that of the resumed run.
        quiet: Whether nothing is printed.
        overrides: Settings of the recipe.

    Returns:
        The `Run`.

    Raises:
        UserError: If something is wrong that the user can fix.
        NotFiniteError: If the loss becomes NaN or infinite.
        Interrupted: If a signal stopped training; the state is saved.

    Example:
        >>> import tfkit
        >>> run = tfkit.train("tabular", epochs=5)  # doctest: +SKIP
    """
    from tfkit.catalog.load import load_recipe
    from tfkit.reporting.report import analyze_and_report
    from tfkit.training import train as training

    if resume is None:  # otherwise `training` compares the file with that of the run before it is executed
        recipe = load_recipe(recipe if recipe is not None else "tabular")
    run_dir = training.train(
        recipe,
        out=out,
        device=device,
        resume=resume,
        ignore_versions=ignore_versions,
        config=config,
        skip_test=skip_test,
        tensorboard=tensorboard,
        stop_after_epoch=stop_after_epoch,
        checkpoint_minutes=checkpoint_minutes,
        quiet=quiet,
        on_finish=analyze_and_report if report else None,
        **overrides,
    )
    return Run(run_dir.folder, recipe=recipe)


def tune(
    recipe: str | Path | Recipe | None = None,
    *,
    trials: int = 20,
    time_limit_minutes: float | None = None,
    algorithm: str = "random",
    workers: int = 1,
    device: str = "auto",
    out: str | Path | None = None,
    search: Mapping[str, Any] | Sequence[str] = (),
    objective: str | None = None,
    finalists: int = 3,
    dask_address: str | None = None,
    overwrite: bool = False,
    config: str | Path | Mapping[str, Any] | None = None,
    quiet: bool = False,
    **overrides: Any,
) -> Run:
    """Search the hyperparameters of a recipe, and train the winner as a normal run.

    The arguments are those of `tfkit.tuning.tune.tune`, which documents them.

    Returns:
        The winner, a finished `Run`.

    Example:
        >>> import tfkit
        >>> run = tfkit.tune("tabular", trials=20, time_limit_minutes=30)  # doctest: +SKIP
    """
    from tfkit.catalog.load import load_recipe
    from tfkit.tuning import tune as tuning

    recipe = load_recipe(recipe if recipe is not None else "tabular")
    winner = tuning.tune(
        recipe,
        trials=trials,
        time_limit_minutes=time_limit_minutes,
        algorithm=algorithm,
        workers=workers,
        device=device,
        out=out,
        search=search,
        objective=objective,
        finalists=finalists,
        dask_address=dask_address,
        overwrite=overwrite,
        config=config,
        quiet=quiet,
        **overrides,
    )
    return Run(winner.folder, recipe=recipe)
