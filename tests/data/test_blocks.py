import gzip

import numpy as np
import pandas as pd
import pytest

from tfkit.data import blocks, delimited, json_lines, parquet
from tfkit.data.blocks import Blocks, Whole, worth_it
from tfkit.data.files import read_frame
from tfkit.errors import UserError

ROWS = 700
RANDOM = np.random.default_rng(0)
SUFFIXES = [".csv", ".tsv", ".jsonl", ".parquet", ".csv.gz", ".csv.bz2", ".csv.xz", ".csv.zst", ".csv.zip", ".jsonl.gz"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Blocks of a few rows."""
    monkeypatch.setattr(parquet, "ROWS", 64)
    monkeypatch.setattr(delimited, "_BLOCK", 4096)
    monkeypatch.setattr(json_lines, "_PIECE", 4096)
    monkeypatch.setattr(blocks, "CHUNK", 1000)


def table(*, gaps=True):
    """Columns of every plain type; the only missing whole number stands near the end."""
    numbers = pd.Series(RANDOM.integers(0, 1000, ROWS), dtype="Int64")
    if gaps:
        numbers[ROWS - 3] = pd.NA
    words = pd.Series(RANDOM.choice([" a ", "bé", 'c "d"', "e,\nf", "?", ""], ROWS))
    return pd.DataFrame(
        {
            "whole": numbers,
            "real": RANDOM.normal(size=ROWS).round(3),
            "words": words,
            "yes": RANDOM.random(ROWS) < 0.5,
            "full": np.arange(ROWS),
        }
    )


def written(frame, path):
    from tfkit.data.files import write_frame

    write_frame(frame, path)
    return path


def same(path, **reading):
    """The blocks of a file together, which must be what the whole file gives."""
    found = list(Blocks(path, **reading))
    assert len(found) > 1
    for frame in found[1:]:
        assert frame.index[0] > 0
        pd.testing.assert_series_equal(frame.dtypes, found[0].dtypes)
    together, whole = pd.concat(found), read_frame(path, **reading)
    whole.attrs = {}
    pd.testing.assert_frame_equal(together, whole, check_index_type=False)
    return together


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_blocks_are_what_the_whole_file_gives(suffix, tmp_path):
    together = same(written(table(), tmp_path / f"rows{suffix}"))
    assert len(together) == ROWS
    assert together["whole"].isna().sum() == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1252", "gb18030"])
def test_a_text_of_any_encoding(encoding, tmp_path):
    text = table()[["real", "words"]].to_csv(index=False).replace("é", "中" if encoding == "gb18030" else "é")
    path = tmp_path / "rows.csv"
    path.write_bytes(text.encode(encoding))
    same(path, **({"encoding": encoding} if encoding == "gb18030" else {}))


def test_markers_of_missing_cells_are_counted(tmp_path):
    path = written(table(), tmp_path / "rows.csv")
    read = Blocks(path, missing=["?"])
    frames = list(read)
    assert read.marked["words"]["?"] == sum(frame["words"].isna().sum() for frame in frames) - (
        read_frame(path, missing=[])["words"].isna().sum()
    )


def test_some_columns_of_a_file(tmp_path):
    for suffix in (".csv", ".parquet", ".jsonl"):
        path = written(table(), tmp_path / f"rows{suffix}")
        found = pd.concat(Blocks(path, columns=["words", "whole"]))
        pd.testing.assert_frame_equal(found, read_frame(path)[["words", "whole"]], check_index_type=False)


def test_parquet_without_statistics_of_its_gaps(tmp_path):
    from pyarrow import Table
    from pyarrow import parquet as arrow

    arrow.write_table(Table.from_pandas(table()), tmp_path / "rows.parquet", write_statistics=False)
    same(tmp_path / "rows.parquet")


def test_it_says_how_far_it_has_come(tmp_path):
    read = Blocks(written(table(), tmp_path / "rows.csv"))
    done = [read.done for _ in read]
    assert done == sorted(done)
    assert done[-1] == 1


def test_a_ragged_line_is_named_by_its_number(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + "1,2\n" * 3000 + "1,2,3\n" + "1,2\n" * 3000)
    with pytest.raises(UserError) as whole:
        read_frame(path)
    with pytest.raises(UserError) as parts:
        list(Blocks(path))
    assert str(parts.value) == str(whole.value)
    assert "3 cells in line 3002, 2 in the header" in str(parts.value)


BROKEN = {
    "open quote": b'a,b\n1,"2\n',
    "zero bytes": b"a,b\n1,\0\n",
    "blank": b" \n\n",
    "a web page": b"<html><body>no table</body></html>",
    "no encoding of ours": b"a,b\n1,\x81\xff\n",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_left_to_the_reader_of_whole_files(content, tmp_path):
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(Whole):
        Blocks(tmp_path / "rows.csv")


def test_a_broken_pack_is_left_to_the_reader_of_whole_files(tmp_path):
    packed = gzip.compress(table().to_csv(index=False).encode())
    (tmp_path / "rows.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(Whole):
        Blocks(tmp_path / "rows.csv.gz")


@pytest.mark.parametrize("last", ['{"a": "word"}', '{"a": [1]}', '{"a": {"b": 1}}', '{"a": 1, "b": true}'])
def test_json_lines_whose_types_do_not_agree_are_read_whole(last, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n' * 2000 + last + "\n")
    with pytest.raises(Whole):
        Blocks(tmp_path / "rows.jsonl")


def test_json_lines_of_whole_and_real_numbers_in_different_blocks(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n' * 2000 + '{"a": 1.5, "b": "x"}\n')
    assert same(tmp_path / "rows.jsonl")["a"].dtype == "float64"


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = written(table(gaps=False), tmp_path / "rows.jsonl")
    read = Blocks(path)
    path.write_text('{"whole": [1]}\n')
    with pytest.raises(UserError, match=r"must stay as it is while it is read. Received: .*rows.jsonl"):
        list(read)
    path.unlink()
    with pytest.raises(UserError, match=r"The file must be readable. Received: .*rows.jsonl, No such file"):
        list(read)


def test_only_large_files_are_worth_it(tmp_path):
    path = written(table(), tmp_path / "rows.csv")
    assert worth_it(path, 1) == path
    assert worth_it(str(path), 10**9) is None
    assert worth_it(pd.DataFrame(), 0) is None
    assert worth_it(tmp_path, 0) is None
    assert worth_it(tmp_path / "none.csv", 0) is None
