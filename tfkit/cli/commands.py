"""The commands of the command line: flags are options of tfkit, key=value is a setting of the recipe."""

import gc
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

import tfkit
from tfkit.cli.arguments import Parser, newest_run, predicted, recipe_and_settings, recipe_of, run_and_file
from tfkit.console import classes_table, console_logger, scores_table, suppress_native_stderr
from tfkit.errors import UserError
from tfkit.training.devices import is_chief


def ls(arguments: list[str]) -> None:
    """list the recipes, or the runs"""
    parser = Parser(ls, "| runs [DIR] [--flags]")
    parser.flag("--sort", metavar="BY", help="date (default), score, recipe, target, rows or seconds; of runs")
    known = parser.read(arguments, 2)
    if known.words:
        _ls_runs(known.words, known.sort or "date")
        return
    if known.sort:
        raise UserError("--sort is of runs: tfkit ls runs --sort score")
    pages = tfkit.list_recipes()
    width = max((len(name) for name, _ in pages), default=0)
    for name, line in pages:
        print(f"{name:{width}}  {line}")


def _ls_runs(words: list[str], sort: str) -> None:
    """The runs of a folder."""
    from tfkit.reporting.run_list import lines

    if words[0] != "runs":
        raise UserError(
            f"What is listed is the recipes (tfkit ls) or the runs (tfkit ls runs [DIR]). Received: {words[0]!r}"
        )
    folder = words[1] if len(words) > 1 else "runs"
    found = tfkit.list_runs(folder, sort=sort)
    print("\n".join(lines(found)) if found else f"No run lies under {folder}. Train one: tfkit train RECIPE")


def show(arguments: list[str]) -> None:
    """show what a recipe does and its settings, or the layers, callbacks, ... or one of them"""
    usage = "RECIPE | layers | callbacks | losses | metrics | schedules | testing | PART"
    words = Parser(show, usage).read(arguments, 1).words
    print(tfkit.describe(recipe_of(words)))


def cp(arguments: list[str]) -> None:
    """copy a recipe to your own file"""
    words = Parser(cp, "RECIPE FILE").read(arguments, 2).words
    if len(words) < 2:
        raise UserError("Say which recipe and where to: tfkit cp RECIPE FILE")
    print(tfkit.copy_recipe(*words))


def train(arguments: list[str]) -> None:
    """train a recipe; the last line is the folder of the run"""
    parser = Parser(train, "[RECIPE] [key=value ...] [--flags]")
    parser.flag("--out", metavar="DIR", default="runs", help="the run is a new folder in DIR (default: runs)")
    parser.flag(
        "--device",
        metavar="DEVICE",
        default="auto",
        help="auto, cpu, gpu, mirrored, mirrored:N or multiworker (default: auto)",
    )
    parser.flag("--resume", metavar="RUN", help="continue this run")
    parser.flag("--anyway", help="resume although versions differ")
    parser.flag("--settings", metavar="FILE", help="a JSON file of settings; key=value goes before it")
    parser.flag("--no-test", help="do not score the test split")
    parser.flag("--tensorboard", help="write curves, settings and scores for TensorBoard into the run")
    parser.flag("--no-report", help="write no report.html at the end")
    parser.flag("--until", metavar="EPOCH", type=int, help="stop after this epoch; the run can be resumed")
    parser.flag(
        "--checkpoint-minutes", metavar="M", type=float, help="save every M minutes inside a long epoch (default: 3)"
    )
    parser.flag("--quiet", help="print only the folder of the run")
    parser.epilog = "RECIPE is tabular when it is left out; `tfkit show RECIPE` lists its settings."
    known = parser.read(arguments)
    recipe, settings = recipe_and_settings(known.words)
    with _keras():
        run = tfkit.train(
            recipe,
            out=known.out,
            device=known.device,
            resume=known.resume,
            anyway=known.anyway,
            settings=known.settings,
            test=not known.no_test,
            report=not known.no_report,
            tensorboard=known.tensorboard,
            until=known.until,
            checkpoint_minutes=known.checkpoint_minutes,
            quiet=known.quiet,
            **settings,
        )
    if is_chief():  # the others have nothing to show
        print(run.folder)


