"""Measure the benefit of the refit on training and validation rows for small tables.

    python tests/bench/refit.py [DATA] [--sets german_credit,concrete] [--seeds 10] [--rows 800]

For each seed, up to `--rows` rows of `train.csv.gz` are split into 75% to train and 25% to test; the recipe is trained
with `refit=false` and `refit=true`. Output: the mean accuracy or RMSE over the seeds, and the number of seeds in which
the refit is better. `test.csv.gz` is not read.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import pandas as pd

import tfkit


def score(frame, meta, seed, refit, folder):
    """Train on 75% of the rows; return the score on the other 25%."""
    frame.to_csv(folder / "table.csv", index=False)
    run = tfkit.train(
        "tabular",
        data=folder / "table.csv",
        target=meta["target"],
        task=meta["task"],
        test_fraction=0.25,
        val_fraction=0.1125,
        seed=seed,
        refit=refit,
        out=folder,
        quiet=True,
    )
    return run.metrics["test"]["accuracy" if meta["task"] == "classification" else "root_mean_squared_error"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data/tabular"))
    parser.add_argument("--sets", default="german_credit,concrete")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rows", type=int, default=1000)
    args = parser.parse_args()
    if not args.data.is_dir():
        raise SystemExit(f"Data folder not found: {args.data}. Pass the folder: refit.py DATA")
    for name in args.sets.split(","):
        meta = json.loads((args.data / name / "meta.json").read_text())
        full_table = pd.read_csv(args.data / name / "train.csv.gz")
        pairs = []
        for seed in range(args.seeds):
            frame = full_table.sample(min(args.rows, len(full_table)), random_state=seed)
            with tempfile.TemporaryDirectory() as folder:
                pairs.append([score(frame, meta, seed, refit, Path(folder)) for refit in (False, True)])
            print(name, seed, *(f"{value:.4f}" for value in pairs[-1]), flush=True)
        mean_without, mean_with = (statistics.mean(column) for column in zip(*pairs, strict=True))
        sign = 1 if meta["task"] == "classification" else -1
        better = sum(sign * (with_refit - without_refit) > 0 for without_refit, with_refit in pairs)
        print(
            f"{name}: {mean_without:.4f} without, {mean_with:.4f} with; better in {better} of {len(pairs)} seeds",
            flush=True,
        )


if __name__ == "__main__":
    main()
