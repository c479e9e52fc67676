"""Score `recipes/series.py` on ten data sets of the UCR archive; each training runs in its own process.

    python tests/bench/series.py [DATA] [--sets GunPoint,Coffee] [--models 'minirocket;inception'] [--seeds 1]

DATA holds `ucr/NAME/NAME_TRAIN.tsv` and `NAME_TEST.tsv`. The official splits are used. All settings are
defaults except tables, architecture (for minirocket also `use_differences` and `classifier`) and seed. Each line of
`series.jsonl`, in the folder of this file, is one training: the accuracy, the accuracies of the nearest training series
and of the published ResNet (Ismail Fawaz et al. 2019, mean of five runs), seconds and peak memory of the process.
`japanese_vowels` is the bundled sample with a random test split.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).with_name("series.jsonl")
RESNET = {
    "GunPoint": 0.991,
    "ItalyPowerDemand": 0.962,
    "ArrowHead": 0.838,
    "ECG200": 0.874,
    "CBF": 0.996,
    "SyntheticControl": 0.997,
    "SwedishLeaf": 0.958,
    "OSULeaf": 0.980,
    "Coffee": 1.0,
    "Adiac": 0.833,
}
MODELS = {
    "minirocket": [],
    "minirocket, no differences": ["use_differences=false"],
    "minirocket, trained head": ["classifier=softmax"],
    **{name: [f"architecture={name}"] for name in ("inception", "cnn", "lstm", "transformer")},
}


def measure(name, model, seed, data):
    """Train on one data set in a new process; return scores, time and memory."""
    settings = []
    if name in RESNET:
        files = [data / "ucr" / name / f"{name}_{split}.tsv" for split in ("TRAIN", "TEST")]
        if not all(file.is_file() for file in files):
            raise SystemExit(f"File not found: {files[0]}. Pass the data folder: series.py DATA")
        settings = [f"data={files[0]}", f"test_data={files[1]}"]
    with tempfile.TemporaryDirectory() as out:
        settings = [*settings, *MODELS[model], f"seed={seed}"]
        command = [sys.executable, "-m", "tfkit", "train", "series", *settings, "--out", out, "--quiet"]
        start = time.perf_counter()
        training_process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        run = training_process.stdout.read().strip()
        _, status, usage = os.wait4(training_process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            raise SystemExit(f"{' '.join(command)} ended with {status}")
        metrics = json.loads((Path(run) / "metrics.json").read_text())
    record = {"set": name, "model": model, "seed": seed, "metric": "accuracy"}
    record["score"] = round(metrics["test"]["accuracy"], 4)
    record |= {
        baseline: round(metrics["baselines"][baseline]["accuracy"], 4)
        for baseline in ("nearest_neighbor", "linear_series")
    }
    return record | {
        "resnet": RESNET.get(name),
        "log_loss": round(metrics["test"]["log_loss"], 4),
        "seconds": round(seconds),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime),
        "parts": metrics["seconds"],
        "peak_mb": usage.ru_maxrss // 1024,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--sets", default=",".join([*RESNET, "japanese_vowels"]))
    parser.add_argument("--models", default=";".join(MODELS))
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    for name in args.sets.split(","):
        for model in args.models.split(";"):
            for seed in range(args.seeds):
                line = json.dumps(measure(name, model, seed, args.data))
                print(line, flush=True)
                with RESULTS.open("a") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    main()
