"""Pictures become rows, and what is learnt of them is learnt from training alone."""

import json
import logging
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tfkit.data import images, stored
from tfkit.data.images import (
    image_rows,
    learn_images,
    learn_label,
    load_images,
    prepare_images,
    read_images,
    split_images,
)
from tfkit.errors import UserError
from tfkit.loop import predict

RANDOM = np.random.default_rng(0)


def paint(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def noise(height=8, width=6, channels=None):
    return RANDOM.integers(0, 256, (height, width, *([channels] if channels else [])), dtype="uint8")


def folder_of(path, classes=("a", "b"), each=30, **shape):
    for label in classes:
        for number in range(each):
            paint(path / label / f"{number:02}.png", noise(**shape))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return folder_of(tmp_path_factory.mktemp("pictures"))


def learnt(source, test=None, seed=0, **more):
    """The parts and what was learnt of them, as the page does it."""
    found, own, said = load_images(source, test=test)
    target = learn_label(found, "label")
    parts = split_images(found, target, test=own, val_fraction=0.2, test_fraction=0.2, seed=seed)
    return parts, learn_images(parts[0], target, said=said, reading={"delimiter": None}, **more)


def names(part):
    return set(part.frame["path"])


# what is found


def test_every_class_gets_its_share_of_every_split(folder):
    parts, info = learnt(folder)
    assert [len(part) for part in parts] == [36, 12, 12]
    for part, rows in zip(parts, (18, 6, 6), strict=True):
        assert part.frame["label"].value_counts().to_dict() == {"a": rows, "b": rows}
    assert info["target"]["counts"] == {"a": 18, "b": 18}
    assert info["task"] == "binary"
    json.dumps(info)


def test_a_folder_named_like_a_number_is_a_class(tmp_path):
    for label in range(12):
        for number in range(4):
            paint(tmp_path / str(label) / f"{number}.png", noise())
    target = learn_label(load_images(tmp_path)[0], "label")
    assert target["classes"] == [str(label) for label in range(12)]


def test_equal_pictures_never_stand_in_two_splits(tmp_path):
    folder_of(tmp_path)
    for number in range(30):  # each also as a bitmap, under the other class
        values = np.asarray(Image.open(tmp_path / "a" / f"{number:02}.png"))
        paint(tmp_path / "b" / f"copy{number:02}.bmp", values)
    for seed in range(3):
        parts, info = learnt(tmp_path, seed=seed)
        digests = [set(part.frame["digest"]) for part in parts]
        assert not digests[0] & digests[1]
        assert not digests[0] & digests[2]
        assert not digests[1] & digests[2]
        assert sum(map(len, parts)) == 90
        assert info["cleaning"] == ["30 pictures have several labels; each stays with its equal in one split"]


def test_copies_of_one_class_are_dropped_or_kept_together(tmp_path):
    folder_of(tmp_path)
    for number in range(30):
        paint(tmp_path / "a" / f"copy{number:02}.bmp", np.asarray(Image.open(tmp_path / "a" / f"{number:02}.png")))
    found, _, said = load_images(tmp_path)
    assert (len(found), said) == (60, ["30 of 90 left out: the same picture as another"])
    found, _, said = load_images(tmp_path, duplicates="keep")
    assert (len(found), said) == (90, [])
    target = learn_label(found, "label")
    parts = split_images(found, target, val_fraction=0.2, test_fraction=0.2, seed=0)
    digests = [set(part.frame["digest"]) for part in parts]
    assert sum(map(len, digests)) == len(set.union(*digests)) == 60


def test_pictures_of_the_test_are_not_learnt_from(folder, tmp_path):
    folder_of(tmp_path / "test", each=5)
    paint(tmp_path / "test" / "a" / "again.png", np.asarray(Image.open(folder / "a" / "00.png")))
    parts, info = learnt(folder, test=tmp_path / "test")
    assert [len(part) for part in parts] == [47, 12, 11]
    assert "a/00.png" not in names(parts[0]) | names(parts[1])
    assert info["cleaning"] == ["1 of 60 left out: they are pictures of the test too"]
    rows = image_rows(parts, info)
    first = np.asarray(Image.open(tmp_path / "test" / parts[2].frame["path"].iloc[0]))
    np.testing.assert_array_equal(rows[2].raw([0])["pixels"][0, ..., 0], first)
    with pytest.raises(UserError, match=r"not in the test\. Received: 60, all in both"):
        load_images(folder, test=folder)


def test_groups_of_a_table_stay_together(folder):
    frame = pd.DataFrame({"path": [str(folder / f"{label}/{n:02}.png") for label in "ab" for n in range(30)]})
    frame["label"], frame["patient"] = ["a"] * 30 + ["b"] * 30, [f"p{n % 10}" for n in range(60)]
    found, _, _ = load_images(frame)
    target = learn_label(found, "label")
    parts = split_images(found, target, val_fraction=0.2, test_fraction=0.2, seed=0, group_column="patient")
    patients = [set(part.frame["patient"]) for part in parts]
    assert sum(map(len, patients)) == 10


# what cannot be read


def spoil(folder, contents):
    for number, content in enumerate(contents):
        (folder / "a" / f"bad{number}.png").write_bytes(content)


def test_a_broken_picture_in_a_hundred_is_named_and_left_out(tmp_path, caplog):
    folder_of(tmp_path, each=60)
    spoil(tmp_path, [b""])
    found, _, said = load_images(tmp_path)
    assert len(found) == 120
    assert said == ["1 of 121 left out, unreadable: a/bad0.png (an empty file)"]
    _, info = learnt(tmp_path)
    with caplog.at_level(logging.WARNING):
        raw, own = read_images(tmp_path, info, own=True)
    assert len(raw["pixels"]) == len(own) == 120
    assert caplog.messages == ["1 of 121 left out, unreadable: a/bad0.png (an empty file)"]
    assert "a/bad0.png" not in set(own["path"])


def test_more_than_one_in_a_hundred_is_refused(tmp_path):
    folder_of(tmp_path, each=30)
    spoil(tmp_path, [b"", b"hello"])
    with pytest.raises(UserError, match=r"At most 1%.*2 of 62: a/bad0.* \(an empty file\), a/bad1.* \(no picture\)$"):
        load_images(tmp_path)
    spoil(tmp_path, [b""] * 7)
    with pytest.raises(UserError, match=r"a/bad4\.png \(an empty file\) and 2 more$"):
        load_images(tmp_path)


def test_a_file_that_is_not_there_or_damaged_in_the_zip_is_named(folder, tmp_path):
    with pytest.raises(UserError, match=r"1 of 1: no\.png \(No such file or directory\)"):
        load_images({"path": ["no.png"], "label": ["a"]})
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(folder / "a" / "00.png", "a/0.png")
    content = bytearray(path.read_bytes())
    content[60] ^= 255
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a/0\.png \(broken: Bad CRC-32"):
        load_images(path)


def test_one_class_is_refused(tmp_path):
    folder_of(tmp_path, classes=("a",))
    with pytest.raises(UserError, match=r"must have at least two classes\. Received: 'label', 'a' in every row"):
        learnt(tmp_path)


# what is learnt


def test_the_size_is_that_of_the_training_pictures(tmp_path):
    folder_of(tmp_path, height=8, width=6)
    parts, _ = learnt(tmp_path)
    for path in names(parts[2]):  # the test's are larger now
        paint(tmp_path / path, noise(40, 30))
    for path in list(names(parts[0]))[:10]:  # and some of training
        paint(tmp_path / path, noise(10, 10))
    _, info = learnt(tmp_path)
    assert info["inputs"]["pixels"] == {"dtype": "uint8", "shape": [8, 6, 1]}


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((200, 100), None, [64, 32, 1]),
        ((200, 100), 96, [96, 48, 1]),
        ((8, 6), 16, [16, 12, 1]),
        ((9, 9), None, [9, 9, 1]),
    ],
)
def test_the_longer_side_is_as_asked_or_64_at_most(tmp_path, shape, size, expected):
    folder_of(tmp_path, each=5, height=shape[0], width=shape[1])
    _, info = learnt(tmp_path, size=size)
    assert info["inputs"]["pixels"]["shape"] == expected


