"""Tests of compressed files: detection, corrupt files, deterministic output."""

import bz2
import gzip
import io
import lzma
import os
import zipfile

import pandas as pd
import pyarrow as pa
import pytest

from tfkit.data.files.read import read_frame
from tfkit.data.files.write import write_frame

TEXT = "age,job\n39,State-gov\n50,Private\n"
PLAIN = {"age": ["39", "50"], "job": ["State-gov", "Private"]}


def compress(suffix, content):
    if suffix == ".zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("inside.csv", content)
        return out.getvalue()
    if suffix == ".zst":
        return pa.compress(content, "zstd", asbytes=True)
    return {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[suffix](content)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip", ".zst"])
@pytest.mark.reading("Formats of files", "read")
def test_compressed(file, suffix, columns):
    content = compress(suffix, TEXT.encode())
    assert columns(read_frame(file(content, "table.csv" + suffix))) == PLAIN
    assert columns(read_frame(file(content, "wrong.csv"))) == PLAIN  # downloads often have a wrong suffix
    assert columns(read_frame(file(TEXT, "wrong.csv" + suffix))) == PLAIN


def test_zip_format_is_that_of_the_file_inside_without_macos_metadata(file, tmp_path, columns):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("folder/", "")
        archive.writestr("folder/a.jsonl", '{"age": 39}\n')
        archive.writestr("__MACOSX/folder/._a.jsonl", "x")
    assert columns(read_frame(tmp_path / "a.zip")) == {"age": [39]}


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip", ".zst"])
@pytest.mark.reading("Formats of files", "refused")
def test_truncated_compressed_file(file, suffix, assert_refused):
    content = compress(suffix, os.urandom(5000))
    assert_refused(file(content[: len(content) // 2], "table.csv" + suffix), f"The {suffix[1:]} file must be complete")


def test_zip_must_contain_one_file(tmp_path, assert_refused):
    reasons = {"a.zip?a.csv": ["a.csv", "b.csv"], "to .xlsx": ["[Content_Types].xml", "xl/workbook.xml"]}
    for reason, names in reasons.items():
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for name in names:
                archive.writestr(name, TEXT)
        assert_refused(tmp_path / "a.zip", "must contain one file", reason, "2 files")


def test_compressed_files_contain_no_timestamp(tmp_path):
    write_frame(pd.DataFrame(PLAIN), tmp_path / "a.csv.gz")
    assert (tmp_path / "a.csv.gz").read_bytes()[4:8] == bytes(4)
    write_frame(pd.DataFrame(PLAIN), tmp_path / "a.csv.zip")
    with zipfile.ZipFile(tmp_path / "a.csv.zip") as archive:
        assert [(entry.filename, entry.date_time[0]) for entry in archive.infolist()] == [("a.csv", 1980)]
