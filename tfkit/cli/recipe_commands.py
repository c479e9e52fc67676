"""Commands on recipes: list, show, copy, train, tune and verify."""

import sys

import tfkit
from tfkit.cli.arguments import CommandParser, require_recipe, split_recipe_and_settings
from tfkit.cli.keras_loading import load_keras
from tfkit.errors import UserError
from tfkit.training.devices import is_chief

CONFIG_HELP = "JSON file of settings; key=value has priority"


def ls(arguments: list[str]) -> None:
    """List the recipes, or the runs of a folder."""
    parser = CommandParser(ls, "| runs [DIR] [--flags]")
    parser.flag("--sort", metavar="BY", help="sort the runs by date (default), score, recipe, target, rows or seconds")
    options = parser.parse(arguments, 2)
    if options.positional:
        _list_runs(options.positional, options.sort or "date")
        return
    if options.sort:
        raise UserError("--sort must be used with runs: tfkit ls runs --sort score")
    recipes = tfkit.list_recipes()
    width = max((len(name) for name, _ in recipes), default=0)
    for name, summary in recipes:
        print(f"{name:{width}}  {summary}")


def _list_runs(arguments: list[str], sort: str) -> None:
    """Print a table of the runs of a folder."""
    from tfkit.reporting.run_list import format_table

    if arguments[0] != "runs":
        raise UserError(
            "The argument must be left out to list recipes, or be `runs` to list runs: tfkit ls runs [DIR]. "
            f"Received: {arguments[0]!r}"
        )
    folder = arguments[1] if len(arguments) > 1 else "runs"
    runs = tfkit.list_runs(folder, sort=sort)
    print("\n".join(format_table(runs)) if runs else f"There is no run in {folder}. Train one: tfkit train RECIPE")


def show(arguments: list[str]) -> None:
    """Show a recipe and its settings, the components of a package, one component, or a setting or metric."""
    usage = "RECIPE | layers | callbacks | losses | metrics | schedules | testing | COMPONENT | SETTING | METRIC"
    options = CommandParser(show, usage).parse(arguments, 1)
    print(tfkit.describe(require_recipe(options.positional[0] if options.positional else None)))


def cp(arguments: list[str]) -> None:
    """Copy a recipe to a new file, to change it."""
    parser = CommandParser(cp, "RECIPE FILE")
    options = parser.parse(arguments, 2)
    if len(options.positional) < 2:
        raise UserError(f"A recipe and a new file must be given. Usage: {parser.usage}")
    print(tfkit.copy_recipe(*options.positional))


def train(arguments: list[str]) -> None:
    """Train a recipe and print the run directory."""
    parser = CommandParser(train, "[RECIPE] [key=value ...] [--flags]")
    parser.flag("--out", metavar="DIR", default="runs", help="parent of the new run directory (default: runs)")
    parser.flag(
        "--device",
        metavar="DEVICE",
        default="auto",
        help="auto, cpu, gpu, mirrored, mirrored:N or multiworker (default: auto)",
    )
    parser.flag("--resume", metavar="RUN", help="resume this run")
    parser.flag("--ignore-versions", help="resume although versions of packages differ")
    parser.flag("--config", metavar="FILE", help=CONFIG_HELP)
    parser.flag("--skip-test", help="do not evaluate the test split")
    parser.flag("--tensorboard", help="write curves, settings and scores for TensorBoard into the run")
    parser.flag("--no-report", help="do not write report.html")
    parser.flag("--stop-after-epoch", metavar="EPOCH", type=int, help="pause after this epoch; --resume continues")
    parser.flag(
        "--checkpoint-minutes",
        metavar="M",
        type=float,
        help="interval of checkpoints inside a long epoch (default: 3)",
    )
    parser.flag("--quiet", help="print only the run directory")
    parser.epilog = "The default RECIPE is tabular. `tfkit show RECIPE` lists its settings."
    options = parser.parse(arguments)
    recipe, settings = split_recipe_and_settings(options.positional)
    from tfkit.catalog.read_config import validate_settings_of

    if options.resume is None:
        validate_settings_of(recipe, settings, options.config)
    with load_keras():
        run = tfkit.train(
            recipe,
            out=options.out,
            device=options.device,
            resume=options.resume,
            ignore_versions=options.ignore_versions,
            config=options.config,
            skip_test=options.skip_test,
            report=not options.no_report,
            tensorboard=options.tensorboard,
            stop_after_epoch=options.stop_after_epoch,
            checkpoint_minutes=options.checkpoint_minutes,
            quiet=options.quiet,
            **settings,
        )
    if is_chief():  # the run directories of other workers are temporary
        print(run.folder)


