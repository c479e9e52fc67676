"""Packed files are read whatever they are called, and written the same every time."""

import bz2
import gzip
import io
import lzma
import os
import zipfile

import pandas as pd
import pyarrow as pa
import pytest

from tfkit.data.files import read_frame, write_frame

TEXT = "age,job\n39,State-gov\n50,Private\n"
PLAIN = {"age": ["39", "50"], "job": ["State-gov", "Private"]}


def packed(suffix, content):
    if suffix == ".zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("inside.csv", content)
        return out.getvalue()
    if suffix == ".zst":
        return pa.compress(content, "zstd", asbytes=True)
    return {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[suffix](content)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip", ".zst"])
def test_compressed(file, suffix, columns):
    content = packed(suffix, TEXT.encode())
    assert columns(read_frame(file(content, "table.csv" + suffix))) == PLAIN
    assert columns(read_frame(file(content, "liar.csv"))) == PLAIN  # downloads are often named wrongly
    assert columns(read_frame(file(TEXT, "liar.csv" + suffix))) == PLAIN


def test_a_zip_says_its_kind_inside_and_what_a_mac_adds_does_not_count(file, tmp_path, columns):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("folder/", "")
        archive.writestr("folder/a.jsonl", '{"age": 39}\n')
        archive.writestr("__MACOSX/folder/._a.jsonl", "x")
    assert columns(read_frame(tmp_path / "a.zip")) == {"age": [39]}


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip", ".zst"])
def test_compressed_but_broken(file, suffix, refused):
    whole = packed(suffix, os.urandom(5000))
    refused(file(whole[: len(whole) // 2], "table.csv" + suffix), f"The {suffix[1:]} file must be whole")


def test_a_zip_holds_one_file(tmp_path, refused):
    for names in (["a.csv", "b.csv"], ["[Content_Types].xml", "xl/workbook.xml"]):
        with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
            for name in names:
                archive.writestr(name, TEXT)
        refused(tmp_path / "a.xlsx", "exactly one file", "save as CSV or Parquet", "2 files")


def test_no_time_of_day_in_compressed_files(tmp_path):
    write_frame(pd.DataFrame(PLAIN), tmp_path / "a.csv.gz")
    assert (tmp_path / "a.csv.gz").read_bytes()[4:8] == bytes(4)
    write_frame(pd.DataFrame(PLAIN), tmp_path / "a.csv.zip")
    with zipfile.ZipFile(tmp_path / "a.csv.zip") as archive:
        assert [(inside.filename, inside.date_time[0]) for inside in archive.infolist()] == [("a.csv", 1980)]
