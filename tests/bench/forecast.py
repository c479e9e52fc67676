"""Score `recipes/forecast.py` on public series; each training runs in its own process.

    python tests/bench/forecast.py [DATA] [--sets "ETTh1;air_passengers"] [--architectures linear,lstm] [--seeds 1]

DATA holds `ett/ETTh1.csv`, `air_passengers/AirPassengers.csv` and `sunspots/monthly-sunspots.csv`; `co2` is the
bundled sample. All settings are defaults except the table, the architecture, the seed and the task: for ETTh1 the
official split, context length and horizon; for the air passengers the last 24 months as test set, with a horizon of one
and of two years. Each line of `forecast.jsonl`, in the folder of this file, is one training: test scores, scores of the
naive and the seasonal naive baseline, seconds and peak memory of the process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).with_name("forecast.jsonl")
AIR_PASSENGERS = ["air_passengers/AirPassengers.csv", "test_steps=24"]
SETS = {
    "ETTh1": [
        "ett/ETTh1.csv",
        "context_length=336",
        "horizon=96",
        "train_steps=8640",
        "val_steps=2880",
        "test_steps=2880",
    ],
    "air_passengers": [*AIR_PASSENGERS, "horizon=12"],
    "air_passengers, 24 months": [*AIR_PASSENGERS, "horizon=24"],
    "sunspots": ["sunspots/monthly-sunspots.csv"],
    "co2": [],
}
ARCHITECTURES = ("linear", "lstm", "transformer")
METRICS = ("mase", "smape", "coverage_80", "coverage_95")


def measure(name, architecture, seed, data):
    """Train on one data set in a new process; return scores, time and memory."""
    table, *task_settings = SETS[name] or [None]
    settings = [f"data={data / table}", *task_settings] if table else []
    with tempfile.TemporaryDirectory() as out:
        settings += [f"architecture={architecture}", f"seed={seed}"]
        command = [sys.executable, "-m", "tfkit", "train", "forecast", *settings, "--out", out, "--quiet"]
        start = time.perf_counter()
        training_process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        run = training_process.stdout.read().strip()
        _, status, usage = os.wait4(training_process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            raise SystemExit(f"{' '.join(command)} ended with {status}")
        metrics = json.loads((Path(run) / "metrics.json").read_text())
    test_scores, baselines = metrics["test"], metrics["baselines"]
    score = "standardized_mean_squared_error" if "standardized_mean_squared_error" in test_scores else "mase"
    return {
        "set": name,
        "architecture": architecture,
        "seed": seed,
        "metric": score,
        "score": round(test_scores[score], 4),
        **{baseline: round(scores[score], 4) for baseline, scores in baselines.items()},
        **{metric: round(test_scores[metric], 4) for metric in METRICS},
        "seconds": round(seconds),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime),
        "parts": metrics["seconds"],
        "peak_mb": usage.ru_maxrss // 1024,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--sets", default=";".join(SETS), help="names, separated by ;")
    parser.add_argument("--architectures", default=",".join(ARCHITECTURES))
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    if not args.data.is_dir():
        raise SystemExit(f"Data folder not found: {args.data}")
    for name in args.sets.split(";"):
        for architecture in args.architectures.split(","):
            for seed in range(args.seeds):
                line = json.dumps(measure(name, architecture, seed, args.data))
                print(line, flush=True)
                with RESULTS.open("a") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    main()
