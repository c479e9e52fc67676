"""Measure `tfkit tune`: what two jobs save, what a search costs beside its trainings, its memory, and its winners.

    python tests/bench/tune.py jobs [--repeats 3]        12 short trials, one job against two, side by side
    python tests/bench/tune.py cost                      20 trials against the sum of their trainings
    python tests/bench/tune.py memory [--trials 50]      the parent's memory after 10 trials and at the end
    python tests/bench/tune.py winners [DATA]            20 trials on california and adult: validation and test

DATA holds a folder a table, as for `tables.py`; where it is not there, that is said. The test rows of the recipe as
written are looked at here, and only here: a search shows those of its winner. Each result is a line of `tune.jsonl`,
beside this file.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
LINES = HERE / "tune.jsonl"
SHORT = ["tabular", "body=mlp", "epochs=3", "--finalists", "0"]
TINY = HERE.parent / "tuner" / "tiny.py"


def tune(out, *words):
    """Search in a process of its own: seconds, the ledger, and the winner."""
    command = [sys.executable, "-m", "tfkit", "tune", *words, "--out", str(out), "--quiet"]
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds = time.perf_counter() - start
    return seconds, json.loads((Path(out) / "search.json").read_text()), Path(done.stdout.strip())


def jobs(known):
    """The ratio of two jobs to one, pair by pair."""
    pairs = []
    for _ in range(known.repeats):
        pair = []
        for count in (1, 2):
            with tempfile.TemporaryDirectory() as out:
                pair.append(tune(f"{out}/t", *SHORT, "--trials", "12", "--jobs", str(count))[0])
        pairs.append(pair)
        print(f"one job {pair[0]:.0f} s, two {pair[1]:.0f} s: {pair[1] / pair[0]:.2f}")
    ratios = [two / one for one, two in pairs]
    yield {"what": "jobs", "pairs": pairs, "ratio": statistics.median(ratios)}


def cost(known):
    """A search of 20 trials beside the sum of its trainings."""
    with tempfile.TemporaryDirectory() as out:
        seconds, ledger, _ = tune(f"{out}/t", "tabular", "body=mlp", "--finalists", "0", "--trials", "20")
        trained = sum(_trained(Path(out) / "t", trial) for trial in ledger["trials"])
    yield {"what": "cost", "seconds": seconds, "trained": trained, "ratio": seconds / trained}


def _trained(folder, trial):
    """Seconds from the beginning of a trial to its last epoch: no start of a process, no saving, no scores."""
    run = folder / trial["run"]
    return (run / "journal.jsonl").stat().st_mtime - (run / "config.json").stat().st_mtime


def memory(known):
    """The parent's memory while a search goes on, in MB."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable,
            "-m",
            "tfkit",
            "tune",
            str(TINY),
            "--finalists",
            "0",
            "--trials",
            str(known.trials),
            "--out",
            f"{out}/t",
            "--quiet",
        ]
        process, seen = subprocess.Popen(command, stdout=subprocess.DEVNULL), {}
        while process.poll() is None:
            time.sleep(0.2)
            try:
                trials = json.loads((Path(out) / "t" / "search.json").read_text())["trials"]
                pages = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
            except (OSError, ValueError, IndexError):
                continue
            seen[len(trials)] = int(pages) * 4096 / 1e6
    first, last = seen[min(10, known.trials)], seen[known.trials]
    yield {"what": "memory", "trials": known.trials, "after_10": first, "at_end": last, "growth": last - first}


def winners(known):
    """The winner beside the recipe as written, on validation and test rows."""
    for name in ("california", "adult"):
        folder = known.data / name
        if not folder.exists():
            print(f"{folder} is not there: nothing is measured on {name}")
            continue
        meta = json.loads((folder / "meta.json").read_text())
        words = [
            "tabular",
            f"table={folder / 'train.csv.gz'}",
            f"test_table={folder / 'test.csv.gz'}",
            f"target={meta['target']}",
        ]
        with tempfile.TemporaryDirectory() as out:
            seconds, ledger, winner = tune(f"{out}/t", *words, "--trials", "20")
            command = [sys.executable, "-m", "tfkit", "train", *words, "--out", f"{out}/w", "--quiet"]
            written = Path(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip())
            scores = {
                who: json.loads((run / "metrics.json").read_text())
                for who, run in (("winner", winner), ("written", written))
            }
        objective = ledger["objective"]
        yield {
            "what": "winners",
            "set": name,
            "seconds": seconds,
            "objective": objective,
            "verdict": ledger["winner"]["verdict"],
            **{f"{who}_{split}": found[split][objective] for who, found in scores.items() for split in ("val", "test")},
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["jobs", "cost", "memory", "winners"])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data/tabular"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--trials", type=int, default=50)
    known = parser.parse_args()
    for line in {"jobs": jobs, "cost": cost, "memory": memory, "winners": winners}[known.what](known):
        print(json.dumps(line))
        with LINES.open("a") as file:
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
