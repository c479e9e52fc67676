"""Images of more than 8 bits: the range of a file, the range of training images, and its use in prediction."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image, TiffImagePlugin

from tfkit.data import image
from tfkit.data.image.decode import UnreadableImageError, decode, inspect_image
from tfkit.data.image.value_range import NODATA_TAG, fit_range
from tfkit.errors import UserError

RANDOM = np.random.default_rng(0)


def encode(values, file_format="TIFF", **options):
    content = io.BytesIO()
    Image.fromarray(values).save(content, file_format, **options)
    return content.getvalue()


def pixels(content, levels=None):
    return decode(content, height=8, width=8, channels=1, levels=levels)[..., 0].astype(int)


def range_of(*arrays):
    return fit_range(pd.DataFrame([inspect_image(encode(values)) for values in arrays]))


@pytest.mark.parametrize(("bits", "file_format"), [(8, "PNG"), (8, "TIFF"), (16, "PNG"), (16, "TIFF"), (16, "PPM")])
@pytest.mark.reading("Images", "read")
def test_white_is_that_of_the_type_of_the_file(bits, file_format):
    shades = RANDOM.integers(0, 256, (8, 8))
    values = (shades * (257 if bits == 16 else 1)).astype(f"uint{bits}")
    assert np.abs(pixels(encode(values, file_format)) - shades).max() <= 1


@pytest.mark.parametrize(
    ("max_value", "white"),
    [(0, 255), (200, 255), (256, 511), (1000, 1023), (4095, 4095), (4096, 8191), (65535, 65535)],
)
@pytest.mark.reading("Images", "read")
def test_unsigned_integers_have_the_range_of_their_bits(max_value, white):
    assert range_of(np.full((8, 8), max_value, "uint16")) == (0.0, white)


@pytest.mark.parametrize(
    ("low", "high"), [(-1.0, 1.0), (-1024.0, 3071.0), (250.0, 320.0), (0.0, 0.04), (-30.0, -5.0), (1e4, 1.2e4)]
)
@pytest.mark.reading("Images", "stated")
def test_range_of_floats_is_that_of_the_training_pixels(low, high):
    values = np.linspace(low, high, 64, dtype="float32").reshape(8, 8)
    levels = range_of(values, values)
    assert levels == pytest.approx((low, high), rel=0.02, abs=0.01 * (high - low))
    shades = pixels(encode(values), levels)
    assert (shades.min(), shades.max()) == (0, 255)
    assert (np.diff(shades.ravel()) >= 0).all()


@pytest.mark.parametrize(("high", "white"), [(0.9, 1.0), (1.0, 1.0), (250.0, 255.0), (200.5, 255.0)])
@pytest.mark.reading("Images", "read")
def test_fractions_keep_their_white(high, white):
    assert range_of(np.linspace(0, high, 64, dtype="float32").reshape(8, 8)) == (0.0, white)


@pytest.mark.reading("Images", "stated")
def test_signed_integers_have_the_range_of_the_training_pixels():
    values = RANDOM.integers(-1000, 2000, (8, 8)).astype("int32")
    assert range_of(values) == pytest.approx((values.min(), values.max()), abs=150)


def test_one_bright_pixel_does_not_set_the_range():
    values = RANDOM.uniform(-1, 1, (64, 64)).astype("float32")
    values[3, 3] = 3e4
    assert range_of(values)[1] < 1.1


def test_missing_pixels_are_black_and_do_not_set_the_range():
    values = RANDOM.uniform(-1, 1, (8, 8)).astype("float32")
    values[0], values[1, 0] = -9999, np.nan
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[NODATA_TAG] = "-9999"
    content = encode(values, tiffinfo=tags)
    levels = fit_range(pd.DataFrame([inspect_image(content)]))
    assert -1 <= levels[0] < levels[1] <= 1
    shades = pixels(content, levels)
    assert (shades[0] == 0).all()
    assert shades[1, 0] == 0
    assert shades[2:].max() > 200


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.reading("Images", "refused")
def test_type_without_a_usual_range_is_refused_after_training_on_8_bits(dtype):
    with pytest.raises(UnreadableImageError, match="all training images have 8 bits"):
        pixels(encode(RANDOM.integers(0, 9, (8, 8)).astype(dtype)))


@pytest.mark.parametrize("levels", [(0.0, 4095.0), (0.0, 255.0), (-1.0, 1.0), (70000.0, 80000.0)])
@pytest.mark.reading("Images", "refused")
def test_values_of_another_range_are_refused(levels):
    values = RANDOM.integers(20000, 60000, (8, 8)).astype("uint16")
    with pytest.raises(UnreadableImageError, match=r"values from 2.,... to 5.,..., and those of the training images"):
        pixels(encode(values), levels)


def write_images(folder, transform, suffix):
    """Write 2 classes of 8 images, bright on the left or on the right; transform maps [0, 1] to the values."""
    for label in ("left", "right"):
        (folder / label).mkdir(parents=True)
        for index in range(8):
            shades = RANDOM.uniform(0, 0.4, (8, 8)) + np.linspace(0, 0.6, 8)[:: 1 if label == "right" else -1]
            Image.fromarray(transform(shades)).save(folder / label / f"{index}{suffix}")


def fit(folder):
    images, _, messages = image.load(folder)
    target = image.infer_target(images, "label")
    return image.fit_schema(images, target, messages=messages)


@pytest.mark.parametrize(
    ("transform", "suffix"),
    [
        (lambda shades: (shades * 65535).astype("uint16"), ".png"),
        (lambda shades: (shades * 65535).astype("uint16"), ".tif"),
        (lambda shades: (shades * 65535).astype("uint16"), ".pgm"),
        (lambda shades: (shades * 255).astype("uint8"), ".bmp"),
    ],
)
@pytest.mark.reading("Images", "read")
def test_a_model_of_8_bit_images_predicts_images_of_other_depths(tmp_path, transform, suffix):
    write_images(tmp_path / "train", lambda shades: (shades * 255).astype("uint8"), ".png")
    write_images(tmp_path / "new", transform, suffix)
    metadata = fit(tmp_path / "train")
    train = image.read(tmp_path / "train", metadata)["pixels"]
    new = image.read(tmp_path / "new", metadata)["pixels"]
    assert metadata.image.levels is None
    assert abs(train.mean() - new.mean()) < 10
    assert new.max() < 255.5 > 0.9 * 255 > new.mean()


def test_range_of_training_is_stored_and_replayed(tmp_path):
    write_images(tmp_path / "train", lambda shades: (shades * 2 - 1).astype("float32"), ".tif")
    write_images(tmp_path / "new", lambda shades: (shades / 2).astype("float32"), ".tif")
    metadata = fit(tmp_path / "train")
    assert metadata.image.levels == pytest.approx((-1, 1), abs=0.05)
    assert any("(black)" in note for note in metadata.notes)
    new = image.read(tmp_path / "new", metadata)["pixels"]
    assert 120 < new.min() < new.max() < 200  # 0 to 0.5 of -1 to 1


@pytest.mark.reading("Images", "refused")
def test_images_of_another_range_are_refused_by_name(tmp_path):
    write_images(tmp_path / "train", lambda shades: (shades * 2 - 1).astype("float32"), ".tif")
    write_images(tmp_path / "new", lambda shades: (shades * 3000 + 1000).astype("uint16"), ".png")
    with pytest.raises(UserError, match=r"left/0.png \(values from 1,.*training images are -"):
        image.read(tmp_path / "new", fit(tmp_path / "train"))
