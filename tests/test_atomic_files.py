"""Atomic writing and checked reading of the files of a run."""

import json
import os

import pytest

from tfkit.atomic_files import atomic_file, atomic_path, write_json, write_text
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
        with atomic_file(tmp_path / "a.txt") as file:
            file.write("half")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        write_half()
    assert not list(tmp_path.iterdir())


def write_file(path):
    path.write_bytes(b"\x00" * 5)


def write_folder(path):
    (path / "variables").mkdir(parents=True)
    (path / "variables" / "data").write_bytes(b"abc")
    (path / "model.pb").write_text("graph")


PROGRAMS = {
    "model.keras": write_file,
    "saved": write_folder,
    ".hidden": write_file,
    "n" * 250: write_file,
    "é ü": write_folder,
}


@pytest.mark.parametrize(("name", "program"), PROGRAMS.items(), ids=range(len(PROGRAMS)))
def test_what_a_program_writes_is_flushed_and_has_its_own_name(name, program, tmp_path, monkeypatch):
    sizes, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (sizes.append(os.fstat(file).st_size), fsync(file)))
    with atomic_path(tmp_path / name) as temporary:
        program(temporary)
        assert temporary.name == name
        assert not (tmp_path / name).exists()
        assert not list(tmp_path.glob("*.keras"))
    assert sorted(sizes) == ([3, 5] if program is write_folder else [5])
    assert list(tmp_path.iterdir()) == [tmp_path / name]


@pytest.mark.parametrize("program", [write_file, write_folder])
def test_an_error_of_a_program_leaves_nothing(program, tmp_path):
    def write_and_fail():
        with atomic_path(tmp_path / "model") as temporary:
            program(temporary)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_fail()
    assert not list(tmp_path.iterdir())


def test_two_writers_of_a_file_do_not_mix(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_file(path) as first:
        first.write("first, ")
        with atomic_file(path) as second:
            second.write("second")
        assert path.read_text() == "second"
        first.write("complete")
    assert path.read_text() == "first, complete"


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
