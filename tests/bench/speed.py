"""Measure how fast tfkit is beside what one would write otherwise, and write the table of the README.

    python tests/bench/speed.py [--only mlp,predict] [--repeats 5] [--large-rows 20000000] [--curve-rows 10000000]
    python tests/bench/speed.py --write

Each pair is measured in one run, in turns, and a line of `speed.jsonl`, beside this file, holds the medians. The newest
line of a pair counts. A pair whose other side is PyTorch is left out, with a word, where that is not installed.
"""

import argparse
import json
import os
import sys
import tempfile
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
LINES, README = HERE / "speed.jsonl", HERE.parents[1] / "README.md"
BEGIN, END = "<!-- speed: python tests/bench/speed.py -->", "<!-- end of speed -->"
# pair -> what is measured, in which unit, and the least ratio that is wanted (the most, where less is better), if any
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
    "page, same loss": (
        "`tfkit train tabular body=mlp depth=2 epochs=3`, start to end, against a hand-written Keras "
        "script, to the script's validation loss",
        "s",
        0.5,
    ),
    "page": ("`tfkit train tabular` as it is, to a loss that the script does not reach", "s", None),
    "predict": ("a million rows from Parquet to Parquet against `model.predict` on arrays, batch 4096", "rows/s", 0.7),
    "predict, batch 32": ("the same against `model.predict` as it is, batch 32", "rows/s", 0.7),
    "large": ("a table on disk, one epoch, against 2,000,000 of its rows in memory", "rows/s", 0.5),
}


def works():
    """What can be asked for with --only, and what measures it."""
    import speed_fit
    import speed_tables

    return {
        "mlp": speed_fit.mlp,
        "cnn": speed_fit.cnn,
        "transformer": speed_fit.transformer,
        "lstm": speed_fit.lstm,
        "page": speed_tables.page,
        "predict": speed_tables.predict,
        "large": speed_tables.large,
        "curve": speed_fit.curve,
    }


def table():
    """The newest line of each pair in Markdown, and the curve."""
    newest = {line["pair"]: line for line in map(json.loads, LINES.read_text(encoding="utf-8").splitlines())}
    rows = [["what", "tfkit", "other", "ratio", "wanted"], ["---", "---:", "---:", "---:", "---:"]]
    for pair, (what, unit, wanted) in PAIRS.items():
        if pair in newest:
            line = newest[pair]
            less = unit == "s"
            more = "".join(f"; {words}" for words in line.get("said", []))
            sides = [f"{line[side]:,.{int(less)}f} {unit}" for side in ("tfkit", "other")]
            ratio = f"{line['tfkit'] / line['other']:.2f}"
            limit = f"{'at most' if less else 'at least'} {wanted}" if wanted else ""
            rows.append([what + more, *sides, ratio, limit])
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
    if "curve" in newest:
        line = newest["curve"]
        points = [
            ["rows", *(f"{rows:,}" for rows in line["rows"])],
            ["---", *["---:"] * len(line["rows"])],
            ["a row of an epoch", *(f"{nanoseconds:,} ns" for nanoseconds in line["nanoseconds"])],
        ]
        text += "\n\n" + "\n".join("| " + " | ".join(cells) + " |" for cells in points)
        text += "\n\n![time per row against rows](tests/bench/speed.svg)"
    return text


def write():
    """The table between its markers in the README, and the curve as a picture beside this file."""
    text = README.read_text(encoding="utf-8")
    if not LINES.exists():
        print("Nothing has been measured yet: python tests/bench/speed.py", file=sys.stderr)
        return
    if BEGIN not in text:
        print(f"The README has no place for the table: {BEGIN} and {END} on lines of their own.", file=sys.stderr)
        return
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    README.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="some of the works, by name")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--large-rows", type=int, default=20_000_000)
    parser.add_argument("--memory-rows", type=int, default=2_000_000, help="of the same table in memory")
    parser.add_argument("--curve-rows", type=int, default=10_000_000)
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()) / "tfkit-speed",
        help="where tables are made and kept",
    )
    parser.add_argument("--torch-python", default=sys.executable, help="a Python that has PyTorch, where this has not")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    if asked.write:
        write()
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    asked.folder.mkdir(parents=True, exist_ok=True)
    found = works()
    for name in asked.only.split(",") if asked.only else found:
        for line in found[name](asked):
            line |= {
                "cores": len(os.sched_getaffinity(0)),
                "load": round(os.getloadavg()[0], 1),
                "date": date.today().isoformat(),
            }
            print(json.dumps(line), flush=True)
            with LINES.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
