"""Loading, splitting, preprocessing and reading of images."""

import json
import logging
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tfkit.data import image
from tfkit.datasets import memmap
from tfkit.datasets.batch_predict import predict
from tfkit.errors import UserError
from tfkit.metadata import Metadata

RANDOM = np.random.default_rng(0)


def save_image(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def random_pixels(height=8, width=6, channels=None):
    return RANDOM.integers(0, 256, (height, width, *([channels] if channels else [])), dtype="uint8")


def write_classes(path, classes=("a", "b"), per_class=30, **shape):
    for label in classes:
        for index in range(per_class):
            save_image(path / label / f"{index:02}.png", random_pixels(**shape))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_classes(tmp_path_factory.mktemp("images"))


def load_and_fit_schema(source, test_data=None, seed=0, **options):
    """Split images and fit the schema, as the recipe does."""
    images, test_images, messages = image.load(source, test_data=test_data)
    target = image.infer_target(images, "label")
    splits = image.split(images, target, test_data=test_images, val_fraction=0.2, test_fraction=0.2, seed=seed)
    return splits, image.fit_schema(splits[0], target, messages=messages, read_options={"delimiter": None}, **options)


def paths_of(split):
    return set(split.frame["path"])


# loading and splitting


def test_splits_are_stratified_by_class(folder):
    splits, metadata = load_and_fit_schema(folder)
    assert [len(split) for split in splits] == [36, 12, 12]
    for split, count in zip(splits, (18, 6, 6), strict=True):
        assert split.frame["label"].value_counts().to_dict() == {"a": count, "b": count}
    assert metadata.target.counts == {"a": 18, "b": 18}
    assert metadata.task == "classification"
    assert Metadata.from_dict(json.loads(json.dumps(metadata.to_dict()))) == metadata


def test_numeric_folder_names_are_classes(tmp_path):
    for label in range(12):
        for index in range(4):
            save_image(tmp_path / str(label) / f"{index}.png", random_pixels())
    target = image.infer_target(image.load(tmp_path)[0], "label")
    assert target.classes == [str(label) for label in range(12)]


def test_duplicate_images_stay_in_one_split(tmp_path):
    write_classes(tmp_path)
    for index in range(30):  # a BMP copy of each, with the other class
        values = np.asarray(Image.open(tmp_path / "a" / f"{index:02}.png"))
        save_image(tmp_path / "b" / f"copy{index:02}.bmp", values)
    for seed in range(3):
        splits, metadata = load_and_fit_schema(tmp_path, seed=seed)
        digests = [set(split.frame["digest"]) for split in splits]
        assert not digests[0] & digests[1]
        assert not digests[0] & digests[2]
        assert not digests[1] & digests[2]
        assert sum(map(len, splits)) == 90
        assert metadata.notes == ["30 images have several labels; all copies of an image stay in one split"]


def test_duplicates_with_the_same_label_are_dropped_or_stay_in_one_split(tmp_path):
    write_classes(tmp_path)
    for index in range(30):
        save_image(tmp_path / "a" / f"copy{index:02}.bmp", np.asarray(Image.open(tmp_path / "a" / f"{index:02}.png")))
    images, _, messages = image.load(tmp_path)
    assert (len(images), messages) == (60, ["30 of 90 images dropped: duplicates of another image"])
    images, _, messages = image.load(tmp_path, duplicates="keep")
    assert (len(images), messages) == (90, [])
    target = image.infer_target(images, "label")
    splits = image.split(images, target, val_fraction=0.2, test_fraction=0.2, seed=0)
    digests = [set(split.frame["digest"]) for split in splits]
    assert sum(map(len, digests)) == len(set.union(*digests)) == 60


def test_test_images_are_removed_from_training(folder, tmp_path):
    write_classes(tmp_path / "test", per_class=5)
    save_image(tmp_path / "test" / "a" / "copy.png", np.asarray(Image.open(folder / "a" / "00.png")))
    splits, metadata = load_and_fit_schema(folder, test_data=tmp_path / "test")
    assert [len(split) for split in splits] == [47, 12, 11]
    assert "a/00.png" not in paths_of(splits[0]) | paths_of(splits[1])
    assert metadata.notes == ["1 of 60 images dropped: they are test images too"]
    datasets = image.make_dataset(splits, metadata)
    first_image = np.asarray(Image.open(tmp_path / "test" / splits[2].frame["path"].iloc[0]))
    np.testing.assert_array_equal(datasets[2].raw_inputs([0])["pixels"][0, ..., 0], first_image)
    with pytest.raises(UserError, match=r"not test images\. Received: 60 images, all of them"):
        image.load(folder, test_data=folder)


def test_groups_of_a_table_stay_together(folder):
    frame = pd.DataFrame({"path": [str(folder / f"{label}/{n:02}.png") for label in "ab" for n in range(30)]})
    frame["label"], frame["patient"] = ["a"] * 30 + ["b"] * 30, [f"p{n % 10}" for n in range(60)]
    images, _, _ = image.load(frame)
    target = image.infer_target(images, "label")
    splits = image.split(images, target, val_fraction=0.2, test_fraction=0.2, seed=0, group_column="patient")
    patients = [set(split.frame["patient"]) for split in splits]
    assert sum(map(len, patients)) == 10


# unreadable images


def write_bad_files(folder, contents):
    for index, content in enumerate(contents):
        (folder / "a" / f"bad{index}.png").write_bytes(content)


def test_unreadable_images_up_to_one_percent_are_dropped_with_a_message(tmp_path, caplog):
    write_classes(tmp_path, per_class=60)
    write_bad_files(tmp_path, [b""])
    images, _, messages = image.load(tmp_path)
    assert len(images) == 120
    assert messages == ["1 of 121 images dropped, unreadable: a/bad0.png (an empty file)"]
    _, metadata = load_and_fit_schema(tmp_path)
    with caplog.at_level(logging.WARNING):
        raw, columns = image.read(tmp_path, metadata, with_columns=True)
    assert len(raw["pixels"]) == len(columns) == 120
    assert caplog.messages == ["1 of 121 images dropped, unreadable: a/bad0.png (an empty file)"]
    assert "a/bad0.png" not in set(columns["path"])


def test_more_than_one_percent_unreadable_is_an_error(tmp_path):
    write_classes(tmp_path, per_class=30)
    write_bad_files(tmp_path, [b"", b"hello"])
    with pytest.raises(UserError, match=r"At most 1%.*2 of 62: a/bad0.* \(an empty file\), a/bad1.* \(not an image\)$"):
        image.load(tmp_path)
    write_bad_files(tmp_path, [b""] * 7)
    with pytest.raises(UserError, match=r"a/bad4\.png \(an empty file\) and 2 more$"):
        image.load(tmp_path)


def test_errors_name_missing_files_and_damaged_zip_entries(folder, tmp_path):
    with pytest.raises(UserError, match=r"1 of 1: no\.png \(No such file or directory\)"):
        image.load({"path": ["no.png"], "label": ["a"]})
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(folder / "a" / "00.png", "a/0.png")
    content = bytearray(path.read_bytes())
    content[60] ^= 255
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a/0\.png \(corrupt: Bad CRC-32"):
        image.load(path)


def test_a_single_class_is_an_error(tmp_path):
    write_classes(tmp_path, classes=("a",))
    with pytest.raises(UserError, match=r"must have at least two classes\. Received: 'label', 'a' in every row"):
        load_and_fit_schema(tmp_path)


# the schema inferred from the training images


def test_size_is_inferred_from_training_images_only(tmp_path):
    write_classes(tmp_path, height=8, width=6)
    splits, _ = load_and_fit_schema(tmp_path)
    for path in paths_of(splits[2]):  # enlarge the test images
        save_image(tmp_path / path, random_pixels(40, 30))
    for path in list(paths_of(splits[0]))[:10]:  # and a few training images
        save_image(tmp_path / path, random_pixels(10, 10))
    _, metadata = load_and_fit_schema(tmp_path)
    assert metadata.inputs["pixels"] == {"dtype": "uint8", "shape": [8, 6, 1]}


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((200, 100), "auto", [64, 32, 1]),
        ((200, 100), 96, [96, 48, 1]),
        ((8, 6), 16, [16, 12, 1]),
        ((9, 9), "auto", [9, 9, 1]),
    ],
)
def test_longer_side_is_the_given_size_or_at_most_64(tmp_path, shape, size, expected):
    write_classes(tmp_path, per_class=5, height=shape[0], width=shape[1])
    _, metadata = load_and_fit_schema(tmp_path, image_size=size)
    assert metadata.inputs["pixels"]["shape"] == expected


