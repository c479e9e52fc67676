"""Atomic writing and checked reading of the files of a run."""

import json
import os

import pytest

from tfkit.atomic_files import AtomicFile, write_json, write_text
from tfkit.errors import UserError
from tfkit.run_dir import RunJSON


def test_a_file_is_flushed_to_the_disk_before_it_is_renamed(tmp_path, monkeypatch):
    path, events = tmp_path / "a.txt", []
    fsync, replace = os.fsync, os.replace

    def record_fsync(descriptor):
        events.append(("fsync", os.fstat(descriptor).st_size))
        fsync(descriptor)

    def record_replace(source, target):
        events.append(("replace", target))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    write_text(path, "12345")
    assert events == [("fsync", 5), ("replace", path)]
    assert path.read_text() == "12345"


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_after_an_error_the_old_file_is_unchanged(failing, tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})

    def fail(*arguments):
        raise OSError("disk error")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="disk error"):
        write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_in_the_block_leaves_no_file(tmp_path):
    def write_half():
        with AtomicFile(tmp_path / "a.txt") as file:
            file.write("half")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        write_half()
    assert not list(tmp_path.iterdir())


def test_a_folder_in_place_of_the_file_raises(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(UserError, match=r"must not be a folder; remove the folder\. Received: .*a\.txt"):
        write_text(tmp_path / "a.txt", "text")


def test_a_missing_key_of_a_run_file_raises(tmp_path):
    path = tmp_path / "provenance.json"
    path.write_text('{"started": "today"}')
    with pytest.raises(UserError, match=r"The run's provenance\.json must have 'versions'"):
        RunJSON(path)["versions"]


@pytest.mark.parametrize("content", ["[]", '{"started": 1}', '{"versions": []}', "{"])
def test_a_run_file_that_is_no_json_or_has_wrong_types_raises(content, tmp_path):
    path = tmp_path / "provenance.json"
    path.write_text(content)
    with pytest.raises(ValueError):  # noqa: PT011
        RunJSON(path)
