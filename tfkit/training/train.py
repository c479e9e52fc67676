"""The pipeline of a training: settings, data, model, fit, evaluation, files."""

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkit.analysis.fitted_model import FittedModel
from tfkit.atomic_files import write_json
from tfkit.catalog.load import load_recipe, load_recipe_of_run
from tfkit.config import read_settings
from tfkit.console import columns_table, console_logger
from tfkit.errors import NotFiniteError, Paused, UserError, first_line
from tfkit.recipe import Data, Recipe
from tfkit.run_dir import RunDir, versions
from tfkit.training import devices, seeding
from tfkit.training.fingerprint import fingerprint
from tfkit.training.suggested_commands import next_steps, steps_after_divergence

if TYPE_CHECKING:
    import keras


def train(
    recipe: str | Path | Recipe | None = None,
    *,
    out: str | Path = "runs",
    device: str = "auto",
    resume: str | Path | None = None,
    ignore_versions: bool = False,
    config: str | Path | Mapping[str, Any] | None = None,
    skip_test: bool = False,
    tensorboard: bool = False,
    stop_after_epoch: int | None = None,
    checkpoint_minutes: float | None = None,
    quiet: bool = False,
    on_finish: Callable[[FittedModel], Any] | None = None,
    **overrides: Any,
) -> RunDir:
    """Train a recipe and write a run directory.

    Args:
        recipe: A name, a path or a `Recipe`, see `load_recipe`; optional with `resume`.
        out: Parent of the new run directory.
        device: auto, cpu, gpu, mirrored, mirrored:N or multiworker; see `tfkit.training.devices`.
        resume: A run to resume; recipe and settings come from it.
        ignore_versions: Whether to resume although versions of packages differ.
        config: A JSON file or a mapping of settings; `overrides` have priority.
        skip_test: Whether the test split is not evaluated.
        tensorboard: Whether curves, settings and scores are also written for TensorBoard, into the run.
        stop_after_epoch: Epoch after which training pauses with its state saved; the run is then not finished.
        checkpoint_minutes: Interval of checkpoints inside a long epoch, above 0; None: 3, or that of the resumed run.
        quiet: Whether nothing is printed.
        on_finish: Called at the end with the fitted model and its data, for example to write a report.
        overrides: Settings of the recipe.

    Returns:
        The run directory.

    Raises:
        UserError: If something is wrong that the user can fix.
        NotFiniteError: If the loss becomes NaN or infinite.
        Interrupted: If a signal stopped training; the state is saved.
    """
    if checkpoint_minutes is not None and not 0 < checkpoint_minutes < math.inf:
        raise UserError(f"`checkpoint_minutes` must be a number above 0. Received: {checkpoint_minutes}")
    devices.select_devices(devices.device_for_resume(device, resume, ignore_versions))
    out, resume = devices.worker_folders(out, resume)
    quiet = quiet or not devices.is_chief()
    overrides = {**read_settings(config), **overrides}
    with console_logger(quiet) as log:
        if resume is not None:
            recipe, run, settings = _open_for_resume(recipe, Path(resume), overrides, ignore_versions)
            skip_test = skip_test or run.provenance.get("skip_test", False)
            if run.finished:
                log(f"Already finished: {run.folder}")
                return run
        else:
            recipe = load_recipe(recipe if recipe is not None else "tabular")
            settings = recipe.Config.from_dict(overrides)
            run = RunDir.create(out, recipe, settings)
        pipeline = _Pipeline(recipe, run, settings, log, quiet, skip_test, stop_after_epoch, on_finish)
        try:
            run.update_provenance(skip_test=skip_test, tensorboard=tensorboard, non_defaults=settings.non_defaults())
            if checkpoint_minutes is not None:
                run.update_provenance(checkpoint_minutes=checkpoint_minutes)
            with seeding.channels_last():
                pipeline.run_steps()
        except Paused:
            log(f"Paused after epoch {stop_after_epoch}; continue with --resume {run.folder}")
        except BaseException as error:
            if isinstance(error, NotFiniteError):
                for line in steps_after_divergence(run):
                    log(line)
            has_trained = any(run.path(name).exists() for name in ("history.jsonl", "nan_report.json"))
            if resume is None and not has_trained:
                run.remove()
            raise
        return run


