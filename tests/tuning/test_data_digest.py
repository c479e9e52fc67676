"""Fingerprint of the data files of a search."""

import gzip
import os
import shutil
from pathlib import Path

import pytest

from tfkit.tuning import data_digest
from tfkit.tuning.data_digest import data_digests


def write_table(folder, content=b"a,y\n1,no\n2,yes\n"):
    """A CSV file."""
    (folder / "table.csv").write_bytes(content)
    return folder / "table.csv"


@pytest.mark.parametrize("content", [b"", b"a,y\n1,no\n2,ja\n", b"a,y\n2,yes\n1,no\n", b"a,y\r\n1,no\r\n2,yes\r\n"])
def test_other_content_has_another_digest(content, tmp_path):
    before = data_digests({"data": write_table(tmp_path)})
    assert before != data_digests({"data": write_table(tmp_path, content)})


def test_time_and_place_do_not_matter(tmp_path):
    path = write_table(tmp_path)
    before = data_digests({"data": path})
    os.utime(path, (1, 1))
    (tmp_path / "other").mkdir()
    copy = Path(shutil.copy(path, tmp_path / "other" / "renamed.csv"))
    assert data_digests({"data": path}) == data_digests({"data": copy}) == before


def test_folder_digest_depends_on_names_and_contents(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "dog").mkdir()
    (tmp_path / "cat" / "1.png").write_bytes(b"first")
    digests = [data_digests({"data": tmp_path})["data"]]
    for change in (
        lambda: (tmp_path / "cat" / "1.png").write_bytes(b"other"),
        lambda: (tmp_path / "dog" / "2.png").write_bytes(b"second"),
        lambda: (tmp_path / "dog" / "2.png").rename(tmp_path / "cat" / "2.png"),
        lambda: (tmp_path / "cat" / "1.png").unlink(),
    ):
        change()
        digests.append(data_digests({"data": tmp_path})["data"])
    assert len(set(digests)) == 5


def test_every_path_and_a_data_string_count(tmp_path):
    path = write_table(tmp_path)
    packed = tmp_path / "test.csv.gz"
    packed.write_bytes(gzip.compress(b"a,y\n", mtime=0))
    settings = {"data": str(path), "test_data": packed, "labels": None, "log": str(path), "epochs": 3}
    assert list(data_digests(settings)) == ["test_data", "data"]
    packed.unlink()
    assert data_digests(settings)["test_data"] == "missing"


def test_large_file_is_sampled_from_first_to_last_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(data_digest, "MAX_HASHED_BYTES", 1000)
    monkeypatch.setattr(data_digest, "BLOCK_BYTES", 10)
    content = bytearray(5000)
    before = data_digests({"data": write_table(tmp_path, bytes(content))})
    for position in (0, 4999):
        changed = bytearray(content)
        changed[position] = 1
        assert data_digests({"data": write_table(tmp_path, bytes(changed))}) != before
    assert data_digests({"data": write_table(tmp_path, bytes(content) + b"1")}) != before
