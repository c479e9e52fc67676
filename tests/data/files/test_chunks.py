"""Tests of reading tables in chunks: the chunks together equal the complete file."""

import gzip

import numpy as np
import pandas as pd
import pytest

from tfkit.data.files import chunks as files_chunks
from tfkit.data.files import csv
from tfkit.data.files.chunks import ChunkReader, NotChunkableError, chunkable_path
from tfkit.data.files.formats import json_lines, parquet
from tfkit.data.files.read import read_frame
from tfkit.data.files.write import write_frame
from tfkit.errors import UserError

ROWS = 700
RANDOM = np.random.default_rng(0)
SUFFIXES = [".csv", ".tsv", ".jsonl", ".parquet", ".csv.gz", ".csv.bz2", ".csv.xz", ".csv.zst", ".csv.zip", ".jsonl.gz"]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Make chunks of a few rows."""
    monkeypatch.setattr(parquet, "CHUNK_ROWS", 64)
    monkeypatch.setattr(csv, "_BLOCK_BYTES", 4096)
    monkeypatch.setattr(json_lines, "_CHUNK_BYTES", 4096)
    monkeypatch.setattr(files_chunks, "_READ_BYTES", 1000)


def table(*, gaps=True):
    """Return a frame with all plain dtypes; one integer near the end is missing."""
    integers = pd.Series(RANDOM.integers(0, 1000, ROWS), dtype="Int64")
    if gaps:
        integers[ROWS - 3] = pd.NA
    text = pd.Series(RANDOM.choice([" a ", "bé", 'c "d"', "e,\nf", "?", ""], ROWS))
    return pd.DataFrame(
        {
            "integer": integers,
            "real": RANDOM.normal(size=ROWS).round(3),
            "text": text,
            "boolean": RANDOM.random(ROWS) < 0.5,
            "row": np.arange(ROWS),
        }
    )


def write(frame, path):
    write_frame(frame, path)
    return path


def assert_chunks_equal_file(path, **options):
    """Assert that the chunks of a file equal the complete file; return them."""
    chunks = list(ChunkReader(path, **options))
    assert len(chunks) > 1
    for chunk in chunks[1:]:
        assert chunk.index[0] > 0
        pd.testing.assert_series_equal(chunk.dtypes, chunks[0].dtypes)
    result, expected = pd.concat(chunks), read_frame(path, **options)
    expected.attrs = {}
    pd.testing.assert_frame_equal(result, expected, check_index_type=False)
    return result


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_chunks_equal_the_complete_file(suffix, tmp_path):
    result = assert_chunks_equal_file(write(table(), tmp_path / f"rows{suffix}"))
    assert len(result) == ROWS
    assert result["integer"].isna().sum() == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1252", "gb18030"])
def test_text_of_any_encoding(encoding, tmp_path):
    text = table()[["real", "text"]].to_csv(index=False).replace("é", "中" if encoding == "gb18030" else "é")
    path = tmp_path / "rows.csv"
    path.write_bytes(text.encode(encoding))
    assert_chunks_equal_file(path, **({"encoding": encoding} if encoding == "gb18030" else {}))


def test_missing_markers_are_counted(tmp_path):
    path = write(table(), tmp_path / "rows.csv")
    reader = ChunkReader(path, na_values=["?"])
    num_missing = sum(chunk["text"].isna().sum() for chunk in reader)
    num_empty = read_frame(path, na_values=[])["text"].isna().sum()
    assert reader.missing_counts["text"]["?"] == num_missing - num_empty


def test_selected_columns(tmp_path):
    for suffix in (".csv", ".parquet", ".jsonl"):
        path = write(table(), tmp_path / f"rows{suffix}")
        result = pd.concat(ChunkReader(path, columns=["text", "integer"]))
        pd.testing.assert_frame_equal(result, read_frame(path)[["text", "integer"]], check_index_type=False)


def test_parquet_without_statistics(tmp_path):
    from pyarrow import Table
    from pyarrow import parquet as arrow_parquet

    arrow_parquet.write_table(Table.from_pandas(table()), tmp_path / "rows.parquet", write_statistics=False)
    assert_chunks_equal_file(tmp_path / "rows.parquet")


def test_progress_increases_to_1(tmp_path):
    reader = ChunkReader(write(table(), tmp_path / "rows.csv"))
    progress = [reader.fraction_read for _ in reader]
    assert progress == sorted(progress)
    assert progress[-1] == 1


def test_error_names_the_line_of_a_ragged_row(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + "1,2\n" * 3000 + "1,2,3\n" + "1,2\n" * 3000)
    with pytest.raises(UserError) as file_error:
        read_frame(path)
    with pytest.raises(UserError) as chunk_error:
        list(ChunkReader(path))
    assert str(chunk_error.value) == str(file_error.value)
    assert "3 cells in line 3002, 2 in the header" in str(chunk_error.value)


INVALID_FILES = {
    "open quote": b'a,b\n1,"2\n',
    "zero bytes": b"a,b\n1,\0\n",
    "blank": b" \n\n",
    "web page": b"<html><body>no table</body></html>",
    "unknown encoding": ("a,b\n" + "1,中文的字\n" * 20_000).encode("gb18030") + b"1,\xff\xff\n",
}


@pytest.mark.parametrize("content", INVALID_FILES.values(), ids=INVALID_FILES)
def test_invalid_file_is_not_read_in_chunks(content, tmp_path):
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(NotChunkableError):
        ChunkReader(tmp_path / "rows.csv")


def test_truncated_compressed_file_is_not_read_in_chunks(tmp_path):
    compressed = gzip.compress(table().to_csv(index=False).encode())
    (tmp_path / "rows.csv.gz").write_bytes(compressed[: len(compressed) // 2])
    with pytest.raises(NotChunkableError):
        ChunkReader(tmp_path / "rows.csv.gz")


@pytest.mark.parametrize("last_line", ['{"a": "word"}', '{"a": [1]}', '{"a": {"b": 1}}', '{"a": 1, "b": true}'])
def test_json_lines_with_mixed_types_are_not_read_in_chunks(last_line, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n' * 2000 + last_line + "\n")
    with pytest.raises(NotChunkableError):
        ChunkReader(tmp_path / "rows.jsonl")


def test_json_lines_with_integers_and_floats_in_different_chunks(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n' * 2000 + '{"a": 1.5, "b": "x"}\n')
    assert assert_chunks_equal_file(tmp_path / "rows.jsonl")["a"].dtype == "float64"


def test_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = write(table(gaps=False), tmp_path / "rows.jsonl")
    reader = ChunkReader(path)
    path.write_text('{"integer": [1]}\n')
    with pytest.raises(UserError, match=r"must not change while it is read. Received: .*rows.jsonl"):
        list(reader)
    path.unlink()
    with pytest.raises(UserError, match=r"The file must be readable. Received: .*rows.jsonl, No such file"):
        list(reader)


def test_only_large_files_are_read_in_chunks(tmp_path):
    path = write(table(), tmp_path / "rows.csv")
    assert chunkable_path(path, 1) == path
    assert chunkable_path(str(path), 10**9) is None
    assert chunkable_path(pd.DataFrame(), 0) is None
    assert chunkable_path(tmp_path, 0) is None
    assert chunkable_path(tmp_path / "none.csv", 0) is None