def test_colour_is_learnt_where_a_training_picture_has_some(tmp_path):
    folder_of(tmp_path, each=10)
    paint(tmp_path / "a" / "grey.png", np.repeat(noise()[..., None], 3, axis=-1))
    _, info = learnt(tmp_path)
    assert info["picture"]["channels"] == 1
    parts, _ = learnt(tmp_path)
    paint(tmp_path / next(iter(names(parts[0]))), noise(channels=3))
    parts, info = learnt(tmp_path)
    assert info["picture"]["channels"] == 3
    assert learnt(tmp_path, channels="grey")[1]["picture"]["channels"] == 1
    assert learnt(tmp_path, channels="rgb")[1]["picture"]["channels"] == 3


def test_deep_pictures_are_as_deep_as_the_deepest_of_training(tmp_path):
    for label in "ab":
        for number in range(10):
            paint(tmp_path / label / f"{number}.png", RANDOM.integers(0, 4000, (8, 6)).astype("uint16"))
    parts, info = learnt(tmp_path)
    assert info["picture"]["white"] == 4095
    pixels = image_rows(parts, info)[0].arrays[0]
    first = np.asarray(Image.open(tmp_path / parts[0].frame["path"].iloc[0]))
    assert np.abs(pixels[0, ..., 0] - first * 255.0 / 4095).max() <= 0.51


@pytest.mark.parametrize(
    ("deepest", "white"), [(0, 255), (200, 255), (256, 511), (4095, 4095), (65535, 65535), (0.9, 1)]
)
def test_white_is_the_largest_value_of_so_many_bits(deepest, white):
    assert images._white(deepest) == white


