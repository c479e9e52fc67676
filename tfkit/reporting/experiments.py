"""Experiments on a finished run that need training: the learning curve, and the learning rate range test."""

import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.atomic_files import write_json
from tfkit.catalog.load import load_recipe_of_run
from tfkit.datasets.subset import Subset
from tfkit.errors import UserError
from tfkit.recipe import Data, Recipe
from tfkit.reporting.run_results import RunResults
from tfkit.run_dir import RunDir

TRAIN_FRACTIONS = (0.25, 0.5)
MIN_TRAIN_ROWS = 20  # of the smallest fraction
RANGE_TEST_ROWS = 20_000


def learning_curve(
    run: RunDir, recipe: str | Path | Recipe | None = None, *, quiet: bool = False
) -> list[dict[str, Any]]:
    """Train on a quarter and on a half of the training rows, and score on the same test rows.

    Scales and vocabularies stay those of all rows. The result is saved in analysis.json.

    Args:
        run: A finished run whose data has not moved.
        recipe: Its recipe file, if it has moved.
        quiet: Whether nothing is printed.

    Returns:
        For each fraction `rows`, `score`, its `interval`, and `difference_to_all`, the paired interval of what all rows
        add.

    Raises:
        UserError: If the test split was not evaluated, there are too few rows, or recipe or data are missing.
    """
    from tfkit.evaluation.bootstrap import paired_difference_interval
    from tfkit.training.train import train

    full = RunResults.from_run(run)
    metric, rows = full.primary_metric, full.provenance["rows"][0]
    if full.y_true is None:
        raise UserError("A learning curve needs the test rows, and this run was trained with --skip-test.")
    if rows * TRAIN_FRACTIONS[0] < MIN_TRAIN_ROWS:
        raise UserError(
            f"A quarter of the training rows must be at least {MIN_TRAIN_ROWS} rows. Received: {rows} training rows"
        )
    loaded, points = load_recipe_of_run(run, recipe), []
    for fraction in TRAIN_FRACTIONS:
        part = loaded.replace(data=_with_fraction(loaded.data, fraction), baselines=(), path=None)
        with tempfile.TemporaryDirectory() as out:
            small = RunResults.from_run(train(part, out=out, quiet=quiet, config=run.config))
        if small.y_true is None or np.shape(small.y_true) != np.shape(full.y_true):
            raise UserError("The data must be the same as when the run was trained. Received: other test rows")
        gap = paired_difference_interval(full.y_true, full.y_pred, small.y_pred, full.metadata, metric)
        points.append(_point(small, metric) | {"difference_to_all": gap})
    points.append(_point(full, metric) | {"difference_to_all": None})
    update_analysis(run, learning_curve=points)
    return points


def lr_range_test(run: RunDir, recipe: str | Path | Recipe | None = None) -> dict[str, Any]:
    """Increase the learning rate step by step until the loss diverges, and suggest a learning rate.

    The result is saved in analysis.json. Source: Smith 2017, https://arxiv.org/abs/1506.01186.

    Args:
        run: A finished run whose data has not moved.
        recipe: Its recipe file, if it has moved.

    Returns:
        `suggestion`, `low` and `high`, `rates`, and the smoothed `losses` of the first pass.

    Raises:
        UserError: If recipe or data are missing, or the loss never fell.
    """
    import keras

    from tfkit.callbacks import LearningRateFinder
    from tfkit.training import seeding

    loaded = load_recipe_of_run(run, recipe)
    config = loaded.Config.from_dict(run.config)
    seeding.seed_everything(seed=config.seed, deterministic=config.deterministic)
    data = loaded.data(config)
    model = loaded.model(config, data)
    x, y, weight = data.train.take(np.arange(min(RANGE_TEST_ROWS, len(data.train))))
    finder, rows = LearningRateFinder(), len(keras.tree.flatten(x)[0])
    batch_size = config.effective_batch_size(rows)
    epochs = -(-finder.steps * finder.passes // -(-rows // batch_size)) + 1
    try:
        model.fit(x, y, sample_weight=weight, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=[finder])
    except ValueError as error:
        raise UserError(f"No learning rate can be suggested: {error}") from None
    losses = finder.smoothed(finder.losses[0])
    result = {
        "suggestion": finder.suggestion,
        "low": finder.low,
        "high": finder.high,
        "rates": [float(f"{rate:.4g}") for rate in finder.rates[: len(losses)]],
        "losses": [float(f"{loss:.5g}") if np.isfinite(loss) else None for loss in losses],
    }
    update_analysis(run, lr_range_test=result)
    return result


def update_analysis(run: RunDir, **results: Any) -> None:
    """Add results to analysis.json."""
    path = run.path("analysis.json")
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    write_json(path, {**before, **results})


def _point(results: RunResults, metric: str) -> dict[str, Any]:
    metrics = results.metrics
    return {
        "rows": results.provenance["rows"][0],
        "score": metrics["test"][metric],
        "interval": metrics["intervals"].get(metric),
    }


def _with_fraction(data: Callable[[Any], Data], fraction: float) -> Callable[[Any], Data]:
    """Return the `data` function of a recipe with a random fraction of the training rows."""

    def smaller_data(config: Any) -> Data:
        full = data(config)

        def sample(dataset: Any) -> Subset:
            rows = len(dataset)
            order = np.random.default_rng((config.seed, rows)).permutation(rows)
            return Subset(dataset, np.sort(order[: max(1, round(fraction * rows))]))

        refit = full.refit_dataset and sample(full.refit_dataset)
        return dataclasses.replace(full, train=sample(full.train), refit_dataset=refit)

    return smaller_data
