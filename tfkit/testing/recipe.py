"""The contract of a recipe."""

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
from tfkit.errors import Interrupted, UserError
from tfkit.recipe import load
from tfkit.resume import Checkpoint
from tfkit.testing.judge import Judge

CURVES = ("loss", "val_loss", "learning_rate")


def check_recipe(
    recipe: Any,
    settings: dict[str, Any],
    *,
    source: Any = None,
    refused: Sequence[tuple[dict[str, Any], str]] = (),
    tolerance: float = 1e-5,
) -> Run:
    """Hold a recipe to what everybody who trains it relies on, and say in a sentence what it is not.

    It is trained twice with these settings, the second time stopped in the midst, so let them be small. Checked:

    * settings that it must refuse end in a `UserError` with its message, and leave no folder behind (`refused`);
    * stopped in the midst and resumed, it ends with the same bits as never stopped: nothing random is lost, and scoring
      the test split, which the second training does not do, changes nothing;
    * the scores of validation, test and baselines are there and none is NaN or infinite, and predictions.csv has the
      rows of the test split;
    * `model.keras` answers finite numbers, and a row alone as it answers it among others;
    * the export as a SavedModel answers the same (`tfkit.export` compares);
    * a source that holds the truth is predicted, from memory and to a file, and scored.

    Args:
        recipe: Whatever `tfkit.load` takes.
        settings: Settings with which it trains in seconds, over at least two epochs of two steps.
        source: What `tfkit evaluate` and `tfkit predict` take: a path, or what else the recipe's reader takes; None to
            leave that out.
        refused: Pairs of settings (put over `settings`) and a regular expression that the message must contain.
        tolerance: Largest difference allowed between a row alone and among others, as a share of the largest value.

    Returns:
        The run that was never stopped, in a folder that is gone when Python exits: look at it further.

    Raises:
        AssertionError: With a sentence that says what is wrong and what to do.

    Example:
        >>> import tfkit
        >>> run = tfkit.testing.check_recipe("tabular", {"epochs": 2, "units": 8})  # doctest: +SKIP
    """
    loaded = load(recipe)
    judge, out = Judge(f"Recipe {loaded.name}", tolerance), _folder()
    _check_refusals(judge, loaded, settings, refused, out / "refused")
    with _steps() as calls:
        straight = train(loaded, settings=settings, out=out / "straight", report=False, quiet=True)
    judge.expect(len(calls) >= 4, f"`settings` must make at least 4 steps, to be stopped between. Made: {len(calls)}.")
    resumed = _stopped_and_resumed(judge, loaded, settings, out / "stopped", after=len(calls) // 2 + 1)
    _check_same(judge, straight, resumed)
    _check_scores(judge, straight)
    _check_file(judge, straight)
    if source is not None:
        _check_source(judge, straight, source, out)
    return straight


def _check_refusals(judge: Judge, recipe: Any, settings: dict[str, Any], refused: Any, out: Path) -> None:
    def make(**change: Any) -> None:
        try:
            train(recipe, settings={**settings, **change}, out=out, report=False, quiet=True)
        except UserError as error:
            one_line = "\n" not in str(error)
            judge.expect(one_line, f"{change} must be refused in one line. It says: {error}")
            judge.expect(not out.exists(), f"{change} must leave no folder behind: raise in `Config.check` or `data`.")
            raise ValueError(str(error)) from error

    judge.expect_refusal(make, refused)


def _stopped_and_resumed(judge: Judge, recipe: Any, settings: dict[str, Any], out: Path, after: int) -> Run:
    """The run of a training that was told to stop after so many steps, and went on."""
    with _steps(stop_after=after), suppress(Interrupted):
        train(recipe, settings=settings, out=out, test=False, report=False, quiet=True)
    [folder] = out.iterdir()
    with judge.attempt("It must be possible to resume it after a stop."):
        return train(recipe, resume=folder, report=False, quiet=True)


def _check_same(judge: Judge, straight: Run, resumed: Run) -> None:
    names = [name for name in CURVES if name in _history(straight)]
    for name in names:
        judge.expect(
            _history(straight)[name] == _history(resumed)[name],
            f"Stopped and resumed it has another `{name}` than never stopped. Draw chance from `random` of "
            "`augment` or a keras.random.SeedGenerator of a layer, and keep in weights what must outlive a "
            "step.",
        )
    weights = zip(straight.model.get_weights(), resumed.model.get_weights(), strict=True)
    judge.expect(
        all(np.array_equal(one, two) for one, two in weights),
        "Stopped and resumed it ends with other weights than never stopped, with the same curves: something "
        "that is random in neither is not saved, or scoring the test split changes the model.",
    )


def _check_scores(judge: Judge, run: Run) -> None:
    for part in ("val", "test", "baselines"):
        found = run.metrics.get(part)
        judge.expect(found, f"metrics.json has no scores of {part}. Name `baselines` and give three splits.")
        wrong = [".".join(path) for path, value in _leaves(found) if not math.isfinite(value)]
        judge.expect(not wrong, f"Scores of {part} must be finite; these are not: {', '.join(wrong)}.")


def _check_file(judge: Judge, run: Run) -> None:
    raw = run.examples
    said = run.answer(raw)
    judge.expect(np.isfinite(said).all(), "The file's answers to rows of the validation split must be finite.")
    for i in range(min(3, len(said))):
        alone = run.answer({name: array[i : i + 1] for name, array in raw.items()})
        judge.expect_same(
            alone,
            said[i : i + 1],
            "The file must say of a row alone what it says of it among others. "
            "No layer may look at other rows of the batch.",
        )
    with judge.attempt("It must be possible to export it as a SavedModel that answers the same."):
        run.export("savedmodel")


def _check_source(judge: Judge, run: Run, source: Any, out: Path) -> None:
    with judge.attempt("A source that holds the truth must be scored, and predicted."):
        scores, frame = run.evaluate(source), run.predict(source)
    judge.expect(scores.get("test"), "`evaluate` must give scores of a source.")
    judge.expect(len(frame), "`predict` must answer the rows of a source.")
    if isinstance(source, (str, Path)):
        with judge.attempt("A file must be predicted to a file."):
            run.predict_file(source, out / "answers.csv")
        lines = (out / "answers.csv").read_text(encoding="utf-8").splitlines()
        judge.expect(len(lines) > 1, "The file of answers must have a row for each answer.")


@contextmanager
def _steps(stop_after: int | None = None) -> Iterator[list[int]]:
    """Train a step a call, count the calls, and tell the training to stop after so many."""
    calls: list[int] = []
    real = Checkpoint.on_train_batch_end

    def count(self: Checkpoint, batch: int, logs: Any = None) -> None:
        calls.append(batch)
        if len(calls) == stop_after:
            self.stop = signal.SIGTERM
        real(self, batch, logs)

    with patch.object(Checkpoint, "on_train_batch_end", count), patch("tfkit.loop.SECONDS_A_CALL", 0.0):
        yield calls


def _history(run: Run) -> dict[str, list[str]]:
    """The columns of history.csv, as they are written."""
    names, *lines = [line.split(",") for line in run.path("history.csv").read_text(encoding="utf-8").splitlines()]
    return dict(zip(names, map(list, zip(*lines, strict=True)), strict=True))


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """Every number of a tree of scores, with the names that lead to it."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _leaves(value, (*path, name))
    elif isinstance(tree, list):
        for value in tree:
            yield from _leaves(value, path)
    elif isinstance(tree, (int, float)):
        yield path, float(tree)


KEPT: list[tempfile.TemporaryDirectory] = []  # until Python exits, which takes them away


def _folder() -> Path:
    KEPT.append(tempfile.TemporaryDirectory(prefix="tfkit-"))
    return Path(KEPT[-1].name)
