"""The contract check of a recipe."""

import math
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from tfkit.api import Run, train
from tfkit.catalog.load import load_recipe
from tfkit.errors import Interrupted, UserError
from tfkit.recipe import Recipe
from tfkit.testing.expectations import Checker
from tfkit.training.checkpoint import Checkpoint

MIN_STEPS = 4

HISTORY_COLUMNS = ("loss", "val_loss", "learning_rate")


def check_recipe(
    recipe: Any,
    settings: dict[str, Any],
    *,
    source: Any = None,
    invalid_settings: Sequence[tuple[dict[str, Any], str]] = (),
    tolerance: float = 1e-5,
) -> Run:
    """Check that a recipe trains, resumes, predicts and exports correctly.

    The recipe is trained twice with these settings, the second time with an interruption, so use small settings.
    Checked:

    * invalid settings raise a `UserError` with its message, and leave no folder behind (`invalid_settings`);
    * an interrupted and resumed training is bit-identical to an uninterrupted one: no random state is lost, and
      evaluating the test split, which the second training does not do, changes nothing;
    * the scores of validation, test and baselines exist and none is NaN or infinite, and predictions.csv has the
      rows of the test split;
    * `model.keras` predicts finite values, and the same for a single row as for this row in a batch;
    * the export as a SavedModel predicts the same (`tfkit.export` compares);
    * a source that contains the targets can be predicted, in memory and to a file, and evaluated.

    Args:
        recipe: Whatever `tfkit.load_recipe` accepts.
        settings: Settings that train in seconds, with at least two epochs of two steps.
        source: What `tfkit evaluate` and `tfkit predict` accept: a path, or what else the reader of the recipe accepts;
            None to skip this check.
        invalid_settings: Pairs of invalid settings (merged into `settings`) and a regular expression that the error
            message must match.
        tolerance: Largest allowed difference between a single row and the row in a batch, relative to the largest
            value.

    Returns:
        The uninterrupted run, for further checks; its folder is deleted when Python exits.

    Raises:
        AssertionError: With a sentence that says what is wrong and how to fix it.

    Example:
        >>> import tfkit
        >>> run = tfkit.testing.check_recipe("tabular", {"epochs": 2, "units": 8})  # doctest: +SKIP
    """
    loaded = load_recipe(recipe)
    checker, out = Checker(f"Recipe {loaded.name}", tolerance), _temporary_folder()
    _check_invalid_settings(checker, loaded, settings, invalid_settings, out / "rejected")
    with _record_steps() as steps:
        uninterrupted = train(loaded, config=settings, out=out / "uninterrupted", report=False, quiet=True)
    checker.expect(
        len(steps) >= MIN_STEPS,
        f"`settings` must give at least {MIN_STEPS} steps, so that training can be interrupted. Received: "
        f"{len(steps)}.",
    )
    resumed = _interrupt_and_resume(checker, loaded, settings, out / "interrupted", after_step=len(steps) // 2 + 1)
    _check_same(checker, uninterrupted, resumed)
    _check_scores(checker, uninterrupted)
    _check_saved_model(checker, uninterrupted)
    if source is not None:
        _check_source(checker, uninterrupted, source, out)
    return uninterrupted


def _check_invalid_settings(
    checker: Checker,
    recipe: Recipe,
    settings: dict[str, Any],
    invalid: Sequence[tuple[dict[str, Any], str]],
    out: Path,
) -> None:
    """Check that invalid settings are rejected in one line, and create no folder."""

    def train_with(**changes: Any) -> None:
        try:
            train(recipe, config={**settings, **changes}, out=out, report=False, quiet=True)
        except UserError as error:
            has_one_line = "\n" not in str(error)
            checker.expect(has_one_line, f"{changes} must be rejected in one line. Received: {error}")
            checker.expect(
                not out.exists(),
                f"{changes} must leave no folder behind: raise in `Config.validate_settings` or `data`.",
            )
            raise ValueError(str(error)) from error

    checker.expect_rejected(train_with, invalid)


def _interrupt_and_resume(
    checker: Checker, recipe: Recipe, settings: dict[str, Any], out: Path, after_step: int
) -> Run:
    """Train a recipe, interrupt it after a number of steps, and resume it."""
    with _record_steps(stop_after=after_step), suppress(Interrupted):
        train(recipe, config=settings, out=out, skip_test=True, report=False, quiet=True)
    [folder] = out.iterdir()
    with checker.attempt("It must be possible to resume it after an interruption."):
        return train(recipe, resume=folder, report=False, quiet=True)


def _check_same(checker: Checker, uninterrupted: Run, resumed: Run) -> None:
    """Check that the history and the weights of two runs are equal."""
    names = [name for name in HISTORY_COLUMNS if name in _history(uninterrupted)]
    for name in names:
        checker.expect(
            _history(uninterrupted)[name] == _history(resumed)[name],
            f"Interrupted and resumed, it has a different `{name}` than without interruption. Use `random` of "
            "`augment` or a keras.random.SeedGenerator of a layer for random numbers, and store in weights what later "
            "steps need.",
        )
    weights = zip(uninterrupted.model.get_weights(), resumed.model.get_weights(), strict=True)
    checker.expect(
        all(np.array_equal(expected, actual) for expected, actual in weights),
        "Interrupted and resumed, it ends with different weights than without interruption, although the history is "
        "the same: some state is not saved, or evaluating the test split changes the model.",
    )


def _check_scores(checker: Checker, run: Run) -> None:
    """Check that all scores exist and are finite."""
    for key in ("val", "test", "baselines"):
        scores = run.metrics.get(key)
        checker.expect(scores, f"metrics.json has no scores of {key}. Set `baselines` and return three splits.")
        non_finite = [".".join(path) for path, value in _leaves(scores) if not math.isfinite(value)]
        checker.expect(not non_finite, f"Scores of {key} must be finite; these are not: {', '.join(non_finite)}.")


def _check_saved_model(checker: Checker, run: Run) -> None:
    """Check that the saved model predicts each row independently, and can be exported."""
    raw = run.sample_inputs
    predictions = run.predict_arrays(raw)
    checker.expect(
        np.isfinite(predictions).all(), "The predictions of the saved model for validation rows must be finite."
    )
    for i in range(min(3, len(predictions))):
        checker.expect_close(
            run.predict_arrays({name: array[i : i + 1] for name, array in raw.items()}),
            predictions[i : i + 1],
            "The saved model must predict the same for a single row as for this row in a batch. "
            "No layer may depend on other rows of the batch.",
        )
    with checker.attempt("It must be possible to export it as a SavedModel with the same predictions."):
        run.export("savedmodel")


def _check_source(checker: Checker, run: Run, source: Any, out: Path) -> None:
    """Check that a source with targets can be evaluated and predicted."""
    with checker.attempt("It must be possible to evaluate and predict a source that contains the targets."):
        scores, frame = run.evaluate(source), run.predict(source)
    checker.expect(scores.get("test"), "`evaluate` must return scores for a source.")
    checker.expect(len(frame), "`predict` must return predictions for the rows of a source.")
    if isinstance(source, (str, Path)):
        with checker.attempt("It must be possible to predict a file into a file."):
            run.predict_file(source, out / "predictions.csv")
        lines = (out / "predictions.csv").read_text(encoding="utf-8").splitlines()
        checker.expect(len(lines) > 1, "The file of predictions must have a row for each prediction.")


@contextmanager
def _record_steps(stop_after: int | None = None) -> Iterator[list[int]]:
    """Train one step per compiled call, record the steps, and stop after some."""
    steps: list[int] = []
    original = Checkpoint.on_train_batch_end

    def on_train_batch_end(self: Checkpoint, batch: int, logs: Any = None) -> None:
        steps.append(batch)
        if len(steps) == stop_after:
            self.stop = signal.SIGTERM
        original(self, batch, logs)

    with (
        patch.object(Checkpoint, "on_train_batch_end", on_train_batch_end),
        patch("tfkit.training.fit.SECONDS_PER_CALL", 0.0),
    ):
        yield steps


def _history(run: Run) -> dict[str, list[str]]:
    """Read the columns of history.csv as text."""
    names, *rows = [line.split(",") for line in run.path("history.csv").read_text(encoding="utf-8").splitlines()]
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield every number of a tree of scores with its path of names."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _leaves(value, (*path, name))
    elif isinstance(tree, list):
        for value in tree:
            yield from _leaves(value, path)
    elif isinstance(tree, (int, float)):
        yield path, float(tree)


TEMPORARY_FOLDERS: list[tempfile.TemporaryDirectory] = []  # deleted when Python exits


def _temporary_folder() -> Path:
    """Create a folder that is deleted when Python exits."""
    TEMPORARY_FOLDERS.append(tempfile.TemporaryDirectory(prefix="tfkit-"))
    return Path(TEMPORARY_FOLDERS[-1].name)
