"""The path of a run, top to bottom: settings, folder, data, model, fit, scores, files."""

import gc
import hashlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.analysis.fitted_model import FittedModel
from tfkit.atomic_files import write_json
from tfkit.catalog.load import load_recipe
from tfkit.config import read_settings
from tfkit.console import columns_table, console_logger
from tfkit.errors import Paused, UserError, first_line
from tfkit.recipe import Data, Recipe
from tfkit.run_dir import RunDir, versions
from tfkit.training import devices, seeding


def train(
    recipe: Any = None,
    *,
    out: str | Path = "runs",
    device: str = "auto",
    resume: str | Path | None = None,
    anyway: bool = False,
    settings: Any = None,
    test: bool = True,
    tensorboard: bool = False,
    until: int | None = None,
    checkpoint_minutes: float | None = None,
    quiet: bool = False,
    on_finish: Callable[[FittedModel], Any] | None = None,
    **words: Any,
) -> RunDir:
    """Train a recipe and leave a run: the model, its honest scores, and how it came about.

    Args:
        recipe: Whatever `load` takes; may be left out where `resume` names a run.
        out: The run is a new folder in this one.
        device: auto, cpu, gpu, mirrored, mirrored:N or multiworker; see `tfkit.training.devices`.
        resume: A run to go on with; recipe and settings come from it.
        anyway: Whether to resume although versions of packages differ.
        settings: A JSON file or a mapping of settings; `words` go before it.
        test: Whether the test split is scored at the end.
        tensorboard: Whether curves, settings and scores are written for TensorBoard too, into the run.
        checkpoint_minutes: How often the state is saved inside a long epoch; None for every three minutes, or for what
            the run that is resumed has been told.
        until: The epoch after which it pauses, saved, to be resumed; the run is then not finished.
        quiet: Whether nothing is printed.
        on_finish: Called at the end with what training has in memory, such as to write a report.
        words: Settings of the recipe.

    Returns:
        The finished `Run`.

    Raises:
        UserError: If something is wrong that the user can mend.
        NotFiniteError: If the loss stops being finite.
        Interrupted: If a signal has stopped it; the state is saved.
    """
    if checkpoint_minutes is not None and not 0 < checkpoint_minutes < math.inf:
        raise UserError(f"`checkpoint_minutes` must be a number above 0. Received: {checkpoint_minutes}")
    devices.select_devices(devices.device_for_resume(device, resume, anyway))
    out, resume = devices.worker_folders(out, resume)
    quiet = quiet or not devices.is_chief()
    with console_logger(quiet) as say:
        if resume is not None:
            loaded, run, config = _reopen(recipe, Path(resume), {**read_settings(settings), **words}, anyway)
            test = test and run.about.get("test", True)
            if run.finished:
                say(f"Already finished: {run.folder}")
                return run
        else:
            loaded = load_recipe(recipe if recipe is not None else "tabular")
            config = loaded.Config.of({**read_settings(settings), **words})
            run = RunDir.begin(out, loaded, config)
        try:
            run.note(test=test, tensorboard=tensorboard, changed=config.changed())
            if checkpoint_minutes is not None:
                run.note(checkpoint_minutes=checkpoint_minutes)
            return _walk(loaded, run, config, test, say, quiet, until, on_finish)
        except Paused:
            say(f"Paused after epoch {until}; go on with --resume {run.folder}")
            return run
        except BaseException:
            left = ("journal.jsonl", "not_finite.json")
            if resume is None and not any(run.path(name).exists() for name in left):  # before the first step
                run.remove()
            raise


def _walk(
    recipe: Recipe,
    run: RunDir,
    config: Any,
    test: bool,
    say: Any,
    quiet: bool,
    until: int | None,
    on_finish: Callable[[FittedModel], Any] | None,
) -> RunDir:
    """From settings to a finished run."""
    from tfkit.data.drift import fit_reference_stats
    from tfkit.training import evaluate, fit_stages
    from tfkit.training.preflight.run_preflight import run_preflight
    from tfkit.training.tensorboard import write_scores

    clock = _Clock()
    gc.collect()  # models and rows of an earlier run in this process, which hold each other
    seeding.seed_everything(seed=config.seed, deterministic=config.deterministic)
    with clock("data"), seeding.precision_policy("float32"):
        data = recipe.data(config)
        config = config.settled(data.defaults)
        _record(run, config, data)
    say(f"Run {run.folder}")  # now that there is something to come back to
    _say_data(data, say)
    seeding.seed_everything(
        seed=config.seed, deterministic=config.deterministic
    )  # again, whatever chance `data` has used
    with clock("model"), seeding.precision_policy(config.precision), devices.strategy_scope():
        model = recipe.model(config, data)
    epochs = f"{config.epochs} epoch{'s' * (config.epochs != 1)}"
    say(
        f"Model: {model.count_params():,} weights; {epochs} of {len(data.train):,} rows, "
        f"{config.batch(len(data.train)):,} a step{devices.replica_suffix()}"
    )
    joined = make_inference_model(model, data)
    with clock("checks"):
        run_preflight(run, config, data, model)
    with clock("fit"):
        journal = fit_stages.fit_with_validation(recipe, run, config, data, model, quiet, until)
    if data.calibrate is not None:
        data = replace(data, restore=data.calibrate(model, data))
        joined = make_inference_model(model, data)
    said = {"val": evaluate.predict_dataset(data.val, model, data)}
    if data.final is not None:
        say(f"Fitted again on training and validation rows together, {len(data.final):,}")
        data = replace(data, train=data.final)
        with clock("refit"):
            model = fit_stages.refit_on_all(recipe, run, config, data, quiet)
        joined = make_inference_model(model, data)
    write_json(run.path("drift.json"), fit_reference_stats(data.train, data.info))
    run.note(network=model.name)  # where exports cut the model in two
    run.keep(joined, journal.lines)
    with clock("scores"):
        if test:
            said["test"] = evaluate.predict_dataset(data.test, model, data)
        metrics = evaluate.evaluate(recipe, run, config, data, said, say)
    metrics["seconds"] = clock.seconds
    run.finish(metrics)
    if run.about.get("tensorboard"):
        write_scores(run)
    if on_finish is not None:
        with clock("report"):
            on_finish(FittedModel(run, config, data, model, joined, said))
    say(f"Took {sum(clock.seconds.values()):.0f} s. Model, scores and predictions: {run.folder}")
    return run


