"""Score `recipes/tabular.py` on prepared tables, each a process of its own, beside what other tools scored.

    python tests/bench/tables.py DATA [--seeds 3] [--sets adult,bike] [--bodies ensemble,mlp] [--out FILE.jsonl]

DATA holds a folder a set: `train.csv.gz`, `test.csv.gz`, and `meta.json` with name, target and task. Each line of the
result is one training: score, seconds and peak memory of the whole process, import included.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def measure(folder, seed, body):
    """Train on one set in a new process and say what came of it."""
    meta = json.loads((folder / "meta.json").read_text())
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "tfkit", "train", "tabular", f"table={folder / 'train.csv.gz'}",
                   f"test_table={folder / 'test.csv.gz'}", f"target={meta['target']}", f"seed={seed}", f"body={body}",
                   f"kind={'class' if meta['task'] == 'classification' else 'number'}", "--out", out, "--quiet"]  # fmt: skip
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        folder_of_run = process.stdout.read().strip()
        _, status, used = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(command)} ended with {status}")
        metrics = json.loads((Path(folder_of_run) / "metrics.json").read_text())
    test, trees = metrics["test"], metrics["baselines"]["boosted_trees"]
    name = "accuracy" if "accuracy" in test else "root_mean_squared_error"
    return {"set": meta["name"], "body": body, "seed": seed, "metric": name, "score": round(test[name], 5),
            "boosted_trees": round(trees[name], 5), "log_loss": test.get("log_loss"), "roc_auc": test.get("roc_auc"),
            "seconds": round(time.perf_counter() - start, 1), "fit": metrics["seconds"]["fit"],
            "peak_mb": used.ru_maxrss // 1024}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data/tabular"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", default="")
    parser.add_argument("--bodies", default="ensemble")
    parser.add_argument("--out", type=Path, default=None)
    known = parser.parse_args()
    if not known.data.is_dir():
        raise SystemExit(f"No tables to measure on: {known.data} is not there. Name the folder: tables.py DATA")
    for folder in sorted(path.parent for path in known.data.glob("*/meta.json")):
        if known.sets and folder.name not in known.sets.split(","):
            continue
        for body in known.bodies.split(","):
            for seed in range(known.seeds):
                line = json.dumps(measure(folder, seed, body))
                print(line, flush=True)
                if known.out:
                    with known.out.open("a") as file:
                        file.write(line + "\n")


if __name__ == "__main__":
    main()
