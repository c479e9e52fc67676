"""Benchmarks of `speed.py` on files: training against a script, prediction, out-of-core training."""

import json
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
LARGE_COLUMNS, LARGE_FILES = 30, 40


def train_tabular(args):
    """Time the tabular recipe on the census sample against `hand_written.py`.

    Each training runs in its own process: once with default settings, and once with a smaller network for as many
    epochs as reach the validation loss of the script.
    """
    import tfkit

    sample = str(tfkit.sample_path("adult.csv.gz"))
    sides = {"recipe": [], "recipe, same loss": ["architecture=mlp", "num_layers=2", "epochs=3"]}
    seconds, losses = ({side: [] for side in (*sides, "script")} for _ in range(2))
    for repeat in range(args.repeats):
        for side, settings in sides.items():
            command = [sys.executable, "-m", "tfkit", "train", "tabular", f"seed={repeat}", *settings, "--no-report"]
            run_seconds, run, _ = run_process([*command, "--quiet", "--out", str(args.folder / "runs")])
            seconds[side].append(run_seconds)
            losses[side].append(
                json.loads((Path(run.splitlines()[-1]) / "metrics.json").read_text())["val"]["log_loss"]
            )
        run_seconds, output, _ = run_process([sys.executable, str(FOLDER / "hand_written.py"), sample, str(repeat)])
        seconds["script"].append(run_seconds)
        losses["script"].append(float(output.split()[-1]))
    median_seconds, median_loss = (
        {side: statistics.median(values) for side, values in results.items()} for results in (seconds, losses)
    )
    for side in sides:
        notes = [f"validation loss {median_loss[side]:.4f} against {median_loss['script']:.4f}"]
        yield {
            "pair": side,
            "tfkit": round(median_seconds[side], 1),
            "other": round(median_seconds["script"], 1),
            "notes": notes,
            "repeats": args.repeats,
        }


def predict(args):
    """Time prediction of a million rows of the census table.

    From file to file, against `model.predict` on preprocessed arrays.
    """
    import pandas as pd

    import tfkit
    from tfkit.data import tabular
    from tfkit.datasets.batch_predict import predict as predict_dataset

    frame = pd.read_csv(tfkit.sample_path("adult.csv.gz"))
    rows = np.random.default_rng(0).integers(0, len(frame), 1_000_000)
    file = args.folder / "census.parquet"
    frame.iloc[rows].reset_index(drop=True).to_parquet(file)
    run = tfkit.train("tabular", epochs=1, out=args.folder / "runs", quiet=True, report=False)
    subset = frame.iloc[rows[:100_000]].reset_index(drop=True)
    x = predict_dataset(tabular.make_preprocessor(run.predictor.metadata), run.predictor.read(subset))
    network = run.model.get_layer(run.provenance["network"])
    small_arrays = {name: values[:10_000] for name, values in x.items()}
    for batch, arrays in ((4096, x), (32, small_arrays)):
        network.predict(arrays, batch_size=batch, verbose=0)
    seconds = {"file": [], 4096: [], 32: []}
    for _ in range(args.repeats):
        start = time.perf_counter()
        run.predict_file(file, args.folder / "predictions.parquet")
        seconds["file"].append((time.perf_counter() - start) / len(rows))
        for batch, arrays in ((4096, x), (32, small_arrays)):
            start = time.perf_counter()
            network.predict(arrays, batch_size=batch, verbose=0)
            seconds[batch].append((time.perf_counter() - start) / len(arrays["numbers"]))
    rate = {side: round(1 / statistics.median(side_seconds)) for side, side_seconds in seconds.items()}
    for pair, batch in (("predict", 4096), ("predict, batch 32", 32)):
        yield {"pair": pair, "tfkit": rate["file"], "other": rate[batch], "repeats": args.repeats}


