"""Score `recipes/forecast.py` on open series, each training a process of its own.

    python tests/bench/forecast.py [DATA] [--sets "ETTh1;air_passengers"] [--bodies linear,lstm] [--seeds 1]

DATA holds `ett/ETTh1.csv`, `air_passengers/AirPassengers.csv` and `sunspots/monthly-sunspots.csv`; `co2` is the sample.
Defaults only: nothing is set but the table, the body, the seed, and what the task itself says: of ETTh1 the official
months, past and horizon, of the air passengers that the last 24 months are the test, once a year ahead and once two.
Each line of `forecast.jsonl`, beside this file, is one training: the scores of the test, those of the naive and the
seasonal naive, seconds and peak memory of the whole process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LINES = Path(__file__).with_name("forecast.jsonl")
AIR = ["air_passengers/AirPassengers.csv", "test_steps=24"]
SETS = {
    "ETTh1": ["ett/ETTh1.csv", "past=336", "horizon=96", "train_steps=8640", "val_steps=2880", "test_steps=2880"],
    "air_passengers": [*AIR, "horizon=12"],
    "air_passengers, 24 months": [*AIR, "horizon=24"],
    "sunspots": ["sunspots/monthly-sunspots.csv"],
    "co2": [],
}
BODIES = ("linear", "lstm", "transformer")
KEPT = ("mase", "smape", "coverage_80", "coverage_95")


def measure(name, body, seed, data):
    """Train on one set in a new process and say what came of it."""
    table, *told = SETS[name] or [None]
    words = [f"table={data / table}", *told] if table else []
    with tempfile.TemporaryDirectory() as out:
        words += [f"body={body}", f"seed={seed}"]
        command = [sys.executable, "-m", "tfkit", "train", "forecast", *words, "--out", out, "--quiet"]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        run = process.stdout.read().strip()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            raise SystemExit(f"{' '.join(command)} ended with {status}")
        metrics = json.loads((Path(run) / "metrics.json").read_text())
    test, others = metrics["test"], metrics["baselines"]
    score = "standardised_mean_squared_error" if "standardised_mean_squared_error" in test else "mase"
    return {
        "set": name,
        "body": body,
        "seed": seed,
        "metric": score,
        "score": round(test[score], 4),
        **{rival: round(scores[score], 4) for rival, scores in others.items()},
        **{one: round(test[one], 4) for one in KEPT},
        "seconds": round(seconds),
        "processor_seconds": round(used.ru_utime + used.ru_stime),
        "parts": metrics["seconds"],
        "peak_mb": used.ru_maxrss // 1024,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--sets", default=";".join(SETS), help="names, with ; between them")
    parser.add_argument("--bodies", default=",".join(BODIES))
    parser.add_argument("--seeds", type=int, default=1)
    known = parser.parse_args()
    if not known.data.is_dir():
        raise SystemExit(f"The folder of the sets is not there: {known.data}")
    for name in known.sets.split(";"):
        for body in known.bodies.split(","):
            for seed in range(known.seeds):
                line = json.dumps(measure(name, body, seed, known.data))
                print(line, flush=True)
                with LINES.open("a") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    main()