def tune(arguments: list[str]) -> None:
    """search the settings of a recipe; the last line is the folder of the best run"""
    parser = Parser(tune, "[RECIPE] [key=value ...] [--flags]")
    parser.flag("--trials", metavar="N", type=int, default=20, help="number of trials (default: 20)")
    parser.flag("--minutes", metavar="M", type=float, help="time limit: no trial starts that would exceed it")
    parser.flag("--method", metavar="HOW", default="random", help="random, bayesian, hyperband or grid")
    parser.flag(
        "--search",
        metavar="DOMAIN",
        action="append",
        default=[],
        help="key=low..high or key=one,two; once for each setting",
    )
    parser.flag("--objective", metavar="SCORE", help="the validation score that compares trials")
    parser.flag(
        "--finalists",
        metavar="N",
        type=int,
        default=3,
        help="how many trials that beat the default are trained again (default: 3)",
    )
    parser.flag("--jobs", metavar="J", type=int, default=1, help="trials at a time (default: 1)")
    parser.flag("--device", metavar="DEVICE", default="auto", help="the device of each trial, as in train")
    parser.flag("--scheduler", metavar="ADDRESS", help="address of a Dask cluster that runs the trials")
    parser.flag("--out", metavar="DIR", help="the folder of the search (default: runs/tune-RECIPE)")
    parser.flag("--fresh", help="delete the search in that folder, and start again")
    parser.flag("--settings", metavar="FILE", help="a JSON file of settings that are fixed; key=value goes before it")
    parser.flag("--quiet", help="print only the folder of the best run")
    parser.epilog = "A key=value is fixed. The same command continues an interrupted search."
    known = parser.read(arguments)
    recipe, settings = recipe_and_settings(known.words)
    flags = (
        "trials",
        "minutes",
        "method",
        "search",
        "objective",
        "finalists",
        "jobs",
        "device",
        "scheduler",
        "out",
        "fresh",
        "settings",
        "quiet",
    )
    with _keras():
        run = tfkit.tune(recipe, **{name: getattr(known, name) for name in flags}, **settings)
    print(run.folder)


def evaluate(arguments: list[str]) -> None:
    """score a run on its test rows, or on a file"""
    parser = Parser(evaluate, "[RUN] [FILE] [--flags]")
    parser.flag("--json", help="print the scores as JSON")
    parser.flag("--recipe", metavar="PAGE", help="the recipe file, if it has its own reader or layers")
    known = parser.read(arguments, 2)
    folder, file = run_and_file(known.words)
    with _keras() if file else nullcontext(), console_logger():  # the scores of the test rows are in the run
        scores = tfkit.Run(folder, recipe=known.recipe).evaluate(source=file)
    print(json.dumps(scores, indent=2, ensure_ascii=False)) if known.json else _print(scores)


def predict(arguments: list[str]) -> None:
    """predict every row of a file; the last line is the file of predictions"""
    parser = Parser(predict, "[RUN] FILE [--flags]")
    parser.flag(
        "--out", metavar="FILE", help="the file of predictions (default: NAME.predicted.SUFFIX next to the input)"
    )
    parser.flag("--safe-csv", help="put ' before text that a spreadsheet would read as a formula")
    parser.flag("--recipe", metavar="PAGE", help="the recipe file, if it has its own reader or layers")
    known = parser.read(arguments, 2)
    folder, file = run_and_file(known.words)
    if file is None:
        raise UserError(f"Say which file to predict. Usage: {parser.usage}")
    out = Path(known.out) if known.out else predicted(Path(file))
    with _keras(), console_logger():
        tfkit.Run(folder, recipe=known.recipe).predict_file(file, out, escape_formulas=known.safe_csv)
    print(out)


