"""Pictures are found wherever they lie, and what is wrong with the place is said in one line."""

import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tfkit.data.image_files import find_pictures
from tfkit.errors import UserError


def paint(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4), value, "uint8")).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Two classes, of which one has its pictures a folder deeper; and files that are no pictures."""
    for number in range(3):
        paint(tmp_path / "pets" / "cat" / f"{number}.png", number)
        paint(tmp_path / "pets" / "dog" / "brown" / f"{number}.JPG", number)
    (tmp_path / "pets" / "notes.txt").write_text("")
    (tmp_path / "pets" / ".hidden").mkdir()
    paint(tmp_path / "pets" / ".hidden" / "0.png")
    return tmp_path / "pets"


def rows(found):
    return dict(zip(found.frame[found.path], found.frame.get("label", [None] * len(found)), strict=True))


EXPECTED = {f"cat/{n}.png": "cat" for n in range(3)} | {f"dog/brown/{n}.JPG": "dog" for n in range(3)}


def test_the_folder_says_the_class(folder):
    found, said = find_pictures(folder)
    assert rows(found) == EXPECTED
    assert found.folders
    assert said == ["1 of 7 files passed over: no pictures, '.txt'"]
    assert found.read("cat/1.png") == (folder / "cat" / "1.png").read_bytes()


def test_all_may_lie_in_one_folder_more(folder):
    found, _ = find_pictures(folder.parent)
    assert set(rows(found).values()) == {"cat", "dog"}
    assert "pets/cat/0.png" in rows(found)


@pytest.mark.parametrize("inside", ["", "pets/"])
def test_a_zip_is_read_as_the_folder_that_is_in_it(folder, tmp_path, inside):
    path = tmp_path / "pets.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in EXPECTED:
            archive.write(folder / name, inside + name)
        archive.writestr("__MACOSX/cat/._0.png", "junk")
    found, said = find_pictures(path)
    assert rows(found) == {inside + name: label for name, label in EXPECTED.items()}
    assert found.read(f"{inside}cat/1.png") == (folder / "cat" / "1.png").read_bytes()
    assert said == []


def test_a_table_has_paths_beside_it_and_labels(folder):
    frame = pd.DataFrame({"file": list(EXPECTED), "kind": [*EXPECTED.values()], "age": range(6)})
    frame.loc[1, "kind"] = None
    frame.to_csv(folder / "labels.csv", index=False)
    found, said = find_pictures(folder / "labels.csv", target="kind", path_column="file")
    assert found.frame["file"].tolist() == [name for name in EXPECTED if name != "cat/1.png"]
    assert not found.folders
    assert said == ["1 of 6 rows left out: no kind"]
    assert found.read("dog/brown/2.JPG") == (folder / "dog" / "brown" / "2.JPG").read_bytes()
    unlabelled, _ = find_pictures(folder / "labels.csv", path_column="file", labelled=False)
    assert len(unlabelled) == 6


def test_without_labels_a_picture_a_list_or_a_frame_will_do(folder):
    one = folder / "cat" / "1.png"
    for source in (one, [one], [str(one)], pd.DataFrame({"path": [str(one)]}), {"path": [str(one)]}):
        found, _ = find_pictures(source, labelled=False)
        [name] = rows(found)
        assert found.read(name) == one.read_bytes()
    flat, _ = find_pictures(folder / "cat", labelled=False)
    assert rows(flat) == {f"{n}.png": None for n in range(3)}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: f / "no", r"The pictures must be there\. Received: .*no, no such file or folder"),
        (lambda f: f.parent / "pest", r"Did you mean 'pets'\?"),
        (lambda f: f / ".hidden", r"Every picture must lie in the folder of its class.*1 of 1 beside the folders"),
        (lambda f: f / "cat", r"Every picture must lie in the folder of its class.*3 of 3 beside.*such as 0\.png"),
        (lambda f: f / "cat" / "0.png", r"Pictures with labels are a folder.*one picture"),
        (lambda f: 7, r"Pictures are given by the path.*Received: int"),
        (lambda f: {"label": ["a"]}, r"The table must have the column 'path'"),
        (lambda f: {"path": ["a.png", None], "label": ["a", "b"]}, r"name a picture in 'path'.*1 of 2 rows without"),
        (lambda f: {"path": ["a.png"], "label": [None]}, r"name a picture in 'path'.*0 of 1"),
    ],
)
def test_what_is_no_source_of_pictures_is_refused(folder, make, message):
    with pytest.raises(UserError, match=message) as caught:
        find_pictures(make(folder))
    assert "\n" not in str(caught.value)


def test_an_empty_folder_and_one_of_other_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="which holds nothing"):
        find_pictures(tmp_path)
    (tmp_path / "a.heic").write_text("")
    (tmp_path / "b").write_text("")
    with pytest.raises(UserError, match=r"which holds 2 files, '\.heic', 'b'"):
        find_pictures(tmp_path)


def test_folders_of_splits_are_no_classes(tmp_path):
    for split in ("train", "test"):
        for label in ("a", "b"):
            paint(tmp_path / split / label / "0.png")
    with pytest.raises(UserError, match=r"pictures=.*train test_pictures=.*test\. Received: .*'test', 'train'"):
        find_pictures(tmp_path)
    assert set(rows(find_pictures(tmp_path / "train")[0]).values()) == {"a", "b"}


def test_a_damaged_or_locked_zip_is_refused(folder, tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(UserError, match=r"A \.zip of pictures must be there and whole"):
        find_pictures(path)
    with pytest.raises(UserError, match=r"must be there and whole"):
        find_pictures(tmp_path / "no.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(folder / "cat" / "0.png", "cat/0.png")
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"unpack it first.*encrypted"):
        find_pictures(path)


def test_a_zip_with_a_table_in_it_is_a_table(tmp_path):
    picture = paint(tmp_path / "0.png")
    with zipfile.ZipFile(tmp_path / "labels.csv.zip", "w") as archive:
        archive.writestr("labels.csv", f"path,label\n{picture.name},a\n")
    found, _ = find_pictures(tmp_path / "labels.csv.zip")
    assert rows(found) == {"0.png": "a"}