def _record(run: RunDir, config: Any, data: Data) -> None:
    """Settings as settled, what was learnt, and what tells this data from any other."""
    fingerprint = _fingerprint(data)
    before = run.about.get("data")
    if before not in (None, fingerprint):
        raise UserError(
            "A run can only go on with the data that it began with; begin a new one for other data. "
            f"Received: other rows than those of {run.folder}"
        )
    write_json(run.path("config.json"), config.words())
    write_json(run.path("info.json"), data.info)
    run.note(
        data=fingerprint,
        device=devices.selected_device(),
        devices=devices.list_devices(),
        rows=[len(split) for split in (data.train, data.val, data.test)],
    )


def make_inference_model(model: Any, data: Data) -> Any:
    """One model from raw rows to answers: `restore(model(prepare(rows)))`, on the inputs that `prepare` has already."""
    import keras

    answer = model(data.prepare.output)
    try:
        return keras.Model(data.prepare.input, data.restore(answer) if data.restore is not None else answer)
    except ValueError as error:
        raise UserError(
            "The model must answer what the page's `restore` takes: for tables logits (rows, classes), or "
            f"one number a row. Received: an answer of shape {tuple(answer.shape)}, of which Keras says: "
            f"{first_line(error)}"
        ) from error


def _reopen(recipe: Any, folder: Path, words: dict[str, Any], anyway: bool) -> tuple[Recipe, RunDir, Any]:
    """Recipe, run and settings of a run that is to go on."""
    run = RunDir(folder)
    about = run.about
    if recipe is None and not about["page"]:
        again = f"tfkit.train(recipe, resume={str(folder)!r})"
        raise UserError(f"This run's recipe was made in memory; give it again: {again}")
    loaded = load_recipe(recipe if recipe is not None else about["page"])
    if loaded.page and run.path("page.py").exists() and loaded.page.read_bytes() != run.path("page.py").read_bytes():
        raise UserError(
            f"A run goes on with the page that it began with, which is page.py in the run; begin a new one "
            f"for another. Received: {loaded.page}, which differs"
        )
    config = loaded.Config.of(run.config)
    asked = loaded.Config.of({**run.config, **words})
    if asked != config:
        differ = [
            f"{name}={asked.words()[name]}" for name in asked.words() if asked.words()[name] != config.words()[name]
        ]
        raise UserError(
            "A run goes on with the settings that it began with; begin a new one for others. "
            f"Received: {', '.join(differ)}"
        )
    now, then = versions(), about["versions"]
    other = [f"{name} {now[name]} (was {then.get(name)})" for name in now if now[name] != then.get(name)]
    if other and not anyway:
        raise UserError(
            f"A run goes on to the same result only with the same versions; --anyway goes on all the same. "
            f"Received: {', '.join(other)}"
        )
    return loaded, run, config


def _fingerprint(data: Data) -> str:
    """What tells these rows from any others: a hash over blocks of all splits."""
    import keras

    from tfkit.datasets.batch_predict import index_chunks

    digest = hashlib.sha256()
    for split in (data.train, data.val, data.test):
        for numbers in index_chunks(split):
            for tensor in keras.tree.flatten(split.take(numbers)):
                if tensor is not None:
                    digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()


def _say_data(data: Data, say: Any) -> None:
    """What was done to which rows and columns."""
    for words in data.info.get("cleaning", []):
        say(f"Cleaned: {words}")
    if data.info.get("columns"):
        say(columns_table(data.info["columns"]))
    say(f"Rows: {len(data.train):,} to train, {len(data.val):,} to validate, {len(data.test):,} to test")


class _Clock:
    """Seconds of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[step] = round(time.perf_counter() - start, 2)
