"""Whatever a picture is written as, its pixels are what one sees."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from tfkit.data import decoding
from tfkit.data.decoding import Unreadable, decode, glance

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (6, 5), dtype="uint8")
COLOUR = RANDOM.integers(0, 256, (6, 5, 3), dtype="uint8")


def written(image, kind="PNG", **options):
    """What is in the file of a picture, given as pixels or as Pillow's image."""
    content = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(content, kind, **options)
    return content.getvalue()


def seen(content, channels=3, size=(6, 5), **options):
    return decode(content, height=size[0], width=size[1], channels=channels, **options)


@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("GIF", {})]
)
def test_every_kind_of_file_gives_the_same_grey_pixels(kind, options):
    content = written(GREY, kind, **options)
    np.testing.assert_array_equal(seen(content, 1)[..., 0], GREY)
    np.testing.assert_array_equal(seen(content, 3), np.repeat(GREY[..., None], 3, axis=-1))


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True}), ("TIFF", {})])
def test_every_kind_of_file_gives_the_same_colours(kind, options):
    np.testing.assert_array_equal(seen(written(COLOUR, kind, **options)), COLOUR)


def test_a_jpeg_is_nearly_what_it_was():
    smooth = np.add.outer(np.arange(64), np.arange(48)).astype("uint8")
    assert np.abs(seen(written(smooth, "JPEG", quality=95), 1, (64, 48))[..., 0] - smooth.astype(int)).max() <= 4


def test_colour_made_grey_is_as_bright_as_the_eye_says():
    expected = COLOUR @ np.array([0.299, 0.587, 0.114])
    assert np.abs(seen(written(COLOUR), 1)[..., 0] - expected).max() <= 1


