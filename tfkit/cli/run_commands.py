"""Commands on finished runs: evaluate, predict, export, report and compare."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import tfkit
from tfkit.cli.arguments import CommandParser, default_output_path, find_latest_run, split_run_and_file
from tfkit.cli.keras_loading import load_keras
from tfkit.console import classes_table, console_logger, scores_table
from tfkit.errors import UserError

MIN_TABLE_CHARACTERS = 100  # characters


def evaluate(arguments: list[str]) -> None:
    """Print the test scores of a run, or its scores on a file."""
    parser = CommandParser(evaluate, "[RUN] [FILE] [--flags]")
    parser.flag("--json", help="print the scores as JSON")
    parser.flag("--recipe", metavar="FILE", help="recipe file, if it defines a reader or layers")
    options = parser.parse(arguments, 2)
    folder, file = split_run_and_file(options.positional)
    with load_keras() if file else nullcontext(), console_logger():  # the test scores are stored in the run
        scores = tfkit.Run(folder, recipe=options.recipe).evaluate(source=file)
    if options.json:
        print(json.dumps(scores, indent=2, ensure_ascii=False))
    else:
        _print_scores(scores)


def predict(arguments: list[str]) -> None:
    """Predict every row of a file and print the path of the predictions."""
    parser = CommandParser(predict, "[RUN] FILE [--flags]")
    parser.flag("--out", metavar="FILE", help="file of the predictions (default: NAME.predicted.SUFFIX)")
    parser.flag("--threshold", metavar="P", type=float, help="probability from which the positive class is predicted")
    parser.flag(
        "--false-negative-cost",
        metavar="COST",
        type=float,
        help="use the threshold with the lowest cost, if a false negative costs COST false positives",
    )
    parser.flag("--escape-formulas", help="put ' before texts that a spreadsheet would compute as a formula")
    parser.flag("--recipe", metavar="FILE", help="recipe file, if it defines a reader or layers")
    options = parser.parse(arguments, 2)
    folder, file = split_run_and_file(options.positional)
    if file is None:
        raise UserError(f"A file to predict must be given. Usage: {parser.usage}")
    out = Path(options.out) if options.out else default_output_path(Path(file))
    with load_keras(), console_logger():
        tfkit.Run(folder, recipe=options.recipe).predict_file(
            file,
            out,
            escape_formulas=options.escape_formulas,
            threshold=options.threshold,
            false_negative_cost=options.false_negative_cost,
        )
    print(out)


def export(arguments: list[str]) -> None:
    """Write the model of a run in another format and print its path."""
    parser = CommandParser(export, "[RUN] [--flags]")
    parser.flag("--format", metavar="FORMAT", default="keras", help="keras (default), savedmodel, onnx or litert")
    parser.flag("--out", metavar="PATH", help="path of the exported model (default: in the run)")
    parser.flag("--recipe", metavar="FILE", help="recipe file, if it defines layers")
    options = parser.parse(arguments, 1)
    folder = Path(options.positional[0]) if options.positional else find_latest_run()
    with load_keras(), console_logger():
        path = tfkit.Run(folder, recipe=options.recipe).export(options.format, options.out)
    print(path)


def report(arguments: list[str]) -> None:
    """Write the report of a run again and print its path."""
    parser = CommandParser(report, "[RUN] [--flags]")
    parser.flag(
        "--false-negative-cost",
        metavar="COST",
        type=float,
        help="cost of a false negative, in false positives; stored in the run for later predictions (1: default)",
    )
    parser.flag("--mlflow", metavar="URI", help="log the run to this MLflow server, or into mlflow.db here: local")
    parser.flag(
        "--learning-curve", help="also train on a quarter and a half of the rows, to see whether more rows would help"
    )
    parser.flag("--lr-range-test", help="search for a good learning rate")
    parser.flag("--recipe", metavar="FILE", help="recipe file, if these two flags need it and it has moved")
    options = parser.parse(arguments, 1)
    run = tfkit.Run(Path(options.positional[0]) if options.positional else find_latest_run())
    needs_training = options.learning_curve or options.lr_range_test
    with load_keras() if needs_training else nullcontext(), console_logger():
        path = run.report(
            false_negative_cost=options.false_negative_cost,
            learning_curve=options.learning_curve,
            lr_range_test=options.lr_range_test,
            recipe=options.recipe,
        )
        if options.mlflow:
            run.log_to_mlflow(options.mlflow)
    print(path)


def compare(arguments: list[str]) -> None:
    """Compare runs in an HTML page and print its path."""
    parser = CommandParser(compare, "RUN RUN ... [--flags]")
    parser.flag("--out", metavar="FILE", default="compare.html", help="HTML file (default: compare.html)")
    options = parser.parse(arguments)
    from tfkit.reporting.comparison import compare_pairs, load_comparable_runs

    with console_logger() as log:
        for comparison in compare_pairs(load_comparable_runs(options.positional)):
            log(comparison.summary)
        path = tfkit.compare(*options.positional, out=options.out)
    print(path)


def _print_scores(scores: dict[str, Any]) -> None:
    """Print a table of the scores of the model and its baselines, and one of the classes."""
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    console.width = max(console.width, MIN_TABLE_CHARACTERS)
    console.print(scores_table(scores), *(["", classes_table(scores)] if scores.get("classes") else []), sep="\n")
