import threading
import time

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.data import blocks, delimited, json_lines, parquet
from tfkit.data.files import read_frame, write_frame
from tfkit.errors import UserError
from tfkit.inference import streaming
from tfkit.inference.streaming import prefetch

ROWS = 400
RANDOM = np.random.default_rng(0)


def table(rows, seed=0):
    random = np.random.default_rng(seed)
    amount = random.normal(size=rows).round(2)
    return pd.DataFrame(
        {
            "amount": amount,
            "town": random.choice(["Oslo", "Rome", "Lima"], rows),
            "day": random.choice(["2024-01-31", "2025-02-01"], rows),
            "member": random.random(rows) < 0.5,
            "id": np.arange(rows),
            "bought": np.where(amount > 0, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prediction")
    table(ROWS).to_csv(folder / "table.csv", index=False)
    return tfkit.train(
        "tabular",
        table=folder / "table.csv",
        target="bought",
        epochs=1,
        refit=False,
        body="mlp",
        units=8,
        batch_size=64,
        out=folder / "runs",
        quiet=True,
        report=False,
    )


@pytest.fixture
def small(monkeypatch):
    """Every file is read in blocks of a few rows."""
    monkeypatch.setattr(blocks, "LEAST", 0)
    monkeypatch.setattr(parquet, "ROWS", 50)
    monkeypatch.setattr(delimited, "_BLOCK", 2000)
    monkeypatch.setattr(json_lines, "_PIECE", 2000)


def rows_to_predict():
    """Rows with words that training did not see, cells that are no numbers, and columns that it did not have."""
    frame = table(300, seed=1).drop(columns="bought").astype({"amount": object})
    frame.loc[[7, 250], "town"] = ["Bonn", "Turin"]
    frame["amount"] = frame["amount"].astype("float64")
    frame["gap"] = pd.Series(np.arange(300), dtype="Int64").mask(np.arange(300) == 222)
    frame["predicted"] = "before"
    return frame


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".csv.gz"])
def test_a_file_read_in_blocks_gives_what_the_whole_gives(suffix, run, tmp_path, small, monkeypatch, caplog):
    write_frame(rows_to_predict(), tmp_path / f"new{suffix}")
    parts = run.predict_file(tmp_path / f"new{suffix}", tmp_path / f"parts{suffix}")
    said = sorted(record.getMessage() for record in caplog.records)
    caplog.clear()
    monkeypatch.setattr(blocks, "LEAST", 10**9)
    whole = run.predict_file(tmp_path / f"new{suffix}", tmp_path / f"whole{suffix}")
    assert sorted(record.getMessage() for record in caplog.records) == said
    assert any("town: 2 cells have categories" in words and "'Bonn', 'Turin'" in words for words in said)
    assert any("with the names of predictions are replaced: predicted" in words for words in said)
    one, two = read_frame(parts), read_frame(whole)
    assert list(one) == list(two)
    assert "probability_yes" in one
    for name in one:
        if name.startswith("probability"):  # the block that a row is in may turn its last bit
            np.testing.assert_allclose(one[name].astype(float), two[name].astype(float), atol=1e-6)
        else:
            pd.testing.assert_series_equal(one[name], two[name])
    if suffix == ".parquet":
        from pyarrow import parquet as arrow

        assert arrow.read_schema(parts).equals(arrow.read_schema(whole), check_metadata=True)


def test_one_block_is_computed_while_the_next_is_read():
    here = threading.current_thread()
    with prefetch(threading.current_thread() for _ in range(3)) as threads:
        assert here not in list(threads)


def test_what_reads_ahead_waits_and_stops():
    made = []

    def items():
        for number in range(100):
            made.append(number)
            yield number

    with prefetch(items(), size=2) as numbers:
        assert next(numbers) == 0
        time.sleep(0.2)
        assert len(made) <= 5
    before = threading.active_count()
    time.sleep(0.2)
    assert len(made) <= 6
    assert threading.active_count() <= before


def test_what_goes_wrong_ahead_goes_wrong_here(run, tmp_path, small):
    path, out = tmp_path / "new.csv", tmp_path / "out.csv"
    text = rows_to_predict().to_csv(index=False)
    path.write_text(text + "1,2\n" + text)
    with pytest.raises(UserError, match="2 cells in line 302, 7 in the header"):
        run.predict_file(path, out)
    assert not out.exists()
    assert [file.name for file in tmp_path.iterdir()] == ["new.csv"]


def test_a_column_that_holds_nothing_of_what_it_held_is_refused_at_the_end(run, tmp_path, small):
    write_frame(rows_to_predict().assign(amount="much"), tmp_path / "new.csv")
    with pytest.raises(UserError, match=r"'amount' must contain finite numbers, as in training. Received: 300"):
        run.predict_file(tmp_path / "new.csv", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_column_that_is_not_there_is_refused(run, tmp_path, small):
    write_frame(rows_to_predict().drop(columns="town"), tmp_path / "new.csv")
    with pytest.raises(UserError, match="must have the column 'town'"):
        run.predict_file(tmp_path / "new.csv", tmp_path / "out.csv")


def test_a_file_without_rows_is_refused(run, tmp_path, small):
    (tmp_path / "new.csv").write_text("amount,town,day,member,id\n")
    with pytest.raises(UserError, match="A table needs rows below its header"):
        run.predict_file(tmp_path / "new.csv", tmp_path / "out.csv")


def test_objects_whose_type_shows_late_are_read_whole(run, tmp_path, small):
    from decimal import Decimal

    prices = [Decimal("1.5")] * 299 + [Decimal("123456.125")]
    write_frame(rows_to_predict().assign(price=prices), tmp_path / "new.parquet")
    found = read_frame(run.predict_file(tmp_path / "new.parquet", tmp_path / "out.parquet"))
    assert found["price"].iloc[-1] == Decimal("123456.125")


def test_drift_is_said_of_a_file_read_in_blocks(run, tmp_path, small, monkeypatch, caplog):
    monkeypatch.setattr(streaming, "DRIFT_STRIDE", 2)
    write_frame(rows_to_predict().assign(amount=50.0), tmp_path / "new.csv")
    run.predict_file(tmp_path / "new.csv", tmp_path / "out.csv")
    assert any("Data drift from the training rows" in record.getMessage() for record in caplog.records)


def test_a_large_file_that_is_the_same_as_the_answers_is_refused(run, tmp_path, small):
    write_frame(rows_to_predict(), tmp_path / "new.csv")
    with pytest.raises(UserError, match="must be written to another file"):
        run.predict_file(tmp_path / "new.csv", tmp_path / "new.csv")
