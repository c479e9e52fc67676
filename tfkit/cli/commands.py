"""The command: flags speak to tfkit (where, how much), key=value speaks to the recipe (what)."""

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
    from tfkit.reporting.run_list import format_table

    if words[0] != "runs":
        raise UserError(
            f"What is listed is the recipes (tfkit ls) or the runs (tfkit ls runs [DIR]). Received: {words[0]!r}"
        )
    folder = words[1] if len(words) > 1 else "runs"
    found = tfkit.list_runs(folder, sort=sort)
    print("\n".join(format_table(found)) if found else f"No run lies under {folder}. Train one: tfkit train RECIPE")


def show(arguments: list[str]) -> None:
    """show what a recipe does and its settings, or the layers, callbacks, ... or one of them"""
    usage = "RECIPE | layers | callbacks | losses | metrics | schedules | testing | PART"
    words = Parser(show, usage).read(arguments, 1).words
    print(tfkit.describe(recipe_of(words)))


def cp(arguments: list[str]) -> None:
    """copy a recipe's page to a file of your own"""
    words = Parser(cp, "RECIPE FILE").read(arguments, 2).words
    if len(words) < 2:
        raise UserError("Say which recipe and where to: tfkit cp RECIPE FILE")
    print(tfkit.copy_recipe(*words))


def train(arguments: list[str]) -> None:
    """train a recipe; the last line says where the run lies"""
    parser = Parser(train, "[RECIPE] [key=value ...] [--flags]")
    parser.flag("--out", metavar="DIR", default="runs", help="the run is a new folder in DIR (default: runs)")
    parser.flag(
        "--device",
        metavar="DEVICE",
        default="auto",
        help="auto, cpu, gpu, mirrored, mirrored:N or multiworker (default: auto)",
    )
    parser.flag("--resume", metavar="RUN", help="go on with this run")
    parser.flag("--ignore-versions", help="resume although versions differ")
    parser.flag("--config", metavar="FILE", help="a JSON file of settings; key=value goes before it")
    parser.flag("--skip-test", help="leave the test split alone")
    parser.flag("--tensorboard", help="write curves, settings and scores for TensorBoard into the run")
    parser.flag("--no-report", help="make no report.html at the end")
    parser.flag("--stop-after-epoch", metavar="EPOCH", type=int, help="pause after this epoch, to be resumed")
    parser.flag(
        "--checkpoint-minutes", metavar="M", type=float, help="save every M minutes inside a long epoch (default: 3)"
    )
    parser.flag("--quiet", help="print nothing but where the run lies")
    parser.epilog = "RECIPE is tabular when it is left out; `tfkit show RECIPE` lists its settings."
    known = parser.read(arguments)
    recipe, settings = recipe_and_settings(known.words)
    with _keras():
        run = tfkit.train(
            recipe,
            out=known.out,
            device=known.device,
            resume=known.resume,
            ignore_versions=known.ignore_versions,
            config=known.config,
            skip_test=known.skip_test,
            report=not known.no_report,
            tensorboard=known.tensorboard,
            stop_after_epoch=known.stop_after_epoch,
            checkpoint_minutes=known.checkpoint_minutes,
            quiet=known.quiet,
            **settings,
        )
    if is_chief():  # the others have nothing to show
        print(run.folder)


def tune(arguments: list[str]) -> None:
    """search the settings of a recipe; the last line says where the winner lies"""
    parser = Parser(tune, "[RECIPE] [key=value ...] [--flags]")
    parser.flag("--trials", metavar="N", type=int, default=20, help="how many settings are tried (default: 20)")
    parser.flag("--time-limit-minutes", metavar="M", type=float, help="begin no trial that would make it longer")
    parser.flag("--algorithm", metavar="HOW", default="random", help="random, bayesian, hyperband or grid")
    parser.flag(
        "--search",
        metavar="DOMAIN",
        action="append",
        default=[],
        help="key=low..high or key=one,two; once for each setting",
    )
    parser.flag("--objective", metavar="SCORE", help="the validation score that trials are compared by")
    parser.flag(
        "--finalists",
        metavar="N",
        type=int,
        default=3,
        help="how many ahead of the recipe as written are trained again (default: 3)",
    )
    parser.flag("--workers", metavar="J", type=int, default=1, help="trials at a time (default: 1)")
    parser.flag("--device", metavar="DEVICE", default="auto", help="what each trial trains on, as in train")
    parser.flag("--dask-address", metavar="ADDRESS", help="a Dask cluster that trains")
    parser.flag("--out", metavar="DIR", help="the folder of the search (default: runs/tune-RECIPE)")
    parser.flag("--overwrite", help="throw away the search that lies there, and begin anew")
    parser.flag("--config", metavar="FILE", help="a JSON file of settings that are fixed; key=value goes before it")
    parser.flag("--quiet", help="print nothing but where the winner lies")
    parser.epilog = "A key=value is fixed. The same command goes on with a search that was interrupted."
    known = parser.read(arguments)
    recipe, settings = recipe_and_settings(known.words)
    flags = (
        "trials",
        "time_limit_minutes",
        "algorithm",
        "search",
        "objective",
        "finalists",
        "workers",
        "device",
        "dask_address",
        "out",
        "overwrite",
        "config",
        "quiet",
    )
    with _keras():
        run = tfkit.tune(recipe, **{name: getattr(known, name) for name in flags}, **settings)
    print(run.folder)