@dataclass
class _Pipeline:
    """The steps of a training: data, model, checks, fit, evaluation, saving."""

    recipe: Recipe
    run: RunDir
    config: Any
    log: Callable[..., None]
    quiet: bool
    skip_test: bool
    stop_after_epoch: int | None
    on_finish: Callable[[FittedModel], Any] | None
    clock: "_Clock" = field(default_factory=lambda: _Clock())

    def run_steps(self) -> None:
        """Run all steps; the run is then finished."""
        from tfkit.training.preflight.run_preflight import run_preflight

        gc.collect()  # models and rows of an earlier run in this process, which reference each other
        data = self._load_data()
        model = self._create_model(data)
        make_inference_model(model, data)  # raises now, not after training, if the parts do not fit
        with self.clock("checks"):
            run_preflight(self.run, self.config, data, model)
        self._evaluate_and_save(*self._fit(model, data))
        self.log(f"Took {sum(self.clock.seconds.values()):.0f} s. Model, scores and predictions: {self.run.folder}")
        for line in next_steps(self.run):
            self.log(line)

    def _load_data(self) -> Data:
        self._seed()
        with self.clock("data"), seeding.precision_policy("float32"):
            data = self.recipe.data(self.config)
            self.run.update_provenance(default_settings=self.config.default_numbers(data.auto_settings))
            self.config = self.config.resolve_auto(data.auto_settings)
            _save_inputs(self.run, self.config, data)
        self.log(f"Run {self.run.folder}")  # now the run can be resumed
        _log_data(data, self.log)
        return data

    def _create_model(self, data: Data) -> "keras.Model":
        config, rows = self.config, len(data.train)
        self._seed()  # again: `data` may have drawn random numbers
        with self.clock("model"), seeding.precision_policy(config.precision), devices.strategy_scope():
            model = self.recipe.model(config, data)
        epochs = f"{config.epochs} epoch{'s' * (config.epochs != 1)}"
        self.log(
            f"Model: {model.count_params():,} weights; {epochs} of {rows:,} rows, "
            f"batch size {config.effective_batch_size(rows):,}{devices.replica_suffix()}"
        )
        return model

    def _fit(self, model: Any, data: Data) -> tuple[Any, Data, Any, list[dict[str, float]]]:
        """Fit with validation, calibrate, and refit on all rows if the data asks for it."""
        from tfkit.training import evaluate, fit_stages

        with self.clock("fit"):
            history = fit_stages.fit_with_validation(
                self.recipe,
                self.run,
                self.config,
                data,
                model,
                quiet=self.quiet,
                stop_after_epoch=self.stop_after_epoch,
            )
        if data.calibrate is not None:
            data = replace(data, postprocessor=data.calibrate(model, data))
        val_predictions = evaluate.predict_dataset(data.val, model, data)
        if data.refit_dataset is not None:
            self.log(f"Refit on training and validation rows together: {len(data.refit_dataset):,} rows")
            data = replace(data, train=data.refit_dataset)
            with self.clock("refit"):
                validated = model
                model = fit_stages.refit_on_all(self.recipe, self.run, self.config, data, quiet=self.quiet)
            if data.calibrate is not None:  # the validation rows are training rows of this model
                data = replace(data, postprocessor=data.calibrate(model, data, reference=validated))
        return model, data, val_predictions, history

    def _evaluate_and_save(self, model: Any, data: Data, val_predictions: Any, history: list[dict[str, float]]) -> None:
        from tfkit.data.drift import fit_reference_stats
        from tfkit.data.rows.raw_row_hashes import sample_training_hashes
        from tfkit.datasets.npz import write_arrays
        from tfkit.training import evaluate
        from tfkit.training.tensorboard import write_scores

        run, predictions = self.run, {"val": val_predictions}
        inference_model = make_inference_model(model, data)
        write_json(run.path("reference_stats.json"), fit_reference_stats(data.train, data.metadata))
        if hashes := sample_training_hashes(data.train, data.test):
            write_arrays(run.path("training_hashes.npz"), hashes)
        run.update_provenance(network=model.name)  # the layer at which exports split the model
        run.save_model(inference_model, history)
        with self.clock("scores"):
            if not self.skip_test:
                predictions["test"] = evaluate.predict_dataset(data.test, model, data)
            metrics = evaluate.evaluate(self.recipe, run, self.config, data, predictions, self.log)
        run.mark_finished({**metrics, "seconds": self.clock.seconds})
        if run.provenance.get("tensorboard"):
            write_scores(run)
        if self.on_finish is not None:
            with self.clock("report"):
                self.on_finish(FittedModel(run, self.config, data, model, inference_model, predictions))

    def _seed(self) -> None:
        seeding.seed_everything(seed=self.config.seed, deterministic=self.config.deterministic)