def test_moments_are_of_the_training_pixels(folder):
    parts, info = learnt(folder)
    rows = image_rows(parts, info)
    pixels = rows[0].arrays[0].astype("float64")
    assert info["picture"]["mean"] == pytest.approx([pixels.mean()])
    assert info["picture"]["spread"] == pytest.approx([pixels.std()])
    json.dumps(info)


def test_a_number_is_standardised(folder):
    frame = pd.DataFrame({"path": [str(folder / f"{label}/{n:02}.png") for label in "ab" for n in range(30)]})
    frame["label"] = np.arange(60) * 1.5
    parts, info = learnt(frame)
    assert info["task"] == "regression"
    train = image_rows(parts, info)[0].arrays[1]
    assert (train.mean(), train.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))


# rows


def test_rows_are_the_pixels_as_they_are(folder):
    parts, info = learnt(folder)
    for part, rows in zip(parts, image_rows(parts, info), strict=True):
        expected = [np.asarray(Image.open(folder / path)) for path in part.frame["path"]]
        x, y, weight = rows.take(np.arange(len(rows)))
        np.testing.assert_array_equal(x.numpy()[..., 0], expected)
        np.testing.assert_array_equal(y, [["a", "b"].index(label) for label in part.frame["label"]])
        assert weight is None


def test_prepare_leaves_pictures_of_the_learnt_size_alone_and_brings_others_to_it(folder):
    _, info = learnt(folder)
    prepare = prepare_images(info)
    right = noise(8, 6)[None, ..., None]
    np.testing.assert_array_equal(predict(prepare, {"pixels": right}), right)
    smooth = np.add.outer(np.arange(64) * 2, np.arange(60)).astype("uint8")
    pillow = np.asarray(Image.fromarray(smooth).resize((6, 8), Image.Resampling.BILINEAR))
    found = predict(prepare, {"pixels": smooth[None, ..., None]})
    assert found.dtype == np.uint8
    assert np.abs(found[0, ..., 0].astype(int) - pillow).max() <= 1


def test_pixels_in_memory_are_read_too(folder):
    _, info = learnt(folder)
    right = noise(8, 6)[None]
    np.testing.assert_array_equal(read_images(right, info)["pixels"], right[..., None])
    assert read_images(noise(16, 16)[None], info)["pixels"].shape == (1, 8, 6, 1)
    for wrong in (right.astype("float32"), noise(8, 6, 3)[None], right[:0], right[0]):
        with pytest.raises(UserError, match=r"Pixels must be uint8 \(rows, height, width, 1\)"):
            read_images(wrong, info)
    with pytest.raises(UserError, match="neither labels nor names"):
        read_images(right, info, target=True)


def test_the_reader_gives_truth_and_names(folder, tmp_path):
    _, info = learnt(folder)
    raw, truth, own = read_images(folder, info, target=True, own=True)
    assert raw["pixels"].shape == (60, 8, 6, 1)
    assert truth.tolist() == [0] * 30 + [1] * 30
    assert own["path"].iloc[0] == "a/00.png"
    assert list(read_images(folder / "a", info, own=True)[1]) == ["path"]
    paint(tmp_path / "c" / "0.png", noise())
    paint(tmp_path / "a" / "0.png", noise())
    with pytest.raises(UserError, match=r"Every class must be one of the training classes.*Received in 'label': 'c'"):
        read_images(tmp_path, info, target=True)


def test_rows_that_do_not_fit_into_memory_lie_in_a_file(folder, monkeypatch):
    parts, info = learnt(folder)
    kept = image_rows(parts, info)
    monkeypatch.setattr(stored, "SHARE", 0)
    lying = image_rows(parts, info)
    assert all(isinstance(rows, stored.Stored) for rows in lying)
    for one, other in zip(kept, lying, strict=True):
        for numbers in (np.array([3, 0, 3]), np.arange(len(one))):
            for a, b in zip(one.take(numbers)[:2], other.take(numbers)[:2], strict=True):
                np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(one.raw(numbers)["pixels"], other.raw(numbers)["pixels"])
    both, same = kept[0].joined(kept[1]), lying[0].joined(lying[1])
    np.testing.assert_array_equal(both.take(np.arange(48))[0], same.take(np.arange(48))[0])
    weighted = same.weighted(np.arange(48, dtype="float32"))
    assert weighted.take(np.array([5]))[2].numpy() == [5.0]
    np.testing.assert_array_equal(weighted.take(np.array([5]))[0], both.take(np.array([5]))[0])


def test_a_disk_without_room_says_so(monkeypatch):
    monkeypatch.setattr(stored, "SHARE", 0)
    with pytest.raises(
        UserError, match=r"needs disk space for a temporary file; free some, set TMPDIR.*Received: 1,000,000.0 GB"
    ):
        stored.room((10**9, 10**6))
