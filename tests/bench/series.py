"""Score `recipes/series.py` on ten sets of the UCR archive, official splits, each training a process of its own.

    python tests/bench/series.py [DATA] [--sets GunPoint,Coffee] [--models 'minirocket;inception'] [--seeds 1]

DATA holds `ucr/NAME/NAME_TRAIN.tsv` and `NAME_TEST.tsv`. Defaults only: nothing is set but the tables, the body (of
minirocket also whether it reads differences, and whether its head is solved) and the seed. Each line of `series.jsonl`,
beside this file, is one training: the accuracy, that of the nearest training series and of the published ResNet (Ismail
Fawaz et al. 2019, mean of five), seconds and peak memory of the whole process. `japanese_vowels` is the sample, a share
of it as test.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LINES = Path(__file__).with_name("series.jsonl")
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
    "minirocket, no differences": ["differences=false"],
    "minirocket, trained head": ["head=trained"],
    **{body: [f"body={body}"] for body in ("inception", "convolution", "lstm", "transformer")},
}


def measure(name, model, seed, data):
    """Train on one set in a new process and say what came of it."""
    words = []
    if name in RESNET:
        files = [data / "ucr" / name / f"{name}_{part}.tsv" for part in ("TRAIN", "TEST")]
        if not all(file.is_file() for file in files):
            raise SystemExit(f"{files[0]} is not there: give the folder of the data, tests/bench/series.py DATA")
        words = [f"table={files[0]}", f"test_table={files[1]}"]
    with tempfile.TemporaryDirectory() as out:
        words = [*words, *MODELS[model], f"seed={seed}"]
        command = [sys.executable, "-m", "tfkit", "train", "series", *words, "--out", out, "--quiet"]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        run = process.stdout.read().strip()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            raise SystemExit(f"{' '.join(command)} ended with {status}")
        metrics = json.loads((Path(run) / "metrics.json").read_text())
    found = {"set": name, "model": model, "seed": seed, "metric": "accuracy"}
    found["score"] = round(metrics["test"]["accuracy"], 4)
    found |= {one: round(metrics["baselines"][one]["accuracy"], 4) for one in ("nearest_series", "linear_series")}
    return found | {
        "resnet": RESNET.get(name),
        "log_loss": round(metrics["test"]["log_loss"], 4),
        "seconds": round(seconds),
        "processor_seconds": round(used.ru_utime + used.ru_stime),
        "parts": metrics["seconds"],
        "peak_mb": used.ru_maxrss // 1024,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--sets", default=",".join([*RESNET, "japanese_vowels"]))
    parser.add_argument("--models", default=";".join(MODELS))
    parser.add_argument("--seeds", type=int, default=1)
    known = parser.parse_args()
    for name in known.sets.split(","):
        for model in known.models.split(";"):
            for seed in range(known.seeds):
                line = json.dumps(measure(name, model, seed, known.data))
                print(line, flush=True)
                with LINES.open("a") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    main()
