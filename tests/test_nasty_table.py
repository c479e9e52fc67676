"""One small table with all that tables out there have, from every kind of file to every kind of model file."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.data.files import write_frame
from tfkit.datasets.batch_predict import predict

ROWS = 160


def nasty():
    """A small table with all that tables out there have."""
    rng = np.random.default_rng(0)

    def some(words):
        return np.array(words, object)[rng.integers(0, len(words), ROWS)]

    def holes(cells):
        return pd.Series(cells).mask(rng.random(ROWS) < 0.15)

    names = ["a/b", "年龄", "Age", "age", "self", "x" * 300, "a b", "a_b", "predicted", "probability_u", "Y"]
    names += ["prepare", "tabular", "restore", "clip", "concatenate", "missing", "class", "None", "1st", "%$"]
    money = rng.random(ROWS) * 1e5
    frame = pd.DataFrame({name: rng.normal(size=ROWS) for name in names})
    more = {
        "hours per week": holes(rng.integers(0, 99, ROWS)).astype("Int64"),
        "words": holes(
            some(['say "hi"', "tab\there", "line\nbreak", "a\u2028b", "🎉", "[UNK]", "a,b;c|d", "'", "\\n", "ünï"])
        ),
        "rare": [f"only {number}" for number in range(ROWS)],
        "flag": holes(some([True, False])).astype("boolean"),
        "yes": some(["yes", "no"]),
        "bit": rng.integers(0, 2, ROWS),
        "money": [f"{value:,.2f}" for value in money],
        "euro": [f"{value:,.2f}".translate(str.maketrans(",.", ".,")) for value in money],
        "dollars": [f"${value:,.0f}" for value in money],
        "percent": [f"{value / 1000:.1f}%" for value in money],
        "post": some(["01067", "10115", "99999"]),
        "day first": holes([f"{1 + n % 28:02d}/{1 + n % 12:02d}/2024" for n in range(ROWS)]),
        "zoned": holes(pd.date_range("2024-01-01", periods=ROWS, freq="7h", tz="Europe/Berlin")),
        "date": holes([datetime.date(2024, 1, 1) + datetime.timedelta(3 * n) for n in range(ROWS)]),
        "decimal": holes([decimal.Decimal(n) / 8 for n in range(ROWS)]),
        "clock": [datetime.time(n % 24, n % 60) for n in range(ROWS)],
        "numbers as names": holes(rng.integers(0, 4, ROWS)).astype("Int64").astype("category"),
        "code": some(["3", "3.0", "4"]),
        "infinite": np.where(rng.random(ROWS) < 0.2, np.inf, rng.normal(size=ROWS)),
        "huge": rng.normal(size=ROWS) * 1e30,
        "tiny": rng.normal(size=ROWS) * 1e-20,
        "empty": [None] * ROWS,
        "constant": ["k"] * ROWS,
        "number": np.arange(ROWS),
    }
    frame = pd.concat([frame, pd.DataFrame(more)], axis=1)
    return frame.assign(y=np.where(rng.random(ROWS) + frame["a/b"] > 0.3, "u", "v"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run trained once on the nasty table, and the same rows in files of all kinds."""
    folder = tmp_path_factory.mktemp("nasty")
    frame = nasty()
    for suffix in ("csv", "tsv.gz", "jsonl", "parquet"):
        write_frame(frame, folder / f"rows.{suffix}")
    categories = ["post", "code", "numbers as names", "rare"]
    return tfkit.train(
        "tabular",
        table=folder / "rows.csv",
        target="y",
        category=categories,
        epochs=2,
        units=16,
        out=folder,
        quiet=True,
    )


def test_every_column_of_a_nasty_table_is_what_it_seems(run):
    kinds = {name: rule["kind"] for name, rule in run.info["columns"].items()}
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


def test_the_same_rows_get_the_same_answers_from_any_kind_of_file(run):
    frame = nasty()
    raw, answers = run.read(frame), run.predict(frame)
    assert answers["probability_u"].nunique() > 100
    for suffix in ("csv", "tsv.gz", "jsonl", "parquet"):
        file = run.folder.parent / f"rows.{suffix}"
        for name, values in run.read(file).items():
            np.testing.assert_array_equal(values, raw[name], err_msg=f"{suffix}: {name}")
        pd.testing.assert_frame_equal(run.predict(file), answers)
    one = frame.sample(5, random_state=0)
    np.testing.assert_allclose(run.predict(one)["probability_u"], answers["probability_u"][one.index], rtol=1e-5)


def test_the_file_of_the_model_answers_raw_rows(run):
    frame = nasty()
    model = tfkit.load_model(run.path("model.keras"))
    answer = predict(model, run.read(frame))
    assert np.isfinite(answer).all()
    np.testing.assert_array_equal(answer, run.predict(frame)[["probability_u", "probability_v"]])


@pytest.mark.slow
def test_the_savedmodel_answers_the_same(run):
    tf = pytest.importorskip("tensorflow")
    frame = nasty()
    loaded = tf.saved_model.load(run.export("savedmodel"))
    rows = {
        name: tf.constant(values.tolist(), "string" if values.dtype == object else "float32")
        for name, values in run.read(frame).items()
    }
    np.testing.assert_allclose(loaded.serve(rows), run.predict(frame)[["probability_u", "probability_v"]], rtol=1e-5)