def evaluate(arguments: list[str]) -> None:
    """score a run on its test rows, or on a file"""
    parser = Parser(evaluate, "[RUN] [FILE] [--flags]")
    parser.flag("--json", help="print the scores as JSON")
    parser.flag("--recipe", metavar="PAGE", help="the page, where it has a reader or layers of its own")
    known = parser.read(arguments, 2)
    folder, file = run_and_file(known.words)
    with _keras() if file else nullcontext(), console_logger():  # the scores of the test rows are in the run
        scores = tfkit.Run(folder, recipe=known.recipe).evaluate(source=file)
    print(json.dumps(scores, indent=2, ensure_ascii=False)) if known.json else _print(scores)


def predict(arguments: list[str]) -> None:
    """predict every row of a file; the last line says where the answers lie"""
    parser = Parser(predict, "[RUN] FILE [--flags]")
    parser.flag("--out", metavar="FILE", help="where the answers go (default: NAME.predicted.SUFFIX beside the file)")
    parser.flag("--escape-formulas", help="put ' before words that a spreadsheet would take for a formula")
    parser.flag("--recipe", metavar="PAGE", help="the page, where it has a reader or layers of its own")
    known = parser.read(arguments, 2)
    folder, file = run_and_file(known.words)
    if file is None:
        raise UserError(f"Say which file to predict. Usage: {parser.usage}")
    out = Path(known.out) if known.out else predicted(Path(file))
    with _keras(), console_logger():
        tfkit.Run(folder, recipe=known.recipe).predict_file(file, out, escape_formulas=known.escape_formulas)
    print(out)


def export(arguments: list[str]) -> None:
    """write a run's model in another format; the last line says where"""
    parser = Parser(export, "[RUN] [--flags]")
    parser.flag("--format", metavar="FORMAT", default="keras", help="keras (default), savedmodel, onnx or litert")
    parser.flag("--out", metavar="PATH", help="where to (default: in the run)")
    parser.flag("--recipe", metavar="PAGE", help="the page, where it has layers of its own")
    known = parser.read(arguments, 1)
    folder = Path(known.words[0]) if known.words else newest_run()
    with _keras(), console_logger():
        path = tfkit.Run(folder, recipe=known.recipe).export(known.format, known.out)
    print(path)


def report(arguments: list[str]) -> None:
    """make a run's report.html again; the last line says where"""
    parser = Parser(report, "[RUN] [--flags]")
    parser.flag(
        "--false-negative-cost", metavar="TIMES", type=float, help="how many false alarms a miss costs (default: 1)"
    )
    parser.flag("--mlflow", metavar="ADDRESS", help="log the run to this MLflow server, or to mlflow.db here: local")
    parser.flag("--learning-curve", help="train on a quarter and on a half of the rows too: would more of them help?")
    parser.flag("--lr-range-test", help="look for the learning rate that suits")
    parser.flag("--recipe", metavar="PAGE", help="the page, where these two need it and it is not where it was")
    known = parser.read(arguments, 1)
    run = tfkit.Run(Path(known.words[0]) if known.words else newest_run())
    trains = known.learning_curve or known.lr_range_test
    with _keras() if trains else nullcontext(), console_logger():
        path = run.report(
            false_negative_cost=known.false_negative_cost,
            learning_curve=known.learning_curve,
            lr_range_test=known.lr_range_test,
            recipe=known.recipe,
        )
        if known.mlflow:
            run.log_to_mlflow(known.mlflow)
    print(path)


def compare(arguments: list[str]) -> None:
    """compare runs on one page; the last line says where"""
    parser = Parser(compare, "RUN RUN ... [--flags]")
    parser.flag("--out", metavar="FILE", default="compare.html", help="where the page goes (default: compare.html)")
    known = parser.read(arguments)
    from tfkit.reporting.comparison import compare_pairs, load_comparable_runs

    with console_logger() as say:
        records = load_comparable_runs(known.words)
        for comparison in compare_pairs(records):
            say(comparison.summary)
        path = tfkit.compare(*known.words, out=known.out)
    print(path)


def check(arguments: list[str]) -> None:
    """prove of a page: same seed same bits, killed and resumed equals straight, saved equals loaded, ..."""
    parser = Parser(check, "RECIPE [key=value ...] [--flags]")
    parser.flag("--out", metavar="DIR", help="keep the runs of the proofs in DIR (default: they are taken away)")
    parser.flag("--config", metavar="FILE", help="a JSON file of settings; key=value goes before it")
    parser.epilog = "It trains several times, so give settings that train in seconds; epochs is 2 if it is not named."
    known = parser.read(arguments)
    recipe, settings = recipe_and_settings(known.words)
    recipe = recipe_of([recipe] if recipe else [])
    out = sys.stdout
    with _keras():
        told = tfkit.verify(
            recipe,
            out=known.out,
            config=known.config,
            on_result=lambda proof: print(proof, file=out, flush=True),
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
