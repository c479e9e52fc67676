"""What fitting again on training and validation rows is worth on small tables: hold-outs of training rows alone.

    python tests/bench/refit.py [DATA] [--sets german_credit,concrete] [--seeds 10] [--rows 800]

Of each `train.csv.gz`, `--rows` rows (or all, where there are fewer) are split into three quarters to train on and
a quarter to test, anew for each seed; the page is trained with `refit=false` and `refit=true`. Printed: the mean over
seeds of accuracy or RMSE, and in how many seeds the refit was better. `test.csv.gz` is not read.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import pandas as pd

import tfkit


def score(frame, meta, seed, refit, folder):
    """One training on three quarters of the rows, its score on the last."""
    kind = "class" if meta["task"] == "classification" else "number"
    frame.to_csv(folder / "table.csv", index=False)
    run = tfkit.train(
        "tabular",
        table=folder / "table.csv",
        target=meta["target"],
        kind=kind,
        test_fraction=0.25,
        val_fraction=0.1125,
        seed=seed,
        refit=refit,
        out=folder,
        quiet=True,
    )
    return run.metrics["test"]["accuracy" if kind == "class" else "root_mean_squared_error"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data/tabular"))
    parser.add_argument("--sets", default="german_credit,concrete")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rows", type=int, default=1000)
    known = parser.parse_args()
    if not known.data.is_dir():
        raise SystemExit(f"No tables to measure on: {known.data} is not there. Name the folder: refit.py DATA")
    for name in known.sets.split(","):
        meta = json.loads((known.data / name / "meta.json").read_text())
        whole = pd.read_csv(known.data / name / "train.csv.gz")
        pairs = []
        for seed in range(known.seeds):
            frame = whole.sample(min(known.rows, len(whole)), random_state=seed)
            with tempfile.TemporaryDirectory() as folder:
                pairs.append([score(frame, meta, seed, refit, Path(folder)) for refit in (False, True)])
            print(name, seed, *(f"{value:.4f}" for value in pairs[-1]), flush=True)
        before, after = (statistics.mean(column) for column in zip(*pairs, strict=True))
        up = 1 if meta["task"] == "classification" else -1
        better = sum(up * (two - one) > 0 for one, two in pairs)
        print(f"{name}: {before:.4f} without, {after:.4f} with; better in {better} of {len(pairs)} seeds", flush=True)


if __name__ == "__main__":
    main()