def test_a_palette_is_looked_up():
    image = Image.fromarray(GREY % 4, "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    palette = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]])
    np.testing.assert_array_equal(seen(written(image)), palette[GREY % 4])
    cleared = written(image, transparency=1)  # green is see-through
    np.testing.assert_array_equal(seen(cleared), np.where((GREY % 4 == 1)[..., None], 255, palette[GREY % 4]))


def test_black_and_white_are_0_and_255():
    np.testing.assert_array_equal(seen(written(Image.fromarray(GREY > 127)), 1)[..., 0], (GREY > 127) * 255)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_is_transparent_lies_on_white(kind):
    alpha = np.zeros((6, 5, 1), "uint8")
    alpha[:3] = 255
    content = written(np.concatenate([COLOUR, alpha], axis=-1), kind, **({"lossless": True} if kind == "WEBP" else {}))
    np.testing.assert_array_equal(seen(content)[:3], COLOUR[:3])
    assert (seen(content)[3:] == 255).all()
    half = np.concatenate([COLOUR, np.full((6, 5, 1), 128, "uint8")], axis=-1)
    assert np.abs(seen(written(half)) - (COLOUR * 128.0 + 255 * 127) / 255).max() <= 1


def test_grey_with_alpha_lies_on_white():
    both = np.stack([GREY, np.full_like(GREY, 0)], axis=-1)
    assert (seen(written(Image.fromarray(both, "LA")), 1) == 255).all()


def test_cmyk_is_turned_into_colours():
    image = Image.fromarray(COLOUR).convert("CMYK")
    np.testing.assert_array_equal(seen(written(image, "TIFF")), COLOUR)


@pytest.mark.parametrize(("bits", "kind"), [(12, "PNG"), (16, "PNG"), (16, "TIFF")])
def test_deep_pictures_keep_their_contrast(bits, kind):
    deep = RANDOM.integers(0, 2**bits, (6, 5), dtype="uint16")
    content = written(deep, kind)
    assert glance(content)["deepest"] == deep.max()
    white = 2.0**bits - 1
    assert np.abs(seen(content, 1, white=white)[..., 0] - deep * 255.0 / white).max() <= 0.51


def test_fractions_are_pictures_too():
    values = RANDOM.random((6, 5)).astype("float32")
    content = written(values, "TIFF")
    assert glance(content)["deepest"] == pytest.approx(values.max())
    assert np.abs(seen(content, 1, white=1.0)[..., 0] - values * 255.0).max() <= 0.51


def test_of_an_animation_the_first_frame_counts():
    frames = [Image.fromarray(np.full((6, 5), value, "uint8")) for value in (10, 200)]
    content = written(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (seen(content, 1) == 10).all()


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [(1, lambda a: a), (3, lambda a: a[::-1, ::-1]), (6, lambda a: np.rot90(a, -1)), (8, np.rot90)],
)
def test_a_picture_stands_as_its_camera_says(orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content, expected = written(COLOUR, exif=exif), turn(COLOUR)
    np.testing.assert_array_equal(seen(content, size=expected.shape[:2]), expected)
    assert (glance(content)["height"], glance(content)["width"]) == expected.shape[:2]


def test_a_smaller_picture_sees_every_pixel():
    """Halved by a triangle two pixels wide on each side: weights 1, 3, 3, 1 of 8 away from the edges."""
    line = RANDOM.integers(0, 256, 32).astype("uint8")
    small = seen(written(np.repeat(line[None], 4, axis=0)), 1, (4, 16))[0, :, 0]
    weights = np.array([1, 3, 3, 1]) / 8
    expected = [(line[2 * i - 1 : 2 * i + 3] * weights).sum() for i in range(1, 15)]
    assert np.abs(small[1:15] - np.array(expected)).max() <= 1


def test_a_large_jpeg_is_read_small_and_looks_the_same():
    large = np.add.outer(np.arange(800) * 0.15, np.arange(600) * 0.2).astype("uint8")
    small = seen(written(large, "JPEG", quality=95), 1, (40, 30))[..., 0].astype(int)
    middle = np.add.outer((np.arange(40) + 0.5) * 20 * 0.15, (np.arange(30) + 0.5) * 20 * 0.2)
    assert np.abs(small - middle).max() <= 4


def test_equal_pixels_have_one_digest_whatever_the_file():
    colour = np.repeat(GREY[..., None], 3, axis=-1)
    found = [glance(written(GREY)), glance(written(GREY, "BMP")), glance(written(colour))]
    assert {one["digest"] for one in found} == {found[0]["digest"]}
    assert all(one["grey"] for one in found)
    assert glance(written(GREY.T))["digest"] != found[0]["digest"]
    assert glance(written(GREY.reshape(5, 6)))["digest"] != found[0]["digest"], "the same bytes in another shape"
    assert not glance(written(COLOUR))["grey"]
    assert glance(written(COLOUR)) == {
        "height": 6,
        "width": 5,
        "grey": False,
        "deepest": 0.0,
        "digest": glance(written(COLOUR, "BMP"))["digest"],
    }


@pytest.mark.parametrize("read", [glance, seen])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "an empty file"),
        (b"hello", "no picture"),
        (written(COLOUR)[:60], "broken"),
        (written(RANDOM.integers(0, 256, (64, 64, 3), dtype="uint8"), "JPEG")[:700], "broken"),
    ],
)
def test_what_cannot_be_read_says_why(read, content, why):
    with pytest.raises(Unreadable, match=why):
        read(content)


@pytest.mark.parametrize("read", [glance, seen])
@pytest.mark.parametrize("side", [10_000, 30_000], ids=["100 million", "900 million"])
def test_a_bomb_is_not_unpacked(read, side):
    """A file of some kilobytes that claims more pixels than memory should hold."""
    small = written(np.zeros((1, 1), "uint8"))
    where = small.index(b"IHDR") + 4
    header = side.to_bytes(4, "big") * 2 + small[where + 8 : where + 13]
    bomb = small[:where] + header + zlib.crc32(b"IHDR" + header).to_bytes(4, "big") + small[where + 17 :]
    with (
        pytest.warns(Image.DecompressionBombWarning) if side == 10_000 else pytest.MonkeyPatch.context(),
        pytest.raises(Unreadable, match=r"(100 million pixels, )?more than 50 million"),
    ):
        read(bomb)
    assert decoding.LARGEST == 50_000_000
