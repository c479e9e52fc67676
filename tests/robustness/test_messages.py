"""Error messages for devices, pipes, invalid file names, huge arrays and damaged metadata."""

import json
import os

import pytest

import tfkit
from tfkit.api import Run
from tfkit.data.files.read import read_frame
from tfkit.data.image.files import find_images
from tfkit.datasets import memmap
from tfkit.errors import MAX_MESSAGE_CHARACTERS, UserError


def test_message_is_one_line():
    assert str(UserError("a\nb\x1b[31m\u202e\ud800 é 🦄")) == "a\\nb\\x1b[31m\\u202e\\ud800 é 🦄"
    assert str(UserError("x" * (MAX_MESSAGE_CHARACTERS + 1))) == "x" * MAX_MESSAGE_CHARACTERS + "..."


def test_devices_and_pipes_raise(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path in ("/dev/zero", tmp_path / "pipe.csv"):
        with pytest.raises(
            UserError, match=r"A table must be a regular file. Received: .*, which is a device or a pipe"
        ):
            read_frame(path)
    images, _ = find_images({"path": ["/dev/zero", str(tmp_path / "pipe.csv")]}, labeled=False)
    for path in images.frame["path"]:
        with pytest.raises(OSError, match="a device or a pipe"):
            images.read(path)


def test_file_name_that_is_not_utf8_raises(tmp_path):
    (tmp_path / "a").mkdir()
    with open(os.fsencode(tmp_path) + b"/a/\xff.png", "wb"):
        pass
    with pytest.raises(UserError, match=r"File names must be valid UTF-8; rename the file. Received: a/\\udcff.png in"):
        find_images(tmp_path)


def test_array_larger_than_disk_raises():
    with pytest.raises(UserError, match=r"make the rows smaller. Received: 3,000,000,000,000,000,000.0 GB"):
        memmap.allocate((10**9, 10**9, 10**9, 3))


@pytest.mark.parametrize(
    ("content", "message"), [({}, "must have 'target'"), ({"target": []}, "must be JSON"), ([], "must be JSON")]
)
def test_incomplete_metadata_raises(tmp_path, content, message):
    for name, value in (("provenance", {}), ("config", {}), ("metadata", content)):
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    with pytest.raises(UserError, match=f"The run's metadata.json {message}"):
        Run(tmp_path).metadata["target"]


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf")])
def test_checkpoint_minutes_must_be_positive(minutes, tmp_path):
    with pytest.raises(UserError, match=r"`checkpoint_minutes` must be a number above 0. Received: "):
        tfkit.train("tabular", checkpoint_minutes=minutes, out=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