def large(args):
    """Time one epoch on a Parquet folder from disk, and on fewer rows in memory."""
    on_disk, costs = _train_one_epoch(args, args.large_rows, memory_fraction=0)
    in_memory, _ = _train_one_epoch(args, args.memory_rows, memory_fraction=10)
    notes = [
        f"{args.large_rows:,} rows of {LARGE_COLUMNS} columns",
        f"{costs['gigabytes']:.2f} GB of private memory",
        f"{costs['seconds']:.0f} s start to end, of which {costs['data']:.0f} s to read, learn and encode",
    ]
    yield {"pair": "large", "tfkit": round(on_disk), "other": round(in_memory), "notes": notes, "repeats": 1, **costs}


def _train_one_epoch(args, rows, memory_fraction):
    """Return the rows per second of the epoch, and the costs of the process."""
    table = _write_table(args.folder / f"large-{rows}", rows)
    program = (
        "import sys, tfkit; from tfkit.data.rows import out_of_core\n"
        "out_of_core.MEMORY_FRACTION = float(sys.argv[2])\n"
        "run = tfkit.train('tabular', data=sys.argv[1], target='y', epochs=1, architecture='mlp', units=64,\n"
        "    num_layers=2, embedding_dim=0, batch_size=256, refit=False, out=sys.argv[3], quiet=True, report=False)\n"
        "print(run.folder)"
    )
    command = [sys.executable, "-c", program, str(table), str(memory_fraction), str(args.folder / "runs")]
    seconds, output, gigabytes = run_process(command)
    run = Path(output.splitlines()[-1])
    metrics, about = (json.loads((run / name).read_text()) for name in ("metrics.json", "provenance.json"))
    history = (run / "history.csv").read_text().splitlines()
    epoch = float(dict(zip(history[0].split(","), history[1].split(","), strict=True))["seconds"])
    return about["rows"][0] / epoch, {
        "gigabytes": round(gigabytes, 2),
        "seconds": round(seconds),
        "data": metrics["seconds"]["data"],
    }


def _write_table(folder, rows):
    """Write a folder of Parquet files; return the folder.

    Each file has 20 numeric columns, 9 categorical columns and a target that depends on three of them.
    """
    import pandas as pd

    marker = folder / "_done"
    if marker.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    categories = np.array([f"w{i}" for i in range(50)])
    for file_index in range(LARGE_FILES):
        random = np.random.default_rng(file_index)
        size = rows // LARGE_FILES
        x = random.normal(size=(size, 20)).astype("float32")
        codes = random.integers(0, 50, (size, LARGE_COLUMNS - 21))
        y = x[:, 0] + x[:, 1] * x[:, 2] + (codes[:, 0] - 25) / 25 + random.normal(size=size) > 0
        columns = {f"x{i}": x[:, i] for i in range(20)}
        columns |= {f"c{i}": categories[codes[:, i]] for i in range(codes.shape[1])} | {"y": np.where(y, "yes", "no")}
        pd.DataFrame(columns).to_parquet(folder / f"part-{file_index:03}.parquet")
    marker.touch()
    return folder


def run_process(command):
    """Run a process; return its seconds, its output and its peak memory in GB.

    The memory is the private memory of the process and its children.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak, finished = [0.0], threading.Event()

    def watch():
        while not finished.wait(0.2):
            peak[0] = max(peak[0], sum(map(_private_bytes, _process_tree(process.pid))) / 1e9)

    thread = threading.Thread(target=watch)
    thread.start()
    output, _ = process.communicate()
    seconds = time.perf_counter() - start
    finished.set()
    thread.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return seconds, output.strip(), peak[0]


def _process_tree(process_id):
    """Return the ids of a process and its descendants."""
    children = Path(f"/proc/{process_id}/task/{process_id}/children")
    try:
        child_ids = [int(child_id) for child_id in children.read_text().split()]
    except OSError:
        return []
    return [process_id, *(descendant for child_id in child_ids for descendant in _process_tree(child_id))]


def _private_bytes(process_id):
    """Return the private memory of a process in bytes, without file-backed pages."""
    try:
        lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("RssAnon", "RssShmem")))
