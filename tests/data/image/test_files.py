"""Finding images in folders, .zip files and tables, and the errors for invalid sources."""

import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tfkit.data.image.files import find_images
from tfkit.errors import UserError


def save_image(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4), value, "uint8")).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Two class folders, one with a subfolder, and files that are not images."""
    for index in range(3):
        save_image(tmp_path / "pets" / "cat" / f"{index}.png", index)
        save_image(tmp_path / "pets" / "dog" / "brown" / f"{index}.JPG", index)
    (tmp_path / "pets" / "notes.txt").write_text("")
    (tmp_path / "pets" / ".hidden").mkdir()
    save_image(tmp_path / "pets" / ".hidden" / "0.png")
    return tmp_path / "pets"


def labels_by_path(images):
    frame = images.frame
    return dict(zip(frame[images.path_column], frame.get("label", [None] * len(images)), strict=True))


EXPECTED = {f"cat/{n}.png": "cat" for n in range(3)} | {f"dog/brown/{n}.JPG": "dog" for n in range(3)}


def test_the_folder_of_an_image_is_its_class(folder):
    images, messages = find_images(folder)
    assert labels_by_path(images) == EXPECTED
    assert images.labels_from_folders
    assert messages == ["1 of 7 files skipped, not images: '.txt'"]
    assert images.read("cat/1.png") == (folder / "cat" / "1.png").read_bytes()


def test_class_folders_may_be_in_one_common_folder(folder):
    images, _ = find_images(folder.parent)
    assert set(labels_by_path(images).values()) == {"cat", "dog"}
    assert "pets/cat/0.png" in labels_by_path(images)


@pytest.mark.parametrize("prefix", ["", "pets/"])
def test_a_zip_is_read_like_a_folder(folder, tmp_path, prefix):
    path = tmp_path / "pets.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in EXPECTED:
            archive.write(folder / name, prefix + name)
        archive.writestr("__MACOSX/cat/._0.png", "junk")
    images, messages = find_images(path)
    assert labels_by_path(images) == {prefix + name: label for name, label in EXPECTED.items()}
    assert images.read(f"{prefix}cat/1.png") == (folder / "cat" / "1.png").read_bytes()
    assert messages == []


def test_paths_of_a_table_are_relative_to_its_folder(folder):
    frame = pd.DataFrame({"file": list(EXPECTED), "kind": [*EXPECTED.values()], "age": range(6)})
    frame.loc[1, "kind"] = None
    frame.to_csv(folder / "labels.csv", index=False)
    images, messages = find_images(folder / "labels.csv", target="kind", path_column="file")
    assert images.frame["file"].tolist() == [name for name in EXPECTED if name != "cat/1.png"]
    assert not images.labels_from_folders
    assert messages == ["1 of 6 rows dropped: no kind"]
    assert images.read("dog/brown/2.JPG") == (folder / "dog" / "brown" / "2.JPG").read_bytes()
    unlabeled, _ = find_images(folder / "labels.csv", path_column="file", labeled=False)
    assert len(unlabeled) == 6


def test_without_labels_a_file_a_list_or_a_frame_is_accepted(folder):
    path = folder / "cat" / "1.png"
    for source in (path, [path], [str(path)], pd.DataFrame({"path": [str(path)]}), {"path": [str(path)]}):
        images, _ = find_images(source, labeled=False)
        [name] = labels_by_path(images)
        assert images.read(name) == path.read_bytes()
    images_of_folder, _ = find_images(folder / "cat", labeled=False)
    assert labels_by_path(images_of_folder) == {f"{n}.png": None for n in range(3)}


@pytest.mark.parametrize(
    ("make_source", "message"),
    [
        (lambda f: f / "no", r"The path of the images must exist\. Received: .*no, no such file or folder"),
        (lambda f: f.parent / "pest", r"Did you mean 'pets'\?"),
        (lambda f: f / ".hidden", r"Every image must be in the folder of its class.*1 of 1 outside of a class folder"),
        (lambda f: f / "cat", r"Every image must be in the folder of its class.*3 of 3 outside.*such as 0\.png"),
        (lambda f: f / "cat" / "0.png", r"Labeled images must be a folder.*one image"),
        (lambda f: 7, r"Images must be the path.*Received: int"),
        (lambda f: {"label": ["a"]}, r"The table must have the column 'path'"),
        (
            lambda f: {"path": ["a.png", None], "label": ["a", "b"]},
            r"the path of an image in 'path'.*1 of 2 rows without",
        ),
        (lambda f: {"path": ["a.png"], "label": [None]}, r"the path of an image in 'path'.*0 of 1"),
    ],
)
def test_invalid_sources_are_errors(folder, make_source, message):
    with pytest.raises(UserError, match=message) as caught:
        find_images(make_source(folder))
    assert "\n" not in str(caught.value)


def test_a_folder_without_images_is_an_error(tmp_path):
    with pytest.raises(UserError, match="with no files"):
        find_images(tmp_path)
    (tmp_path / "a.heic").write_text("")
    (tmp_path / "b").write_text("")
    with pytest.raises(UserError, match=r"with 2 files, '\.heic', 'b'"):
        find_images(tmp_path)


def test_folders_of_splits_are_not_accepted_as_classes(tmp_path):
    for split in ("train", "test"):
        for label in ("a", "b"):
            save_image(tmp_path / split / label / "0.png")
    with pytest.raises(UserError, match=r"data=.*train test_data=.*test\. Received: .*'test', 'train'"):
        find_images(tmp_path)
    assert set(labels_by_path(find_images(tmp_path / "train")[0]).values()) == {"a", "b"}


def test_a_damaged_or_encrypted_zip_is_an_error(folder, tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(UserError, match=r"A \.zip of images must exist and be complete"):
        find_images(path)
    with pytest.raises(UserError, match=r"must exist and be complete"):
        find_images(tmp_path / "no.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(folder / "cat" / "0.png", "cat/0.png")
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"unpack it first.*encrypted"):
        find_images(path)


def test_a_zip_of_a_table_is_read_as_a_table(tmp_path):
    path = save_image(tmp_path / "0.png")
    with zipfile.ZipFile(tmp_path / "labels.csv.zip", "w") as archive:
        archive.writestr("labels.csv", f"path,label\n{path.name},a\n")
    images, _ = find_images(tmp_path / "labels.csv.zip")
    assert labels_by_path(images) == {"0.png": "a"}