def export(arguments: list[str]) -> None:
    """write a run's model in another format; the last line is its path"""
    parser = Parser(export, "[RUN] [--flags]")
    parser.flag("--format", metavar="FORMAT", default="keras", help="keras (default), savedmodel, onnx or litert")
    parser.flag("--out", metavar="PATH", help="output path (default: in the run)")
    parser.flag("--recipe", metavar="PAGE", help="the recipe file, if it has its own layers")
    known = parser.read(arguments, 1)
    folder = Path(known.words[0]) if known.words else newest_run()
    with _keras(), console_logger():
        path = tfkit.Run(folder, recipe=known.recipe).export(known.format, known.out)
    print(path)


def report(arguments: list[str]) -> None:
    """write report.html of a run again; the last line is its path"""
    parser = Parser(report, "[RUN] [--flags]")
    parser.flag(
        "--cost", metavar="TIMES", type=float, help="how many false positives a false negative costs (default: 1)"
    )
    parser.flag("--mlflow", metavar="ADDRESS", help="log the run to this MLflow server, or to mlflow.db here: local")
    parser.flag(
        "--more-rows", help="also train on a quarter and a half of the rows, to estimate if more rows would help"
    )
    parser.flag("--find-rate", help="run a learning rate range test")
    parser.flag(
        "--recipe", metavar="PAGE", help="the recipe file, if --more-rows or --find-rate need it and it was moved"
    )
    known = parser.read(arguments, 1)
    run = tfkit.Run(Path(known.words[0]) if known.words else newest_run())
    trains = known.more_rows or known.find_rate
    with _keras() if trains else nullcontext(), console_logger():
        path = run.report(cost=known.cost, more_rows=known.more_rows, find_rate=known.find_rate, recipe=known.recipe)
        if known.mlflow:
            run.log_to_mlflow(known.mlflow)
    print(path)


def compare(arguments: list[str]) -> None:
    """compare runs in one HTML file; the last line is its path"""
    parser = Parser(compare, "RUN RUN ... [--flags]")
    parser.flag("--out", metavar="FILE", default="compare.html", help="output file (default: compare.html)")
    known = parser.read(arguments)
    from tfkit.reporting.comparison import differences, open_runs

    with console_logger() as say:
        records = open_runs(known.words)
        for one in differences(records):
            say(one.says)
        path = tfkit.compare(*known.words, out=known.out)
    print(path)


def check(arguments: list[str]) -> None:
    """test a recipe: same bits with the same seed, resumed equals uninterrupted, saved equals loaded, ..."""
    parser = Parser(check, "RECIPE [key=value ...] [--flags]")
    parser.flag("--out", metavar="DIR", help="keep the runs of the checks in DIR (default: they are deleted)")
    parser.flag("--settings", metavar="FILE", help="a JSON file of settings; key=value goes before it")
    parser.epilog = "It trains several times, so pass settings that train in seconds; the default of epochs is 2."
    known = parser.read(arguments)
    recipe, settings = recipe_and_settings(known.words)
    recipe = recipe_of([recipe] if recipe else [])
    out = sys.stdout
    with _keras():
        told = tfkit.verify(
            recipe,
            out=known.out,
            settings=known.settings,
            told=lambda proof: print(proof, file=out, flush=True),
            **settings,
        )
    broken = sum(not proof.holds for proof in told)
    if broken:
        raise UserError(f"{broken} of {len(told)} proofs failed")


VERBS: dict[str, Callable[[list[str]], None]] = {
    verb.__name__: verb for verb in (ls, show, cp, train, tune, evaluate, predict, export, report, compare, check)
}


@contextmanager
def _keras() -> Iterator[None]:
    """Keras at work: what TensorFlow says while it loads is held back, what is printed meanwhile goes to stderr."""
    if "keras" not in sys.modules:
        usual = gc.get_threshold()
        gc.set_threshold(100_000)  # while TensorFlow loads there is nothing to collect
        with suppress_native_stderr():
            import keras  # noqa: F401
        gc.freeze()  # and what came with it stays: no collection has to look at it
        gc.set_threshold(*usual)
    with redirect_stdout(sys.stderr):
        yield


def _print(scores: dict[str, Any]) -> None:
    """The scores as a table: the model, its interval, and the baselines beside it."""
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    console.width = max(console.width, 100)
    console.print(scores_table(scores), *(["", classes_table(scores)] if scores.get("classes") else []), sep="\n")