def tune(arguments: list[str]) -> None:
    """Search the settings of a recipe and print the run directory of the winner."""
    parser = CommandParser(tune, "[RECIPE] [key=value ...] [--flags]")
    parser.flag("--trials", metavar="N", type=int, default=20, help="number of trials (default: 20)")
    parser.flag("--time-limit-minutes", metavar="M", type=float, help="start no trial that would exceed this time")
    parser.flag("--algorithm", metavar="NAME", default="random", help="random (default), bayesian, hyperband or grid")
    parser.flag(
        "--search",
        metavar="DOMAIN",
        action="append",
        default=[],
        help="key=low..high or key=a,b; can be repeated, once for each setting",
    )
    parser.flag("--objective", metavar="SCORE", help="validation score that ranks the trials")
    parser.flag(
        "--finalists",
        metavar="N",
        type=int,
        default=3,
        help="number of trials better than the default settings that are retrained with new seeds (default: 3)",
    )
    parser.flag("--workers", metavar="N", type=int, default=1, help="number of trials at a time (default: 1)")
    parser.flag("--device", metavar="DEVICE", default="auto", help="device of each trial, as in train")
    parser.flag("--dask-address", metavar="ADDRESS", help="address of a Dask cluster that runs the trials")
    parser.flag("--out", metavar="DIR", help="directory of the search (default: runs/tune-RECIPE)")
    parser.flag("--overwrite", help="delete the existing search in this directory and start a new one")
    parser.flag("--config", metavar="FILE", help="JSON file of fixed settings; key=value has priority")
    parser.flag("--quiet", help="print only the run directory of the winner")
    parser.epilog = "Settings given as key=value are fixed. The same command resumes an interrupted search."
    options = parser.parse(arguments)
    recipe, settings = split_recipe_and_settings(options.positional)
    from tfkit.catalog.read_config import validate_settings_of

    validate_settings_of(recipe, settings, options.config)
    with load_keras():
        run = tfkit.tune(
            recipe,
            trials=options.trials,
            time_limit_minutes=options.time_limit_minutes,
            algorithm=options.algorithm,
            search=options.search,
            objective=options.objective,
            finalists=options.finalists,
            workers=options.workers,
            device=options.device,
            dask_address=options.dask_address,
            out=options.out,
            overwrite=options.overwrite,
            config=options.config,
            quiet=options.quiet,
            **settings,
        )
    print(run.folder)


def verify(arguments: list[str]) -> None:
    """Verify that a recipe is reproducible: same seed, resume after kill, save and load, replicas."""
    parser = CommandParser(verify, "RECIPE [key=value ...] [--flags]")
    parser.flag("--out", metavar="DIR", help="new directory for the runs of the checks (default: they are deleted)")
    parser.flag("--config", metavar="FILE", help=CONFIG_HELP)
    parser.epilog = "The recipe is trained several times: use settings that train in seconds. epochs is 2 by default."
    options = parser.parse(arguments)
    recipe, settings = split_recipe_and_settings(options.positional)
    stdout = sys.stdout
    with load_keras():
        results = tfkit.verify(
            require_recipe(recipe),
            out=options.out,
            config=options.config,
            on_result=lambda result: print(result, file=stdout, flush=True),
            **settings,
        )
    num_failed = sum(not result.passed for result in results)
    if num_failed:
        raise UserError(f"{num_failed} of {len(results)} checks failed")
