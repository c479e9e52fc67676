"""Worker process that trains trials one at a time; jobs and results are lines of JSON on stdin and stdout.

A job is the same as `tfkit train RECIPE --config FILE --out FOLDER --skip-test`. Reusing the process saves the start of
TensorFlow and the loading of the data.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfkit.recipe import Recipe
    from tfkit.run_dir import RunDir

LOG_FILE = "log.txt"


def main() -> None:
    """Run one job per line of stdin and write its result to stdout; exit when stdin or the parent ends."""
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # printed text must not mix with the results
    threading.Thread(target=_exit_with_parent, args=(os.getppid(),), daemon=True).start()
    recipes: dict[tuple[str, bool], Recipe] = {}
    for line in sys.stdin:
        job = json.loads(line)
        results.write(json.dumps(run_logged_job(job, recipes)) + "\n")
        results.flush()


def run_logged_job(job: dict[str, Any], recipes: dict[tuple[str, bool], "Recipe"]) -> dict[str, Any]:
    """Run a job and redirect all output to the log file in its folder."""
    from tfkit.catalog.load import load_recipe
    from tfkit.errors import UserError
    from tfkit.tuning.data_cache import DataCache

    with (Path(job["out"]) / LOG_FILE).open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.chdir(job["cwd"])  # paths in the settings are relative to it
    try:
        key = job["recipe_path"], job["evaluate_test"]
        if key not in recipes:
            recipe = load_recipe(job["recipe_path"])
            recipes[key] = (
                recipe if job["evaluate_test"] else recipe.replace(data=DataCache(recipe.data), path=recipe.path)
            )
        return run_job(job, recipes[key], quiet=False)
    except UserError as error:
        return {"state": "failed", "reason": str(error), "refused": True}
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def run_job(job: dict[str, Any], recipe: "Recipe", quiet: bool = True) -> dict[str, Any]:
    """Train a trial and return its state; only exceptions that must end the process are raised."""
    from tfkit.errors import Interrupted, NotFiniteError, UserError, first_line

    try:
        return {"state": "done", "run": str(_train_or_resume(job, recipe, quiet).folder)}
    except Interrupted as interruption:
        if interruption.signal == signal.SIGINT:  # Ctrl-C, which ends the search
            raise KeyboardInterrupt from None
        return {"state": "stopped"}
    except (UserError, NotFiniteError) as error:
        return {"state": "failed", "reason": str(error), "refused": isinstance(error, UserError)}
    except Exception as error:
        traceback.print_exc()
        return {"state": "failed", "reason": f"{type(error).__name__}: {first_line(error)}"}


def _train_or_resume(job: dict[str, Any], recipe: "Recipe", quiet: bool) -> "RunDir":
    """Train the run of a job; resume an existing run if the job has one."""
    from tfkit.errors import UserError
    from tfkit.reporting.report import analyze_and_report
    from tfkit.training.train import train

    options = {
        "skip_test": not job["evaluate_test"],
        "on_finish": analyze_and_report if job["evaluate_test"] else None,
        "stop_after_epoch": job["stop_after_epoch"],
        "device": job["device"],
        "quiet": quiet,
    }
    if job["resume"]:
        try:
            return train(recipe, resume=job["resume"], **options)
        except UserError as error:  # the run cannot be resumed
            print(f"{error}\nTraining starts from the beginning.", file=sys.stderr)
    return train(recipe, out=job["out"], config=job["settings"], **options)


def _exit_with_parent(parent: int) -> None:
    """Exit as soon as the parent process no longer exists."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    main()
