"""Tests of streaming prediction: large files are read, predicted and written in chunks."""

import threading
import time

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.data.files import chunks, csv
from tfkit.data.files.formats import json_lines, parquet
from tfkit.data.files.read import read_frame
from tfkit.data.files.write import write_frame
from tfkit.errors import UserError
from tfkit.inference import streaming
from tfkit.inference.streaming import prefetch

NUM_TRAINING_ROWS = 400
RANDOM = np.random.default_rng(0)


def make_table(num_rows, seed=0):
    random = np.random.default_rng(seed)
    amount = random.normal(size=num_rows).round(2)
    return pd.DataFrame(
        {
            "amount": amount,
            "town": random.choice(["Oslo", "Rome", "Lima"], num_rows),
            "day": random.choice(["2024-01-31", "2025-02-01"], num_rows),
            "member": random.random(num_rows) < 0.5,
            "id": np.arange(num_rows),
            "bought": np.where(amount > 0, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prediction")
    make_table(NUM_TRAINING_ROWS).to_csv(folder / "table.csv", index=False)
    return tfkit.train(
        "tabular",
        data=folder / "table.csv",
        target="bought",
        epochs=1,
        refit=False,
        architecture="mlp",
        units=8,
        batch_size=64,
        out=folder / "runs",
        quiet=True,
        report=False,
    )


@pytest.fixture
def small_chunks(monkeypatch):
    """Read every file in chunks of a few rows."""
    monkeypatch.setattr(chunks, "MIN_CHUNKED_BYTES", 0)
    monkeypatch.setattr(parquet, "CHUNK_ROWS", 50)
    monkeypatch.setattr(csv, "_BLOCK_BYTES", 2000)
    monkeypatch.setattr(json_lines, "_CHUNK_BYTES", 2000)


def rows_to_predict():
    """Return rows with unseen categories, missing cells and additional columns."""
    frame = make_table(300, seed=1).drop(columns="bought").astype({"amount": object})
    frame.loc[[7, 250], "town"] = ["Bonn", "Turin"]
    frame["amount"] = frame["amount"].astype("float64")
    frame["gap"] = pd.Series(np.arange(300), dtype="Int64").mask(np.arange(300) == 222)
    frame["predicted"] = "before"
    return frame


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".csv.gz"])
def test_chunked_prediction_equals_prediction_of_the_complete_file(
    suffix, run, tmp_path, small_chunks, monkeypatch, caplog
):
    write_frame(rows_to_predict(), tmp_path / f"new{suffix}")
    chunked = run.predict_file(tmp_path / f"new{suffix}", tmp_path / f"chunked{suffix}")
    messages = sorted(record.getMessage() for record in caplog.records)
    caplog.clear()
    monkeypatch.setattr(chunks, "MIN_CHUNKED_BYTES", 10**9)
    complete = run.predict_file(tmp_path / f"new{suffix}", tmp_path / f"complete{suffix}")
    assert sorted(record.getMessage() for record in caplog.records) == messages
    assert any("town: 2 cells have categories" in message and "'Bonn', 'Turin'" in message for message in messages)
    assert any("with the names of predictions are replaced: predicted" in message for message in messages)
    chunked_frame, complete_frame = read_frame(chunked), read_frame(complete)
    assert list(chunked_frame) == list(complete_frame)
    assert "probability_yes" in chunked_frame
    for name in chunked_frame:
        if name.startswith("probability"):  # the chunk of a row may change the last bit
            np.testing.assert_allclose(chunked_frame[name].astype(float), complete_frame[name].astype(float), atol=1e-6)
        else:
            pd.testing.assert_series_equal(chunked_frame[name], complete_frame[name])
    if suffix == ".parquet":
        from pyarrow import parquet as arrow

        assert arrow.read_schema(chunked).equals(arrow.read_schema(complete), check_metadata=True)


def test_prefetch_reads_in_another_thread():
    current_thread = threading.current_thread()
    with prefetch(threading.current_thread() for _ in range(3)) as threads:
        assert current_thread not in list(threads)


def test_prefetch_is_bounded_and_stops():
    produced = []

    def items():
        for number in range(100):
            produced.append(number)
            yield number

    with prefetch(items(), size=2) as items_read:
        assert next(items_read) == 0
        time.sleep(0.2)
        assert len(produced) <= 5
    threads_before = threading.active_count()
    time.sleep(0.2)
    assert len(produced) <= 6
    assert threading.active_count() <= threads_before


def test_error_while_prefetching_is_raised(run, tmp_path, small_chunks):
    path, out = tmp_path / "new.csv", tmp_path / "out.csv"
    text = rows_to_predict().to_csv(index=False)
    path.write_text(text + "1,2\n" + text)
    with pytest.raises(UserError, match="2 cells in line 302, 7 in the header"):
        run.predict_file(path, out)
    assert not out.exists()
    assert [file.name for file in tmp_path.iterdir()] == ["new.csv"]


def test_column_without_a_valid_cell_raises(run, tmp_path, small_chunks):
    write_frame(rows_to_predict().assign(amount="much"), tmp_path / "new.csv")
    with pytest.raises(UserError, match=r"'amount' must contain finite numbers, as in training. Received: 300"):
        run.predict_file(tmp_path / "new.csv", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_missing_column_raises(run, tmp_path, small_chunks):
    write_frame(rows_to_predict().drop(columns="town"), tmp_path / "new.csv")
    with pytest.raises(UserError, match="must have the column 'town'"):
        run.predict_file(tmp_path / "new.csv", tmp_path / "out.csv")


def test_file_without_rows_raises(run, tmp_path, small_chunks):
    (tmp_path / "new.csv").write_text("amount,town,day,member,id\n")
    with pytest.raises(UserError, match="A table needs rows below its header"):
        run.predict_file(tmp_path / "new.csv", tmp_path / "out.csv")


def test_decimals_are_read_without_chunks(run, tmp_path, small_chunks):
    from decimal import Decimal

    prices = [Decimal("1.5")] * 299 + [Decimal("123456.125")]
    write_frame(rows_to_predict().assign(price=prices), tmp_path / "new.parquet")
    predictions = read_frame(run.predict_file(tmp_path / "new.parquet", tmp_path / "out.parquet"))
    assert predictions["price"].iloc[-1] == Decimal("123456.125")


def test_drift_is_reported_for_a_chunked_file(run, tmp_path, small_chunks, monkeypatch, caplog):
    monkeypatch.setattr(streaming, "DRIFT_STRIDE_ROWS", 2)
    write_frame(rows_to_predict().assign(amount=50.0), tmp_path / "new.csv")
    run.predict_file(tmp_path / "new.csv", tmp_path / "out.csv")
    assert any("Data drift from the training rows" in record.getMessage() for record in caplog.records)


def test_output_file_must_differ_from_a_large_input_file(run, tmp_path, small_chunks):
    write_frame(rows_to_predict(), tmp_path / "new.csv")
    with pytest.raises(UserError, match="must be written to another file"):
        run.predict_file(tmp_path / "new.csv", tmp_path / "new.csv")