def test_color_mode_is_rgb_if_a_training_image_has_color(tmp_path):
    write_classes(tmp_path, per_class=10)
    save_image(tmp_path / "a" / "gray.png", np.repeat(random_pixels()[..., None], 3, axis=-1))
    _, metadata = load_and_fit_schema(tmp_path)
    assert metadata.image.channels == 1
    splits, _ = load_and_fit_schema(tmp_path)
    save_image(tmp_path / next(iter(paths_of(splits[0]))), random_pixels(channels=3))
    splits, metadata = load_and_fit_schema(tmp_path)
    assert metadata.image.channels == 3
    assert load_and_fit_schema(tmp_path, color_mode="grayscale")[1].image.channels == 1
    assert load_and_fit_schema(tmp_path, color_mode="rgb")[1].image.channels == 3


def test_white_of_high_bit_depth_images_is_inferred_from_training(tmp_path):
    for label in "ab":
        for index in range(10):
            save_image(tmp_path / label / f"{index}.png", RANDOM.integers(0, 4000, (8, 6)).astype("uint16"))
    splits, metadata = load_and_fit_schema(tmp_path)
    assert metadata.image.levels == (0.0, 4095.0)
    pixels = image.make_dataset(splits, metadata)[0].arrays[0]
    first_image = np.asarray(Image.open(tmp_path / splits[0].frame["path"].iloc[0]))
    assert np.abs(pixels[0, ..., 0] - first_image * 255.0 / 4095).max() <= 0.51


