"""Score `recipes/tabular.py` on prepared tables and write the results table of docs/benchmarks.md.

    python tests/bench/tables.py [DATA] [--seeds 3] [--sets adult,bike] [--architectures tabm,mlp]     measure
    python tests/bench/tables.py --write                                                            docs/benchmarks.md

DATA holds a folder per data set: `train.csv.gz` to fit, `test.csv.gz` to score, and `meta.json` with name, target and
task. All settings are defaults except the tables, the target and its kind, the architecture and the seed. Each training
runs in its own process. Each line of `tables.jsonl`, in the folder of this file, is one training: score, seconds and
peak memory of the process, imports included. `peers.jsonl` holds the scores of other tools on the same files (one fit
each, with their defaults).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
RESULTS, PEER_RESULTS = FOLDER / "tables.jsonl", FOLDER / "peers.jsonl"
DOCUMENT = FOLDER.parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- results: python tests/bench/tables.py -->\n", "<!-- end of results -->"
PEERS = {
    "hgb": "boosted trees",
    "realmlp": "RealMLP",
    "mlp_sklearn": "sklearn MLP",
    "seed_keras": "plain Keras",
    "fastai": "fastai",
}


def measure(folder, seed, architecture):
    """Train on one data set in a new process; return scores, time and memory."""
    meta = json.loads((folder / "meta.json").read_text())
    with tempfile.TemporaryDirectory() as out:
        task = meta["task"]
        command = [
            sys.executable,
            "-m",
            "tfkit",
            "train",
            "tabular",
            f"data={folder / 'train.csv.gz'}",
            f"test_data={folder / 'test.csv.gz'}",
            f"target={meta['target']}",
            f"seed={seed}",
            f"architecture={architecture}",
            f"task={task}",
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
    test_scores = metrics["test"]
    metric = "accuracy" if "accuracy" in test_scores else "root_mean_squared_error"
    return {
        "set": meta["name"],
        "architecture": architecture,
        "seed": seed,
        "metric": metric,
        "score": round(test_scores[metric], 5),
        "log_loss": test_scores.get("log_loss"),
        "roc_auc": test_scores.get("roc_auc"),
        "seconds": round(seconds, 1),
        "fit": metrics["seconds"]["fit"],
        "peak_mb": usage.ru_maxrss // 1024,
    }


def table(records, peers):
    """Return the results as a Markdown table, one row per data set and architecture."""
    records_of_row = {}
    for record in records:
        records_of_row.setdefault((record["set"], record["architecture"]), []).append(record)
    peer_titles = {peer: name for peer, name in PEERS.items() if any(peer_name == peer for _, peer_name in peers)}
    header = ["table", "score", "architecture", "tfkit", *peer_titles.values(), "seconds", "MB"]
    lines = [f"| {' | '.join(header)} |", "|---|---|---" + "|---:" * (len(header) - 3) + "|"]
    for (name, architecture), row_records in records_of_row.items():
        key, digits = row_records[0]["metric"], 4 if row_records[0]["score"] < 1 else 2
        scores = [record["score"] for record in row_records]
        deviation = f" ± {statistics.stdev(scores):.{digits}f}" if len(scores) > 1 else ""
        peer_scores = [
            peers.get((name, peer), {}).get("accuracy" if key == "accuracy" else "rmse") for peer in peer_titles
        ]
        cells = [
            name,
            "accuracy" if key == "accuracy" else "RMSE",
            architecture,
            f"**{statistics.mean(scores):.{digits}f}**{deviation}",
        ]
        cells += ["" if peer_score is None else f"{peer_score:.{digits}f}" for peer_score in peer_scores]
        cells += [
            f"{statistics.median(record['seconds'] for record in row_records):.0f}",
            f"{max(record['peak_mb'] for record in row_records):,}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def update_tables(text):
    """Return docs/benchmarks.md text with the current results table."""
    peers, records = ([json.loads(line) for line in path.read_text().splitlines()] for path in (PEER_RESULTS, RESULTS))
    records.sort(key=lambda record: (record["set"], record["architecture"], record["seed"]))
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    results_table = table(records, {(peer["set"], peer["peer"]): peer for peer in peers})
    return f"{before}{BEGIN}\n{results_table}\n\n{END}{after}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data/tabular"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", default="")
    parser.add_argument("--architectures", default="tabm,mlp")
    parser.add_argument("--write", action="store_true", help="write the recorded results into docs/benchmarks.md")
    args = parser.parse_args()
    if args.write:
        DOCUMENT.write_text(update_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
        return
    if not args.data.is_dir():
        raise SystemExit(f"Data folder not found: {args.data}. Pass the folder: tables.py DATA")
    for architecture in args.architectures.split(","):
        for folder in sorted(path.parent for path in args.data.glob("*/meta.json")):
            if args.sets and folder.name not in args.sets.split(","):
                continue
            for seed in range(args.seeds):
                line = json.dumps(measure(folder, seed, architecture))
                print(line, flush=True)
                with RESULTS.open("a") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    main()
