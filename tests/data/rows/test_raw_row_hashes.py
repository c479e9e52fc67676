"""Tests of the hashes that show which rows a model was trained on."""

import subprocess
import sys

import numpy as np
import pytest

import tfkit
from tfkit.data.rows import raw_row_hashes
from tfkit.data.rows.raw_row_hashes import hash_raw_rows, sample_training_hashes, shared_fraction

RANDOM = np.random.default_rng(0)
COLUMNS = {
    "numbers": RANDOM.normal(size=(400, 1)).astype("float32"),
    "words": RANDOM.choice(["a", "b", ""], (400, 1)).astype(object),
    "images": RANDOM.integers(0, 255, (400, 4, 4, 1)).astype("uint8"),
    "tokens": RANDOM.choice(["x", "y"], (400, 5)).astype(object),
}


def make_split(columns, rows):
    raw = {name: array[rows] for name, array in columns.items()}
    return tfkit.ArrayDataset(np.zeros((len(rows), 1)), np.zeros(len(rows)), raw=raw)


@pytest.mark.parametrize("name", ["numbers", "images"])
@pytest.mark.parametrize("limit", [1000, 100])  # all rows, or a sample of the 300 training rows
def test_fraction_of_training_rows_is_estimated(name, limit, monkeypatch):
    monkeypatch.setattr(raw_row_hashes, "MAX_TRAINING_HASHES", limit)
    columns = {name: COLUMNS[name], "words": COLUMNS["words"]}
    sample = sample_training_hashes(make_split(columns, np.arange(300)), make_split(columns, np.arange(300, 400)))
    rows = {name: array[200:] for name, array in columns.items()}  # half of them are training rows
    assert shared_fraction(rows, sample) == pytest.approx(0.5, abs=0 if limit == 1000 else 0.15)
    assert sample["expected"] == 0
    assert shared_fraction({name: array[300:] for name, array in columns.items()}, sample) == 0


def test_a_split_without_raw_rows_has_no_hashes():
    split = tfkit.ArrayDataset(np.zeros((3, 1)), np.zeros(3))
    assert sample_training_hashes(split, split) == {}


def test_equal_rows_are_expected_in_a_table_with_few_distinct_rows():
    columns = {"words": COLUMNS["words"]}
    assert sample_training_hashes(make_split(columns, np.arange(300)), make_split(columns, np.arange(300, 400)))[
        "expected"
    ] == pytest.approx(1)


def test_hashes_are_the_same_in_another_process():
    code = (
        "import numpy as np; from tfkit.data.rows.raw_row_hashes import hash_raw_rows as h;"
        "print(h({'a': np.array([['u', 'v']], object), 'b': np.ones((1, 2, 2)), 'c': np.array([['w']])})[0])"
    )
    columns = {"a": np.array([["u", "v"]], object), "b": np.ones((1, 2, 2)), "c": np.array([["w"]])}
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(output) == int(hash_raw_rows(columns)[0])
