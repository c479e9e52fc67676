"""A table of unusual columns, from every file format to every model format."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.data.files.write import write_frame
from tfkit.datasets.batch_predict import predict

ROWS = 160


def nasty():
    """A small table with all kinds of unusual column names and cells."""
    rng = np.random.default_rng(0)

    def sample(categories):
        return np.array(categories, object)[rng.integers(0, len(categories), ROWS)]

    def with_missing(cells):
        return pd.Series(cells).mask(rng.random(ROWS) < 0.15)

    names = ["a/b", "年龄", "Age", "age", "self", "x" * 300, "a b", "a_b", "predicted", "probability_u", "Y"]
    names += ["prepare", "tabular", "restore", "clip", "concatenate", "missing", "class", "None", "1st", "%$"]
    money = rng.random(ROWS) * 1e5
    frame = pd.DataFrame({name: rng.normal(size=ROWS) for name in names})
    columns = {
        "hours per week": with_missing(rng.integers(0, 99, ROWS)).astype("Int64"),
        "words": with_missing(
            sample(['say "hi"', "tab\there", "line\nbreak", "a\u2028b", "🎉", "[UNK]", "a,b;c|d", "'", "\\n", "ünï"])
        ),
        "rare": [f"only {number}" for number in range(ROWS)],
        "flag": with_missing(sample([True, False])).astype("boolean"),
        "yes": sample(["yes", "no"]),
        "bit": rng.integers(0, 2, ROWS),
        "money": [f"{value:,.2f}" for value in money],
        "euro": [f"{value:,.2f}".translate(str.maketrans(",.", ".,")) for value in money],
        "dollars": [f"${value:,.0f}" for value in money],
        "percent": [f"{value / 1000:.1f}%" for value in money],
        "post": sample(["01067", "10115", "99999"]),
        "day first": with_missing([f"{1 + n % 28:02d}/{1 + n % 12:02d}/2024" for n in range(ROWS)]),
        "zoned": with_missing(pd.date_range("2024-01-01", periods=ROWS, freq="7h", tz="Europe/Berlin")),
        "date": with_missing([datetime.date(2024, 1, 1) + datetime.timedelta(3 * n) for n in range(ROWS)]),
        "decimal": with_missing([decimal.Decimal(n) / 8 for n in range(ROWS)]),
        "clock": [datetime.time(n % 24, n % 60) for n in range(ROWS)],
        "numbers as names": with_missing(rng.integers(0, 4, ROWS)).astype("Int64").astype("category"),
        "code": sample(["3", "3.0", "4"]),
        "infinite": np.where(rng.random(ROWS) < 0.2, np.inf, rng.normal(size=ROWS)),
        "huge": rng.normal(size=ROWS) * 1e30,
        "tiny": rng.normal(size=ROWS) * 1e-20,
        "empty": [None] * ROWS,
        "constant": ["k"] * ROWS,
        "number": np.arange(ROWS),
    }
    frame = pd.concat([frame, pd.DataFrame(columns)], axis=1)
    return frame.assign(y=np.where(rng.random(ROWS) + frame["a/b"] > 0.3, "u", "v"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Train once on the nasty table, and write its rows in all file formats."""
    folder = tmp_path_factory.mktemp("nasty")
    frame = nasty()
    for suffix in ("csv", "tsv.gz", "jsonl", "parquet"):
        write_frame(frame, folder / f"rows.{suffix}")
    categories = ["post", "code", "numbers as names", "rare"]
    return tfkit.train(
        "tabular",
        data=folder / "rows.csv",
        target="y",
        categorical_columns=categories,
        epochs=2,
        units=16,
        out=folder,
        quiet=True,
    )


def test_kinds_of_all_columns(run):
    kinds = {name: rule["kind"] for name, rule in run.metadata["columns"].items()}
    for kind, names in {
        "number": [
            "a/b",
            "年龄",
            "Age",
            "age",
            "self",
            "predicted",
            "class",
            "hours per week",
            "money",
            "euro",
            "dollars",
            "percent",
            "decimal",
            "clock",
            "infinite",
            "huge",
            "tiny",
        ],
        "category": ["words", "rare", "post", "numbers as names", "code"],
        "yes/no": ["flag", "yes", "bit"],
        "date": ["day first", "zoned", "date"],
        "empty": ["empty"],
        "constant": ["constant"],
        "identifier": ["number"],
    }.items():
        assert {name: kinds[name] for name in names} == dict.fromkeys(names, kind)


def test_predictions_are_the_same_for_every_file_format(run):
    frame = nasty()
    raw, predictions = run.predictor.read(frame), run.predict(frame)
    assert predictions["probability_u"].nunique() > 100
    for suffix in ("csv", "tsv.gz", "jsonl", "parquet"):
        file = run.folder.parent / f"rows.{suffix}"
        for name, values in run.predictor.read(file).items():
            np.testing.assert_array_equal(values, raw[name], err_msg=f"{suffix}: {name}")
        pd.testing.assert_frame_equal(run.predict(file), predictions)
    rows = frame.sample(5, random_state=0)
    np.testing.assert_allclose(run.predict(rows)["probability_u"], predictions["probability_u"][rows.index], rtol=1e-5)


@pytest.mark.slow
def test_saved_model_predicts_raw_rows(run):
    frame = nasty()
    model = tfkit.load_model(run.path("model.keras"))
    outputs = predict(model, run.predictor.read(frame))
    assert np.isfinite(outputs).all()
    np.testing.assert_array_equal(outputs, run.predict(frame)[["probability_u", "probability_v"]])


@pytest.mark.slow
def test_savedmodel_predicts_the_same(run):
    tf = pytest.importorskip("tensorflow")
    frame = nasty()
    loaded = tf.saved_model.load(run.export("savedmodel"))
    rows = {
        name: tf.constant(values.tolist(), "string" if values.dtype == object else "float32")
        for name, values in run.predictor.read(frame).items()
    }
    np.testing.assert_allclose(loaded.serve(rows), run.predict(frame)[["probability_u", "probability_v"]], rtol=1e-5)
