"""Folders and archives of images: links, other formats, classes without images."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from tfkit.data import image
from tfkit.errors import UserError

RANDOM = np.random.default_rng(0)


def write_images(folder, *, labels=("cat", "dog"), count=4, suffix=".png"):
    for label in labels:
        (folder / label).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(RANDOM.integers(0, 256, (6, 6), dtype="uint8")).save(folder / label / f"{number}{suffix}")


@pytest.mark.parametrize("suffix", [".pgm", ".ppm", ".pnm", ".png", ".tif"])
@pytest.mark.reading("Images", "read")
def test_formats(tmp_path, suffix):
    write_images(tmp_path, suffix=suffix)
    assert len(image.load(tmp_path)[0]) == 8


@pytest.mark.parametrize("archive", ["gztar", "tar", "xztar"])
@pytest.mark.reading("Folders", "read")
def test_archives(tmp_path, archive):
    write_images(tmp_path / "images")
    images = image.load(shutil.make_archive(str(tmp_path / "packed"), archive, tmp_path / "images"))[0]
    assert sorted(images.frame["label"].unique()) == ["cat", "dog"]


@pytest.mark.reading("Folders", "refused")
def test_damaged_archive(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(b"no archive")
    with pytest.raises(UserError, match="An archive must be complete"):
        image.load(tmp_path / "a.tar.gz")


@pytest.mark.reading("Folders", "read")
def test_linked_class_folders_are_followed(tmp_path):
    write_images(tmp_path / "store", labels=("cat", "dog", "elk"))
    folder = tmp_path / "images"
    folder.mkdir()
    for label in ("cat", "dog", "elk"):
        os.symlink(tmp_path / "store" / label, folder / label)
    os.symlink(folder, folder / "cat" / "loop")
    images, _, messages = image.load(folder)
    assert images.frame["label"].value_counts().to_dict() == {"cat": 4, "dog": 4, "elk": 4}
    assert messages == []


@pytest.mark.reading("Folders", "stated")
def test_classes_without_images_are_named(tmp_path):
    write_images(tmp_path / "root")
    (tmp_path / "root" / "elk").mkdir()
    for number in range(20):
        (tmp_path / "root" / "elk" / f"{number}.heic").write_bytes(b"?")
    (tmp_path / "readme.txt").write_text("about")
    messages = image.load(tmp_path)[2]
    assert "class elk: 20 files, no image" in messages
    assert len(messages) == 2


@pytest.mark.reading("Folders", "stated")
def test_classes_of_unreadable_images_are_named(tmp_path):
    write_images(tmp_path, count=100)
    (tmp_path / "elk").mkdir()
    (tmp_path / "elk" / "0.png").write_bytes(b"?")
    messages = image.load(tmp_path)[2]
    assert messages[-1] == "class elk: 1 files, none readable"
