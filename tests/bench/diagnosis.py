"""Provoke each diagnosis by a real training, and write the table of docs/guides/diagnosis.md.

    python tests/bench/diagnosis.py             # about fifteen minutes on two cores; writes tests/bench/diagnosis.jsonl
    python tests/bench/diagnosis.py --only lr   # only runs whose name contains it
    python tests/bench/diagnosis.py --write     # write the table from the stored measurements

A run is right if its first diagnosis is the expected one (none for a healthy run), wrong if it is another one, and
missed if there is none.
"""

import argparse
import json
import tempfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from healthy import RUNS

import tfkit
from tfkit.errors import NotFiniteError
from tfkit.reporting.diagnostics import diagnose
from tfkit.reporting.run_results import RunResults

FOLDER = Path(__file__).resolve().parent
RESULTS, DOCUMENT = FOLDER / "diagnosis.jsonl", FOLDER.parents[1] / "docs" / "guides" / "diagnosis.md"
BEGIN, END = "<!-- provoked: python tests/bench/diagnosis.py -->", "<!-- end of provoked -->"
ROWS = 1500
RATE, BATCH = "The learning rate is far", "The batch size is far"


def make_tables(folder):
    """Write tables of six numbers and a class: as it is, rare, few rows, labels at random, a column that tells it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 6))
    noise = rng.normal(size=ROWS)
    score = x[:, 0] + 0.7 * x[:, 1] - x[:, 2] * x[:, 3] + 0.7 * noise
    table = pd.DataFrame(x, columns=list("abcdef")).assign(y=np.where(score > 0, "yes", "no"))
    codes = np.where(score > 0, rng.integers(0, 50, ROWS), rng.integers(60, 110, ROWS))
    is_rare = score + 1.5 * rng.normal(size=ROWS) > 3.6
    tables = {
        "table": table,
        "rare": table.assign(y=np.where(is_rare, "yes", "no")),
        "linear": table.assign(y=np.where(x[:, 0] + x[:, 1] + 0.5 * noise > 0, "yes", "no")).head(400),
        "few": table.head(60),
        "random": table.assign(y=rng.permutation(table["y"])),
        "leak": table.assign(code=codes),
    }
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return {name: {"data": folder / f"{name}.csv", "target": "y"} for name in tables}


def cases(tables):
    """Name -> recipe, settings, beginning of the expected diagnosis; None for a healthy run."""
    table = tables["table"]
    yield "default", "tabular", table, None
    yield "architecture=mlp", "tabular", {**table, "architecture": "mlp"}, None
    yield "default", "text", {}, None
    for recipe, settings in RUNS:
        values = [f"{name}={getattr(value, 'name', Path(str(value)).name)}" for name, value in settings.items()]
        yield " ".join(values), recipe, settings, None
    for rate in (0.03, 0.3, 3.0, 30.0):
        yield f"learning_rate={rate:g} (default 0.003)", "tabular", {**table, "learning_rate": rate}, RATE
    for rate in (3e-4, 3e-5, 3e-6, 3e-7):
        yield f"learning_rate={rate:g} (default 0.003)", "tabular", {**table, "learning_rate": rate}, RATE
    for schedule in ("none", "exponential", "step", "linear", "one_cycle", "plateau"):
        settings = {**table, "learning_rate": 3e-6, "learning_rate_schedule": schedule}
        yield f"learning_rate=3e-6 learning_rate_schedule={schedule}", "tabular", settings, RATE
    yield "learning_rate=5 (default 0.002)", "image", {"learning_rate": 5.0}, RATE
    yield "learning_rate=2e-6 (default 0.002)", "image", {"learning_rate": 2e-6}, RATE
    yield "learning_rate=3 (default 0.001)", "forecast", {"learning_rate": 3.0}, RATE
    yield "learning_rate=1e-6 (default 0.001)", "forecast", {"learning_rate": 1e-6}, RATE
    yield "dropout=0.95", "tabular", {**table, "dropout": 0.95}, "The fraction of dropped units is far"
    yield "batch_size=5000, 1,050 rows", "tabular", {**table, "batch_size": 5000}, BATCH
    yield "batch_size=all, 1,050 rows", "tabular", {**table, "batch_size": "all"}, BATCH
    yield "l2=1", "tabular", {**table, "l2": 1.0}, "The L2 penalty is far"
    yield "l1=0.5", "tabular", {**table, "l1": 0.5}, "The L1 penalty is far"
    yield "weight_decay=50", "tabular", {**table, "weight_decay": 50.0}, "The weight decay is far"
    yield "epochs=1 (default 15)", "tabular", {**table, "epochs": 1}, "The number of epochs is far"
    yield (
        "units=2048 num_layers=5, 42 rows",
        "tabular",
        {**tables["few"], "units": 2048, "num_layers": 5},
        "The number of units is far",
    )
    yield "default, 42 rows", "tabular", tables["few"], "There are too few rows"
    yield "labels at random", "tabular", tables["random"], "No better than guessing"
    yield "a column that tells the class", "tabular", tables["leak"], "code may give the target away"
    for recipe in ("image", "forecast"):
        yield "epochs=1", recipe, {"epochs": 1}, "The number of epochs is far"
    yield "a class of 4% of the rows", "tabular", tables["rare"], "The log loss is good, but"
    fast = {**table, "architecture": "mlp", "dropout": 0.0, "weight_decay": 0.0, "refit": False}
    flat = {"architecture": "mlp", "epochs": 24, "learning_rate_schedule": "none", "batch_size": 64, "refit": False}
    yield "architecture=mlp epochs=24 learning_rate_schedule=none, census", "tabular", flat, "The model overfits"
    yield "units=512 dropout=0", "tabular", {**fast, "units": 512}, "The model overfits"
    gap = {**fast, **tables["linear"], "units": 512, "epochs": 4, "learning_rate": 1e-2}
    yield "units=512 dropout=0, a linear target", "tabular", gap, "The model overfits: training loss is far below"
    yield (
        "optimizer=sgd learning_rate=1e25",
        "tabular",
        {**table, "optimizer": "sgd", "weight_decay": 0.0, "learning_rate": 1e25},
        "NaN: learning_rate",
    )
    for cause in ("data", "layer", "loss"):
        yield f"NaN from {cause}", broken_recipe(cause), table, f"NaN: {cause}"
    yield (
        "dropout=0 weight_decay=0 epochs=60",
        "tabular",
        {**table, "dropout": 0.0, "weight_decay": 0.0, "epochs": 60},
        "The model overfits",
    )


def broken_recipe(cause):
    """The tabular recipe whose data, layer or loss gives NaN."""
    recipe = tfkit.load_recipe("tabular")

    def data(config):
        data = recipe.data(config)
        numbers = data.train.arrays[0]["numbers"].copy()
        numbers[3] = np.nan
        data.train.arrays[0]["numbers"] = numbers
        return data

    def model(config, data):
        model = recipe.model(config, data)
        if cause == "loss":
            model.compile(model.optimizer, lambda y_true, y_pred: keras.ops.log(-keras.ops.abs(y_pred) - 1))
            return model
        inputs = tfkit.keras_inputs(data.train)
        outputs = keras.layers.Dense(2)(keras.layers.Lambda(keras.ops.log, name="logarithm")(inputs["numbers"]))
        model = keras.Model(inputs, outputs, name="network")
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    return recipe.replace(data=data) if cause == "data" else recipe.replace(model=model)


def train_and_diagnose(recipe, out, settings):
    """The findings of a training; of one that ends with NaN, the cause in nan_report.json."""
    before = set(out.glob("*"))
    try:
        run = tfkit.train(recipe, out=out, quiet=True, **settings)
    except NotFiniteError:
        [folder] = set(out.glob("*")) - before
        return [f"NaN: {json.loads((folder / 'nan_report.json').read_text())['cause']}"]
    return [diagnosis.finding for diagnosis in diagnose(RunResults.from_run(run))]


def measure(only):
    """Train all cases, and store the diagnoses."""
    results = [] if not only else [line for line in read() if only not in line["case"]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for case, recipe, settings, expected in cases(make_tables(folder)):
            if only and only not in case:
                continue
            findings = train_and_diagnose(recipe, folder / "runs", settings)
            recipe = recipe if isinstance(recipe, str) else "tabular"
            results.append({"recipe": recipe, "case": case, "expected": expected, "findings": findings})
            print(verdict(results[-1]), recipe, case, findings, flush=True)
    RESULTS.write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in results), encoding="utf-8")


def read():
    """The stored measurements."""
    return [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]


def verdict(line):
    """right, wrong or missed."""
    findings, expected = line["findings"], line["expected"]
    if expected is None:
        return "wrong" if findings else "right"
    return "missed" if not findings else "right" if findings[0].startswith(expected) else "wrong"


def table():
    """The Markdown table of the measurements, and the counts."""
    lines = read()
    counts = {name: sum(verdict(line) == name for line in lines) for name in ("right", "wrong", "missed")}
    healthy = sum(line["expected"] is None for line in lines)
    rows = [
        f"| `{line['recipe']}` | {line['case']} | {'; '.join(line['findings']) or 'none'} | {verdict(line)} |"
        for line in lines
    ]
    summary = ", ".join(f"{count} {name}" for name, count in counts.items())
    head = f"{len(lines)} trainings, {healthy} of them healthy: {summary}.\n\n| recipe | training | diagnosis | |"
    head += "\n|---|---|---|---|"
    return "\n".join([head, *rows]) + "\n"


def write():
    """Write the table between its marks in the guide."""
    before, rest = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if not options.write:
        measure(options.only)
    write()