def test_channel_statistics_are_computed_from_training_pixels(folder):
    splits, metadata = load_and_fit_schema(folder)
    datasets = image.make_dataset(splits, metadata)
    pixels = datasets[0].arrays[0].astype("float64")
    assert metadata.image.mean == pytest.approx([pixels.mean()])
    assert metadata.image.std == pytest.approx([pixels.std()])
    assert Metadata.from_dict(json.loads(json.dumps(metadata.to_dict()))) == metadata


def test_numeric_targets_are_standardized(folder):
    frame = pd.DataFrame({"path": [str(folder / f"{label}/{n:02}.png") for label in "ab" for n in range(30)]})
    frame["label"] = np.arange(60) * 1.5
    splits, metadata = load_and_fit_schema(frame)
    assert metadata.task == "regression"
    targets = image.make_dataset(splits, metadata)[0].arrays[1]
    assert (targets.mean(), targets.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))


# datasets and reading


def test_datasets_have_the_original_pixels(folder):
    splits, metadata = load_and_fit_schema(folder)
    for split, dataset in zip(splits, image.make_dataset(splits, metadata), strict=True):
        expected = [np.asarray(Image.open(folder / path)) for path in split.frame["path"]]
        x, y, weight = dataset.take(np.arange(len(dataset)))
        np.testing.assert_array_equal(x.numpy()[..., 0], expected)
        np.testing.assert_array_equal(y, [["a", "b"].index(label) for label in split.frame["label"]])
        assert weight is None


