"""The works of `speed.py` that begin at files: a page beside a script, prediction, and a table that stays on disk."""

import json
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
LARGE_COLUMNS, LARGE_FILES = 30, 40


def page(asked):
    """The page on the census sample beside `hand_written.py`, each a process of its own: as it is, and its smaller body
    for as many epochs as reach the script's validation loss."""
    import tfkit

    sample = str(tfkit.sample("adult.csv.gz"))
    sides = {"page": [], "page, same loss": ["body=mlp", "depth=2", "epochs=3"]}
    seconds, losses = ({side: [] for side in (*sides, "script")} for _ in range(2))
    for turn in range(asked.repeats):
        for side, words in sides.items():
            command = [sys.executable, "-m", "tfkit", "train", "tabular", f"seed={turn}", *words, "--no-report"]
            taken, run, _ = process([*command, "--quiet", "--out", str(asked.folder / "runs")])
            seconds[side].append(taken)
            losses[side].append(
                json.loads((Path(run.splitlines()[-1]) / "metrics.json").read_text())["val"]["log_loss"]
            )
        taken, said, _ = process([sys.executable, str(HERE / "hand_written.py"), sample, str(turn)])
        seconds["script"].append(taken)
        losses["script"].append(float(said.split()[-1]))
    took, loss = ({side: statistics.median(found) for side, found in each.items()} for each in (seconds, losses))
    for side in sides:
        said = [f"validation loss {loss[side]:.4f} against {loss['script']:.4f}"]
        yield {
            "pair": side,
            "tfkit": round(took[side], 1),
            "other": round(took["script"], 1),
            "said": said,
            "repeats": asked.repeats,
        }


def predict(asked):
    """A million rows of the census table, from file to file, beside `model.predict` on what is prepared already."""
    import pandas as pd

    import tfkit
    from tfkit.data.tabular.preprocessing import prepare_table
    from tfkit.datasets.batch_predict import predict as prepared

    frame = pd.read_csv(tfkit.sample("adult.csv.gz"))
    rows = np.random.default_rng(0).integers(0, len(frame), 1_000_000)
    file = asked.folder / "census.parquet"
    frame.iloc[rows].reset_index(drop=True).to_parquet(file)
    run = tfkit.train("tabular", epochs=1, out=asked.folder / "runs", quiet=True, report=False)
    some = frame.iloc[rows[:100_000]].reset_index(drop=True)
    x = prepared(prepare_table(run.info), run.read(some))
    network = run.model.get_layer(run.about["network"])
    few = {name: values[:10_000] for name, values in x.items()}
    for batch, arrays in ((4096, x), (32, few)):
        network.predict(arrays, batch_size=batch, verbose=0)
    seconds = {"file": [], 4096: [], 32: []}
    for _ in range(asked.repeats):
        start = time.perf_counter()
        run.predict_file(file, asked.folder / "answers.parquet")
        seconds["file"].append((time.perf_counter() - start) / len(rows))
        for batch, arrays in ((4096, x), (32, few)):
            start = time.perf_counter()
            network.predict(arrays, batch_size=batch, verbose=0)
            seconds[batch].append((time.perf_counter() - start) / len(arrays["numbers"]))
    rate = {side: round(1 / statistics.median(taken)) for side, taken in seconds.items()}
    for pair, batch in (("predict", 4096), ("predict, batch 32", 32)):
        yield {"pair": pair, "tfkit": rate["file"], "other": rate[batch], "repeats": asked.repeats}


def large(asked):
    """A Parquet folder trained on for one epoch from disk, and a part of it in memory."""
    on_disk, lines = _trained(asked, asked.large_rows, share=0)
    in_memory, _ = _trained(asked, asked.memory_rows, share=10)
    said = [
        f"{asked.large_rows:,} rows of {LARGE_COLUMNS} columns",
        f"{lines['gigabytes']:.2f} GB of private memory",
        f"{lines['seconds']:.0f} s start to end, of which {lines['data']:.0f} s to read, learn and encode",
    ]
    yield {"pair": "large", "tfkit": round(on_disk), "other": round(in_memory), "said": said, "repeats": 1, **lines}


def _trained(asked, rows, share):
    """Rows a second of the epoch, and what the whole process needed."""
    table = _made(asked.folder / f"large-{rows}", rows)
    program = (
        "import sys; from tfkit.data.rows import out_of_core as disk; disk.SHARE = float(sys.argv[2]); import tfkit\n"
        "run = tfkit.train('tabular', table=sys.argv[1], target='y', epochs=1, body='mlp', units=64, depth=2,\n"
        "    embedding_dim=0, batch_size=256, refit=False, out=sys.argv[3], quiet=True, report=False)\n"
        "print(run.folder)"
    )
    command = [sys.executable, "-c", program, str(table), str(share), str(asked.folder / "runs")]
    seconds, said, gigabytes = process(command)
    run = Path(said.splitlines()[-1])
    metrics, about = (json.loads((run / name).read_text()) for name in ("metrics.json", "about.json"))
    history = (run / "history.csv").read_text().splitlines()
    epoch = float(dict(zip(history[0].split(","), history[1].split(","), strict=True))["seconds"])
    return about["rows"][0] / epoch, {
        "gigabytes": round(gigabytes, 2),
        "seconds": round(seconds),
        "data": metrics["seconds"]["data"],
    }


def _made(folder, rows):
    """A folder of Parquet files: 20 numbers, 9 columns of words, and a target that some of them tell."""
    import pandas as pd

    done = folder / "_done"
    if done.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    words = np.array([f"w{i}" for i in range(50)])
    for number in range(LARGE_FILES):
        random = np.random.default_rng(number)
        size = rows // LARGE_FILES
        x = random.normal(size=(size, 20)).astype("float32")
        codes = random.integers(0, 50, (size, LARGE_COLUMNS - 21))
        y = x[:, 0] + x[:, 1] * x[:, 2] + (codes[:, 0] - 25) / 25 + random.normal(size=size) > 0
        columns = {f"x{i}": x[:, i] for i in range(20)}
        columns |= {f"c{i}": words[codes[:, i]] for i in range(codes.shape[1])} | {"y": np.where(y, "yes", "no")}
        pd.DataFrame(columns).to_parquet(folder / f"part-{number:03}.parquet")
    done.touch()
    return folder


def process(command):
    """Seconds of a process, what it printed, and the most private memory of it and its children, in GB."""
    start = time.perf_counter()
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    most, over = [0.0], threading.Event()

    def watch():
        while not over.wait(0.2):
            most[0] = max(most[0], sum(map(_private, _family(running.pid))) / 1e9)

    thread = threading.Thread(target=watch)
    thread.start()
    said, _ = running.communicate()
    seconds = time.perf_counter() - start
    over.set()
    thread.join()
    if running.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {running.returncode}")
    return seconds, said.strip(), most[0]


def _family(process):
    children = Path(f"/proc/{process}/task/{process}/children")
    try:
        found = [int(child) for child in children.read_text().split()]
    except OSError:
        return []
    return [process, *(one for child in found for one in _family(child))]


def _private(process):
    """Bytes that are no pages of files: these the system takes back when it needs them."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("RssAnon", "RssShmem")))
