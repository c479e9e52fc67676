"""Score `recipes/tabular.py` on prepared tables, each training a process of its own, and write the README's table.

    python tests/bench/tables.py [DATA] [--seeds 3] [--sets adult,bike] [--bodies ensemble,mlp]     measure
    python tests/bench/tables.py --write                                                            README.md

DATA holds a folder a set: `train.csv.gz` to fit, `test.csv.gz` to score, and `meta.json` with name, target and task.
Defaults only: nothing is set but the tables, the target and whether it is a class, the body and the seed. Each line of
`tables.jsonl`, beside this file, is one training: score, and seconds and peak memory of the whole process, import
included. What other tools scored on the same files (`peers.jsonl`, one fit each with their defaults) stands beside it.
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

HERE = Path(__file__).resolve().parent
LINES, OTHERS = HERE / "tables.jsonl", HERE / "peers.jsonl"
README = HERE.parents[1] / "README.md"
BEGIN, END = "<!-- results: python tests/bench/tables.py -->\n", "<!-- end of results -->"
PEERS = {
    "hgb": "boosted trees",
    "realmlp": "RealMLP",
    "mlp_sklearn": "sklearn MLP",
    "seed_keras": "plain Keras",
    "fastai": "fastai",
}


def measure(folder, seed, body):
    """Train on one set in a new process and say what came of it."""
    meta = json.loads((folder / "meta.json").read_text())
    with tempfile.TemporaryDirectory() as out:
        kind = "class" if meta["task"] == "classification" else "number"
        command = [
            sys.executable,
            "-m",
            "tfkit",
            "train",
            "tabular",
            f"table={folder / 'train.csv.gz'}",
            f"test_table={folder / 'test.csv.gz'}",
            f"target={meta['target']}",
            f"seed={seed}",
            f"body={body}",
            f"kind={kind}",
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
    test = metrics["test"]
    name = "accuracy" if "accuracy" in test else "root_mean_squared_error"
    return {
        "set": meta["name"],
        "body": body,
        "seed": seed,
        "metric": name,
        "score": round(test[name], 5),
        "log_loss": test.get("log_loss"),
        "roc_auc": test.get("roc_auc"),
        "seconds": round(seconds, 1),
        "fit": metrics["seconds"]["fit"],
        "peak_mb": used.ru_maxrss // 1024,
    }


def table(lines, peers):
    """The lines as a table, a row for each set and body."""
    rows = {}
    for line in lines:
        rows.setdefault((line["set"], line["body"]), []).append(line)
    names = {peer: name for peer, name in PEERS.items() if any(who == peer for _, who in peers)}
    heads = ["table", "score", "body", "tfkit", *names.values(), "seconds", "MB"]
    text = [f"| {' | '.join(heads)} |", "|---|---|---" + "|---:" * (len(heads) - 3) + "|"]
    for (name, body), some in rows.items():
        key, digits = some[0]["metric"], 4 if some[0]["score"] < 1 else 2
        scores = [line["score"] for line in some]
        spread = f" ± {statistics.stdev(scores):.{digits}f}" if len(scores) > 1 else ""
        others = [peers.get((name, peer), {}).get("accuracy" if key == "accuracy" else "rmse") for peer in names]
        cells = [
            name,
            "accuracy" if key == "accuracy" else "RMSE",
            body,
            f"**{statistics.mean(scores):.{digits}f}**{spread}",
        ]
        cells += ["" if other is None else f"{other:.{digits}f}" for other in others]
        cells += [
            f"{statistics.median(line['seconds'] for line in some):.0f}",
            f"{max(line['peak_mb'] for line in some):,}",
        ]
        text.append(f"| {' | '.join(cells)} |")
    return "\n".join(text)


def written(text):
    """The README with the table as it should be."""
    peers, lines = ([json.loads(line) for line in file.read_text().splitlines()] for file in (OTHERS, LINES))
    lines.sort(key=lambda line: (line["set"], line["body"], line["seed"]))
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    found = table(lines, {(peer["set"], peer["peer"]): peer for peer in peers})
    return f"{before}{BEGIN}\n{found}\n\n{END}{after}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data/tabular"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", default="")
    parser.add_argument("--bodies", default="ensemble,mlp")
    parser.add_argument("--write", action="store_true", help="write what was measured before into README.md")
    known = parser.parse_args()
    if known.write:
        README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
        return
    if not known.data.is_dir():
        raise SystemExit(f"No tables to measure on: {known.data} is not there. Name the folder: tables.py DATA")
    for body in known.bodies.split(","):
        for folder in sorted(path.parent for path in known.data.glob("*/meta.json")):
            if known.sets and folder.name not in known.sets.split(","):
                continue
            for seed in range(known.seeds):
                line = json.dumps(measure(folder, seed, body))
                print(line, flush=True)
                with LINES.open("a") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    main()
