"""What only another training can tell, so it is done when it is asked for: would more rows help, does the rate fit."""

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.atomic_files import write_json
from tfkit.datasets.subset import Subset
from tfkit.errors import UserError
from tfkit.reporting.run_results import RunResults
from tfkit.run_dir import RunDir

SHARES = (0.25, 0.5)

LEAST = 20  # rows of the smallest share

RATE_ROWS = 20_000  # that the finder sees


def learning_curve(run: RunDir, recipe: Any = None, *, quiet: bool = False) -> list[dict[str, Any]]:
    """Train again on a quarter and on a half of the training rows, score on the same test rows, and keep it.

    What is learnt of the columns (scales, vocabularies) stays that of all rows.

    Args:
        run: A finished run whose data is still where it was.
        recipe: Its page, where that cannot be found any more.
        quiet: Whether nothing is printed.

    Returns:
        For each share the rows, the score, its interval, and the paired interval of what all rows add.

    Raises:
        UserError: If the test was left alone, there are too few rows, or page or data are gone.
    """
    from tfkit.evaluation.bootstrap import paired_difference_interval
    from tfkit.evaluation.comparison import primary_metric
    from tfkit.training.train import train

    whole, (name, _) = RunResults.of(run), primary_metric(run.info["task"])
    if whole.truth is None:
        raise UserError("Whether more rows would help is seen on the test rows, and this run left them alone.")
    if whole.about["rows"][0] * SHARES[0] < LEAST:
        raise UserError(
            f"A quarter of the training rows must be {LEAST} at least. Received: {whole.about['rows'][0]} training rows"
        )
    loaded, found = _page(run, recipe), []
    for share in SHARES:
        part = loaded.replace(data=_share(loaded.data, share), baselines=(), page=None)
        with tempfile.TemporaryDirectory() as out:
            small = RunResults.of(train(part, out=out, quiet=quiet, settings=run.config))
        if small.truth is None or np.shape(small.truth) != np.shape(whole.truth):
            raise UserError(
                "The data must be where and what it was when the run was trained. Received: other test rows"
            )
        gap = paired_difference_interval(whole.truth, whole.answer, small.answer, whole.info, name)
        found.append(
            {
                "rows": small.about["rows"][0],
                "score": small.metrics["test"][name],
                "interval": small.metrics["intervals"].get(name),
                "gained": gap,
            }
        )
    score, interval = whole.metrics["test"][name], whole.metrics["intervals"].get(name)
    found.append({"rows": whole.about["rows"][0], "score": score, "interval": interval, "gained": None})
    update_analysis(run, more_rows=found)
    return found


def lr_range_test(run: RunDir, recipe: Any = None) -> dict[str, Any]:
    """Raise the learning rate step by step until the loss explodes, and keep what rate that suggests.

    Args:
        run: A finished run whose data is still where it was.
        recipe: Its page, where that cannot be found any more.

    Returns:
        `suggestion`, `low` and `high`, `rates`, and the smoothed `losses` of the first pass.

    Raises:
        UserError: If page or data are gone, or the loss never fell.
    """
    import keras

    from tfkit.callbacks import LearningRateFinder
    from tfkit.training import seeding

    loaded = _page(run, recipe)
    config = loaded.Config.of(run.config)
    seeding.seed_everything(seed=config.seed, deterministic=config.deterministic)
    data = loaded.data(config)
    model = loaded.model(config, data)
    x, y, weight = data.train.take(np.arange(min(RATE_ROWS, len(data.train))))
    finder, rows = LearningRateFinder(), len(keras.tree.flatten(x)[0])
    batch = config.batch(rows)
    epochs = -(-finder.steps * finder.passes // -(-rows // batch)) + 1
    try:
        model.fit(x, y, sample_weight=weight, batch_size=batch, epochs=epochs, verbose=0, callbacks=[finder])
    except ValueError as error:
        raise UserError(f"No rate was found: {error}") from None
    losses = finder.smoothed(finder.losses[0])
    found = {
        "suggestion": float(finder.suggestion),
        "low": finder.low,
        "high": finder.high,
        "rates": [float(f"{rate:.4g}") for rate in finder.rates[: len(losses)]],
        "losses": [float(f"{loss:.5g}") if np.isfinite(loss) else None for loss in losses],
    }
    update_analysis(run, finder=found)
    return found


def update_analysis(run: RunDir, **found: Any) -> None:
    """Add to what is known of a run."""
    path = run.path("evidence.json")
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    write_json(path, {**known, **found})


def _page(run: RunDir, recipe: Any) -> Any:
    """The recipe of a run: as it is named again, or where it was."""
    from tfkit.catalog.load import load_recipe

    page = recipe or run.about.get("page")
    if page is None or (recipe is None and not Path(page).is_file()):
        raise UserError(f"The run's page must be there to train again; name it with --recipe. Received: {page}")
    return load_recipe(page)


def _share(data: Any, share: float) -> Any:
    """The page's `data` with a share of the training rows, drawn by the seed."""

    def fewer(config: Any) -> Any:
        made = data(config)

        def some(split: Any) -> Any:
            rows = len(split)
            drawn = np.random.default_rng((config.seed, rows)).permutation(rows)[: max(1, round(share * rows))]
            return Subset(split, np.sort(drawn))

        return dataclasses.replace(made, train=some(made.train), final=made.final and some(made.final))

    return fewer
