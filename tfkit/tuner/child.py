"""The process that trains trials, one after the other: started afresh, told by lines of JSON, gone when nobody asks.

A trial is `tfkit train PAGE --settings FILE --out FOLDER --no-test`, as anybody could type it. What a warm process
saves is the start of TensorFlow and the reading of rows.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

LOG = "log.txt"


def main() -> None:
    """Answer every line of stdin, a job, by a line on stdout; end with stdin, or with the parent."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever is printed is no answer
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    recipes: dict[tuple[str, bool], Any] = {}
    for line in sys.stdin:
        job = json.loads(line)
        answers.write(json.dumps(answer(job, recipes)) + "\n")
        answers.flush()


def answer(job: dict[str, Any], recipes: dict[tuple[str, bool], Any]) -> dict[str, Any]:
    """Do a job, with all that is printed in the log of its folder."""
    from tfkit.errors import UserError
    from tfkit.recipe import load
    from tfkit.tuner.prepared import Prepared

    with (Path(job["out"]) / LOG).open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.chdir(job["cwd"])  # where the paths of the settings begin
    try:
        key = job["page"], job["test"]
        if key not in recipes:
            own = load(job["page"])
            recipes[key] = own if job["test"] else own.replace(data=Prepared(own.data), page=own.page)
        return do(job, recipes[key], quiet=False)
    except UserError as error:
        return {"state": "failed", "reason": str(error)}
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def do(job: dict[str, Any], recipe: Any, quiet: bool = True) -> dict[str, Any]:
    """Train: what came of it, never an exception but those that are to end a process."""
    from tfkit.errors import Interrupted, NotFiniteError, UserError, first_line

    try:
        return {"state": "done", "run": str(_train(job, recipe, quiet).folder)}
    except Interrupted as told:
        if told.signal == signal.SIGINT:  # Ctrl-C, which is for the search
            raise KeyboardInterrupt from None
        return {"state": "stopped"}
    except (UserError, NotFiniteError) as error:
        return {"state": "failed", "reason": str(error)}
    except Exception as error:
        traceback.print_exc()
        return {"state": "failed", "reason": f"{type(error).__name__}: {first_line(error)}"}


def _train(job: dict[str, Any], recipe: Any, quiet: bool) -> Any:
    """The run of a job, begun, or gone on with where one was."""
    from tfkit.engine import train
    from tfkit.errors import UserError
    from tfkit.report import analyze_and_report

    finish = analyze_and_report if job["test"] else None
    how = {"test": job["test"], "on_finish": finish, "until": job["until"], "device": job["device"], "quiet": quiet}
    if job["resume"]:
        try:
            return train(recipe, resume=job["resume"], **how)
        except UserError as error:  # there is nothing to go on with
            print(f"{error}\nso it begins anew", file=sys.stderr)
    return train(recipe, out=job["out"], settings=job["settings"], **how)


def _watch(parent: int) -> None:
    """End with the parent, however that ended."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    main()