def make_inference_model(model: "keras.Model", data: Data) -> "keras.Model":
    """Join one model from raw rows to predictions: `postprocessor(model(preprocessor(rows)))`."""
    import keras

    x = data.preprocessor.output
    outputs = model(x)
    try:
        if data.postprocessor is not None:
            outputs = data.postprocessor(data.postprocessor_inputs(outputs, x))
        return keras.Model(data.preprocessor.input, outputs)
    except ValueError as error:
        raise UserError(
            "The model must output what the postprocessor of the recipe takes: for tables logits (rows, classes), or "
            f"one number per row. Received: outputs of shape {tuple(outputs.shape)}, for which Keras reports: "
            f"{first_line(error)}"
        ) from error


def _save_inputs(run: RunDir, config: Any, data: Data) -> None:
    """Save settings and metadata; refuse to resume with other data."""
    data_hash = fingerprint(data)
    if run.provenance.get("data") not in (None, data_hash):
        raise UserError(
            "A run can only be resumed with its own data; start a new run for other data. "
            f"Received: other rows than those of {run.folder}"
        )
    write_json(run.path("config.json"), config.to_dict())
    write_json(run.path("metadata.json"), data.metadata.to_dict())
    run.update_provenance(
        data=data_hash,
        device=devices.selected_device(),
        devices=devices.list_devices(),
        rows=[len(split) for split in (data.train, data.val, data.test)],
    )


def _open_for_resume(
    recipe: str | Path | Recipe | None, folder: Path, overrides: dict[str, Any], ignore_versions: bool
) -> tuple[Recipe, RunDir, Any]:
    """Open a run with its recipe and settings; refuse other recipes, settings and versions."""
    run = RunDir(folder)
    recipe = load_recipe_of_run(run, recipe)
    config = recipe.Config.from_dict(run.config)
    requested = recipe.Config.from_dict({**run.config, **overrides})
    if requested != config:
        before, after = config.to_dict(), requested.to_dict()
        changes = [f"{name}={value}" for name, value in after.items() if value != before[name]]
        raise UserError(
            f"A run is resumed with its own settings; start a new run for others. Received: {', '.join(changes)}"
        )
    current, saved = versions(), run.provenance["versions"]
    changed = [
        f"{name} {current[name]} (was {saved.get(name)})" for name in current if current[name] != saved.get(name)
    ]
    if changed and not ignore_versions:
        raise UserError(
            "A run gives the same result only with the same versions of packages; use --ignore-versions to resume "
            f"anyway. Received: {', '.join(changed)}"
        )
    return recipe, run, config


def _log_data(data: Data, log: Callable[..., None]) -> None:
    """Log what was done to rows and columns."""
    for note in data.metadata.notes:
        log(f"Cleaning: {note}")
    if data.metadata.columns:
        log(columns_table(data.metadata.columns))
    log(f"Rows: {len(data.train):,} for training, {len(data.val):,} for validation, {len(data.test):,} for testing")


class _Clock:
    """Measures the seconds of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[step] = round(time.perf_counter() - start, 2)