def test_preprocessing_resizes_only_images_of_a_different_size(folder):
    _, metadata = load_and_fit_schema(folder)
    prepare = image.make_preprocessor(metadata)
    pixels = random_pixels(8, 6)[None, ..., None]
    np.testing.assert_array_equal(predict(prepare, {"pixels": pixels}), pixels)
    smooth = np.add.outer(np.arange(64) * 2, np.arange(60)).astype("uint8")
    expected = np.asarray(Image.fromarray(smooth).resize((6, 8), Image.Resampling.BILINEAR))
    resized = predict(prepare, {"pixels": smooth[None, ..., None]})
    assert resized.dtype == np.uint8
    assert np.abs(resized[0, ..., 0].astype(int) - expected).max() <= 1


def test_reader_accepts_arrays_of_pixels(folder):
    _, metadata = load_and_fit_schema(folder)
    pixels = random_pixels(8, 6)[None]
    np.testing.assert_array_equal(image.read(pixels, metadata)["pixels"], pixels[..., None])
    assert image.read(random_pixels(16, 16)[None], metadata)["pixels"].shape == (1, 8, 6, 1)
    for invalid in (pixels.astype("float32"), random_pixels(8, 6, 3)[None], pixels[:0], pixels[0]):
        with pytest.raises(UserError, match=r"An array of pixels must be uint8 \(rows, height, width, 1\)"):
            image.read(invalid, metadata)
    with pytest.raises(UserError, match="neither labels nor names"):
        image.read(pixels, metadata, with_targets=True)


def test_reader_returns_targets_and_paths(folder, tmp_path):
    _, metadata = load_and_fit_schema(folder)
    raw, targets, columns = image.read(folder, metadata, with_targets=True, with_columns=True)
    assert raw["pixels"].shape == (60, 8, 6, 1)
    assert targets.tolist() == [0] * 30 + [1] * 30
    assert columns["path"].iloc[0] == "a/00.png"
    assert list(image.read(folder / "a", metadata, with_columns=True)[1]) == ["path"]
    save_image(tmp_path / "c" / "0.png", random_pixels())
    save_image(tmp_path / "a" / "0.png", random_pixels())
    with pytest.raises(UserError, match=r"Every class must be one of the training classes.*Received in 'label': 'c'"):
        image.read(tmp_path, metadata, with_targets=True)


def test_datasets_larger_than_memory_are_memory_mapped(folder, monkeypatch):
    splits, metadata = load_and_fit_schema(folder)
    in_memory = image.make_dataset(splits, metadata)
    monkeypatch.setattr(memmap, "MEMORY_FRACTION", 0)
    on_disk = image.make_dataset(splits, metadata)
    assert all(isinstance(dataset, memmap.MemmapDataset) for dataset in on_disk)
    for expected, dataset in zip(in_memory, on_disk, strict=True):
        for indices in (np.array([3, 0, 3]), np.arange(len(expected))):
            for a, b in zip(expected.take(indices)[:2], dataset.take(indices)[:2], strict=True):
                np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(expected.raw_inputs(indices)["pixels"], dataset.raw_inputs(indices)["pixels"])
    expected, concatenated = in_memory[0].concatenate(in_memory[1]), on_disk[0].concatenate(on_disk[1])
    np.testing.assert_array_equal(expected.take(np.arange(48))[0], concatenated.take(np.arange(48))[0])
    weighted = concatenated.with_sample_weight(np.arange(48, dtype="float32"))
    assert weighted.take(np.array([5]))[2].numpy() == [5.0]
    np.testing.assert_array_equal(weighted.take(np.array([5]))[0], expected.take(np.array([5]))[0])


def test_a_full_disk_is_an_error(monkeypatch):
    monkeypatch.setattr(memmap, "MEMORY_FRACTION", 0)
    with pytest.raises(
        UserError, match=r"needs disk space for a temporary file; free some, set TMPDIR.*Received: 1,000,000.0 GB"
    ):
        memmap.allocate((10**9, 10**6))
