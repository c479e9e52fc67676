"""Score `recipes/image.py` on image data sets; each training runs in its own process.

    python tests/bench/images.py [DATA] [--seeds 1] [--sets mnist_5k,digits] [--architectures resnet]

DATA holds `mnist_5k/mnist_5k.csv.gz` (784 pixels and the label per row; converted to a folder of PNGs first) and
`sign_language_digits` (a folder of JPEGs per class); digits is the bundled sample. The test set is a stratified 20%.
All settings are defaults except images, test fraction, architecture and seed. Each line of `images.jsonl`, in
the folder of this file, is one training: scores of the model and the baseline, wall-clock seconds, CPU seconds and peak
memory of the process, imports included.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).with_suffix(".jsonl")


def measure(name, images, seed, architecture):
    """Train on one data set in a new process; return scores, time and memory."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable,
            "-m",
            "tfkit",
            "train",
            "image",
            f"data={images}",
            "test_fraction=0.2",
            f"seed={seed}",
            f"architecture={architecture}",
            "--out",
            out,
            "--quiet",
        ]
        start = time.perf_counter()
        training_process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        run = training_process.stdout.read().strip()
        _, status, usage = os.wait4(training_process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            raise SystemExit(f"{' '.join(command)} ended with {status}")
        metrics = json.loads((Path(run) / "metrics.json").read_text())
        epochs = json.loads((Path(run) / "config.json").read_text())["epochs"]
    return {
        "set": name,
        "architecture": architecture,
        "seed": seed,
        "metric": "accuracy",
        "score": round(metrics["test"]["accuracy"], 5),
        "interval": metrics["intervals"]["accuracy"],
        "log_loss": round(metrics["test"]["log_loss"], 5),
        "linear_pixels": round(metrics["baselines"]["linear_pixels"]["accuracy"], 5),
        "epochs": epochs,
        "seconds": round(seconds, 1),
        "cpu": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mb": usage.ru_maxrss // 1024,
    }


def write_images(table, folder):
    """Write the rows of a table of 28 x 28 pixels as PNGs, one folder per label."""
    import pandas as pd
    from PIL import Image

    for row_index, row in enumerate(pd.read_csv(table, header=None).to_numpy("uint8")):
        path = folder / str(row[-1]) / f"{row_index:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(row[:-1].reshape(28, 28)).save(path)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--sets", default="mnist_5k,sign_language_digits,digits")
    parser.add_argument("--architectures", default="resnet,cnn,transformer")
    args = parser.parse_args()
    if not args.data.is_dir():
        raise SystemExit(f"Data folder not found: {args.data}. Pass the folder: images.py DATA")
    with tempfile.TemporaryDirectory() as scratch:
        for name in args.sets.split(","):
            images = args.data / name
            if name == "mnist_5k":
                images = write_images(images / "mnist_5k.csv.gz", Path(scratch) / name)
            if name == "digits":
                images = Path(__file__).parents[2] / "data" / "digits.zip"
            for architecture in args.architectures.split(","):
                for seed in range(args.seeds):
                    line = json.dumps(measure(name, images, seed, architecture))
                    print(line, flush=True)
                    with RESULTS.open("a") as file:
                        file.write(line + "\n")


if __name__ == "__main__":
    main()
