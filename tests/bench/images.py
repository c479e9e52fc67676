"""Score `recipes/image.py` on sets of pictures, each training a process of its own.

    python tests/bench/images.py [DATA] [--seeds 1] [--sets mnist_5k,sign_language_digits,digits] [--bodies residual]

DATA holds `mnist_5k/mnist_5k.csv.gz` (784 values and the label a row, of which a folder of PNGs is made first) and
`sign_language_digits` (a folder of JPEGs for each class); digits is the sample. A fifth is the test, stratified.
Defaults only: nothing is set but the pictures, the share of the test, the body and the seed. Each line of
`images.jsonl`, beside this file, is one training: scores of the model and the baseline, and seconds on the clock and of
the processor, and peak memory of the whole process, import included.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LINES = Path(__file__).with_suffix(".jsonl")


def measure(name, pictures, seed, body):
    """Train on one set in a new process and say what came of it."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable,
            "-m",
            "tfkit",
            "train",
            "image",
            f"pictures={pictures}",
            "test_fraction=0.2",
            f"seed={seed}",
            f"body={body}",
            "--out",
            out,
            "--quiet",
        ]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        run = process.stdout.read().strip()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            raise SystemExit(f"{' '.join(command)} ended with {status}")
        metrics = json.loads((Path(run) / "metrics.json").read_text())
        epochs = json.loads((Path(run) / "config.json").read_text())["epochs"]
    return {
        "set": name,
        "body": body,
        "seed": seed,
        "metric": "accuracy",
        "score": round(metrics["test"]["accuracy"], 5),
        "interval": metrics["intervals"]["accuracy"],
        "log_loss": round(metrics["test"]["log_loss"], 5),
        "linear_pixels": round(metrics["baselines"]["linear_pixels"]["accuracy"], 5),
        "epochs": epochs,
        "seconds": round(seconds, 1),
        "cpu": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": used.ru_maxrss // 1024,
    }


def drawn(table, folder):
    """The rows of a table of 28 by 28 pixels as a folder of PNGs for each label."""
    import pandas as pd
    from PIL import Image

    for number, row in enumerate(pd.read_csv(table, header=None).to_numpy("uint8")):
        path = folder / str(row[-1]) / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(row[:-1].reshape(28, 28)).save(path)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--sets", default="mnist_5k,sign_language_digits,digits")
    parser.add_argument("--bodies", default="residual,conv,transformer")
    known = parser.parse_args()
    if not known.data.is_dir():
        raise SystemExit(f"No pictures to measure on: {known.data} is not there. Name the folder: images.py DATA")
    with tempfile.TemporaryDirectory() as scratch:
        for name in known.sets.split(","):
            pictures = known.data / name
            if name == "mnist_5k":
                pictures = drawn(pictures / "mnist_5k.csv.gz", Path(scratch) / name)
            if name == "digits":
                pictures = Path(__file__).parents[2] / "data" / "digits.zip"
            for body in known.bodies.split(","):
                for seed in range(known.seeds):
                    line = json.dumps(measure(name, pictures, seed, body))
                    print(line, flush=True)
                    with LINES.open("a") as file:
                        file.write(line + "\n")


if __name__ == "__main__":
    main()
