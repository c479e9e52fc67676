"""Measure `tfkit tune`: speed-up of two jobs, overhead, memory, and quality of the winners.

    python tests/bench/tune.py jobs [--repeats 3]        12 short trials with one job and with two jobs
    python tests/bench/tune.py cost                      time of 20 trials relative to the sum of their training times
    python tests/bench/tune.py memory [--trials 50]      memory of the parent process after 10 trials and at the end
    python tests/bench/tune.py winners [DATA]            20 trials on california and adult: validation and test scores

DATA holds a folder per table, as for `tables.py`; missing folders are reported. This script also scores the default
settings on the test set; a search scores only its winner on it. Each result is a line of `tune.jsonl`, in the folder of
this file.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "tune.jsonl"
SHORT_SEARCH = ["tabular", "architecture=mlp", "epochs=3", "--finalists", "0"]
TINY_RECIPE = FOLDER.parent / "tuner" / "tiny.py"


def tune(out, *arguments):
    """Search in a new process; return the seconds, the study and the winner's run."""
    command = [sys.executable, "-m", "tfkit", "tune", *arguments, "--out", str(out), "--quiet"]
    start = time.perf_counter()
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds = time.perf_counter() - start
    return seconds, json.loads((Path(out) / "search.json").read_text()), Path(process.stdout.strip())


def jobs(args):
    """Measure the time of two jobs relative to one job, in pairs."""
    pairs = []
    for _ in range(args.repeats):
        pair = []
        for count in (1, 2):
            with tempfile.TemporaryDirectory() as out:
                pair.append(tune(f"{out}/t", *SHORT_SEARCH, "--trials", "12", "--workers", str(count))[0])
        pairs.append(pair)
        print(f"one job {pair[0]:.0f} s, two {pair[1]:.0f} s: {pair[1] / pair[0]:.2f}")
    ratios = [seconds_two_jobs / seconds_one_job for seconds_one_job, seconds_two_jobs in pairs]
    yield {"what": "jobs", "pairs": pairs, "ratio": statistics.median(ratios)}


def cost(args):
    """Measure a search of 20 trials relative to the sum of its trainings."""
    with tempfile.TemporaryDirectory() as out:
        seconds, study, _ = tune(f"{out}/t", "tabular", "architecture=mlp", "--finalists", "0", "--trials", "20")
        training_seconds = sum(_training_seconds(Path(out) / "t", trial) for trial in study["trials"])
    yield {"what": "cost", "seconds": seconds, "trained": training_seconds, "ratio": seconds / training_seconds}


def _training_seconds(folder, trial):
    """Return the seconds from the start of a trial to its last epoch.

    Process start, saving and scoring are excluded.
    """
    run = folder / trial["run"]
    return (run / "history.jsonl").stat().st_mtime - (run / "config.json").stat().st_mtime


def memory(args):
    """Measure the memory of the parent process during a search, in MB."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable,
            "-m",
            "tfkit",
            "tune",
            str(TINY_RECIPE),
            "--finalists",
            "0",
            "--trials",
            str(args.trials),
            "--out",
            f"{out}/t",
            "--quiet",
        ]
        process, memory_mb = subprocess.Popen(command, stdout=subprocess.DEVNULL), {}
        while process.poll() is None:
            time.sleep(0.2)
            try:
                trials = json.loads((Path(out) / "t" / "search.json").read_text())["trials"]
                resident_pages = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
            except (OSError, ValueError, IndexError):
                continue
            memory_mb[len(trials)] = int(resident_pages) * 4096 / 1e6
    memory_after_10, memory_at_end = memory_mb[min(10, args.trials)], memory_mb[args.trials]
    yield {
        "what": "memory",
        "trials": args.trials,
        "after_10": memory_after_10,
        "at_end": memory_at_end,
        "growth": memory_at_end - memory_after_10,
    }


def winners(args):
    """Compare the winner with the default settings on validation and test rows."""
    for name in ("california", "adult"):
        folder = args.data / name
        if not folder.exists():
            print(f"Skipped {name}: folder not found: {folder}")
            continue
        meta = json.loads((folder / "meta.json").read_text())
        arguments = [
            "tabular",
            f"data={folder / 'train.csv.gz'}",
            f"test_data={folder / 'test.csv.gz'}",
            f"target={meta['target']}",
        ]
        with tempfile.TemporaryDirectory() as out:
            seconds, study, winner = tune(f"{out}/t", *arguments, "--trials", "20")
            command = [sys.executable, "-m", "tfkit", "train", *arguments, "--out", f"{out}/w", "--quiet"]
            default_run = Path(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip())
            scores = {
                run_name: json.loads((run / "metrics.json").read_text())
                for run_name, run in (("winner", winner), ("default", default_run))
            }
        objective = study["objective"]
        yield {
            "what": "winners",
            "set": name,
            "seconds": seconds,
            "objective": objective,
            "verdict": study["winner"]["verdict"],
            **{
                f"{run_name}_{split}": run_scores[split][objective]
                for run_name, run_scores in scores.items()
                for split in ("val", "test")
            },
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["jobs", "cost", "memory", "winners"])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data/tabular"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--trials", type=int, default=50)
    args = parser.parse_args()
    for line in {"jobs": jobs, "cost": cost, "memory": memory, "winners": winners}[args.what](args):
        print(json.dumps(line))
        with RESULTS.open("a") as file:
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
