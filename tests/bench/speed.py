"""Measure the speed of tfkit against Keras, PyTorch and a script; write the table of docs/benchmarks.md.

    python tests/bench/speed.py [--only mlp,predict] [--repeats 5] [--large-rows 20000000] [--curve-rows 10000000]
    python tests/bench/speed.py --write

The two sides of a pair are measured alternately in one run; a line of `speed.jsonl`, in the folder of this file, holds
the medians. The newest line of a pair is used. Pairs with PyTorch are skipped, with a message, if it is not installed.
"""

import argparse
import json
import os
import sys
import tempfile
from datetime import date
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))
RESULTS, DOCUMENT = FOLDER / "speed.jsonl", FOLDER.parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- speed: python tests/bench/speed.py -->", "<!-- end of speed -->"
# pair -> description, unit, and target of the ratio (minimum; maximum if the unit is seconds), if any
PAIRS = {
    "mlp, batch 32": ("MLP, batch 32, against Keras' `fit`", "rows/s", 3.0),
    "mlp, batch 32, torch": ("the same against a PyTorch eager loop", "rows/s", 2.0),
    "mlp, batch 32, short": ("in a short training, of which nothing is fused, against Keras' `fit`", "rows/s", None),
    "mlp, batch 256": ("MLP, batch 256, against Keras' `fit`", "rows/s", 2.5),
    "mlp, batch 256, torch": ("the same against a PyTorch eager loop", "rows/s", 2.0),
    "mlp, batch 256, short": ("in a short training, of which nothing is fused, against Keras' `fit`", "rows/s", None),
    "cnn": ("CNN on pictures against Keras' `fit`", "rows/s", 1.0),
    "transformer": ("Transformer on series against Keras' `fit`", "rows/s", 1.0),
    "lstm": ("LSTM on series, batch 32, against Keras' `fit`", "rows/s", 1.3),
    "recipe, same loss": (
        "`tfkit train tabular architecture=mlp num_layers=2 epochs=3`, start to end, against a hand-written Keras "
        "script, to the script's validation loss",
        "s",
        0.5,
    ),
    "recipe": ("`tfkit train tabular` as it is, to a loss that the script does not reach", "s", None),
    "predict": ("a million rows from Parquet to Parquet against `model.predict` on arrays, batch 4096", "rows/s", 0.7),
    "predict, batch 32": ("the same against `model.predict` as it is, batch 32", "rows/s", 0.7),
    "large": ("a table on disk, one epoch, against 2,000,000 of its rows in memory", "rows/s", 0.5),
}


def benchmarks():
    """Return the benchmarks by their name in --only."""
    import speed_fit
    import speed_tables

    return {
        "mlp": speed_fit.mlp,
        "cnn": speed_fit.cnn,
        "transformer": speed_fit.transformer,
        "lstm": speed_fit.lstm,
        "recipe": speed_tables.train_tabular,
        "predict": speed_tables.predict,
        "large": speed_tables.large,
        "curve": speed_fit.curve,
    }


def table():
    """Return the newest result of each pair, and the curve, as Markdown."""
    newest = {line["pair"]: line for line in map(json.loads, RESULTS.read_text(encoding="utf-8").splitlines())}
    rows = [["what", "tfkit", "other", "ratio", "wanted"], ["---", "---:", "---:", "---:", "---:"]]
    for pair, (description, unit, target) in PAIRS.items():
        if pair in newest:
            line = newest[pair]
            is_seconds = unit == "s"
            notes = "".join(f"; {note}" for note in line.get("notes", []))
            sides = [f"{line[side]:,.{int(is_seconds)}f} {unit}" for side in ("tfkit", "other")]
            ratio = f"{line['tfkit'] / line['other']:.2f}"
            limit = f"{'at most' if is_seconds else 'at least'} {target}" if target else ""
            rows.append([description + notes, *sides, ratio, limit])
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
    if "curve" in newest:
        line = newest["curve"]
        points = [
            ["rows", *(f"{rows:,}" for rows in line["rows"])],
            ["---", *["---:"] * len(line["rows"])],
            ["a row of an epoch", *(f"{nanoseconds:,} ns" for nanoseconds in line["nanoseconds"])],
        ]
        text += "\n\n" + "\n".join("| " + " | ".join(cells) + " |" for cells in points)
        text += "\n\n![time per row against rows](images/speed.svg)"
    return text


def write():
    """Write the table between its markers in docs/benchmarks.md."""
    text = DOCUMENT.read_text(encoding="utf-8")
    if not RESULTS.exists():
        print("No results yet. Run python tests/bench/speed.py", file=sys.stderr)
        return
    if BEGIN not in text:
        print(f"docs/benchmarks.md needs the lines {BEGIN} and {END} around the table.", file=sys.stderr)
        return
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names of the benchmarks, separated by commas")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--large-rows", type=int, default=20_000_000)
    parser.add_argument("--memory-rows", type=int, default=2_000_000, help="rows of the same table in memory")
    parser.add_argument("--curve-rows", type=int, default=10_000_000)
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()) / "tfkit-speed",
        help="folder for generated tables",
    )
    parser.add_argument("--torch-python", default=sys.executable, help="Python interpreter with PyTorch")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    if args.write:
        write()
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    args.folder.mkdir(parents=True, exist_ok=True)
    available = benchmarks()
    for name in args.only.split(",") if args.only else available:
        for line in available[name](args):
            line |= {
                "cores": len(os.sched_getaffinity(0)),
                "load": round(os.getloadavg()[0], 1),
                "date": date.today().isoformat(),
            }
            print(json.dumps(line), flush=True)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
