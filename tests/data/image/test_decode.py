"""Decoding of image files: pixels are the same for all formats and as displayed by a viewer."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from tfkit.data.image import decode as image_decode
from tfkit.data.image.decode import UnreadableImageError, decode, inspect_image

RANDOM = np.random.default_rng(0)
GRAY = RANDOM.integers(0, 256, (6, 5), dtype="uint8")
COLOR = RANDOM.integers(0, 256, (6, 5, 3), dtype="uint8")


def encode(image, file_format="PNG", **options):
    """Encode pixels, or an image of Pillow, as the content of a file."""
    content = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(content, file_format, **options)
    return content.getvalue()


def decode_pixels(content, channels=3, size=(6, 5), **options):
    return decode(content, height=size[0], width=size[1], channels=channels, **options)


@pytest.mark.parametrize(
    ("file_format", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("GIF", {})]
)
def test_every_format_gives_the_same_grayscale_pixels(file_format, options):
    content = encode(GRAY, file_format, **options)
    np.testing.assert_array_equal(decode_pixels(content, 1)[..., 0], GRAY)
    np.testing.assert_array_equal(decode_pixels(content, 3), np.repeat(GRAY[..., None], 3, axis=-1))


@pytest.mark.parametrize(
    ("file_format", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True}), ("TIFF", {})]
)
def test_every_format_gives_the_same_colors(file_format, options):
    np.testing.assert_array_equal(decode_pixels(encode(COLOR, file_format, **options)), COLOR)


def test_jpeg_pixels_are_close_to_the_original():
    smooth = np.add.outer(np.arange(64), np.arange(48)).astype("uint8")
    assert (
        np.abs(decode_pixels(encode(smooth, "JPEG", quality=95), 1, (64, 48))[..., 0] - smooth.astype(int)).max() <= 4
    )


def test_color_converted_to_grayscale_is_the_luma():
    expected = COLOR @ np.array([0.299, 0.587, 0.114])
    assert np.abs(decode_pixels(encode(COLOR), 1)[..., 0] - expected).max() <= 1


def test_palette_images_give_the_colors_of_the_palette():
    image = Image.fromarray(GRAY % 4, "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    palette = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]])
    np.testing.assert_array_equal(decode_pixels(encode(image)), palette[GRAY % 4])
    transparent = encode(image, transparency=1)  # green is transparent
    np.testing.assert_array_equal(
        decode_pixels(transparent), np.where((GRAY % 4 == 1)[..., None], 255, palette[GRAY % 4])
    )


def test_one_bit_images_are_0_and_255():
    np.testing.assert_array_equal(decode_pixels(encode(Image.fromarray(GRAY > 127)), 1)[..., 0], (GRAY > 127) * 255)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_transparent_pixels_are_composited_on_white(file_format):
    alpha = np.zeros((6, 5, 1), "uint8")
    alpha[:3] = 255
    content = encode(
        np.concatenate([COLOR, alpha], axis=-1), file_format, **({"lossless": True} if file_format == "WEBP" else {})
    )
    np.testing.assert_array_equal(decode_pixels(content)[:3], COLOR[:3])
    assert (decode_pixels(content)[3:] == 255).all()
    half_transparent = np.concatenate([COLOR, np.full((6, 5, 1), 128, "uint8")], axis=-1)
    assert np.abs(decode_pixels(encode(half_transparent)) - (COLOR * 128.0 + 255 * 127) / 255).max() <= 1


def test_grayscale_with_alpha_is_composited_on_white():
    gray_alpha = np.stack([GRAY, np.full_like(GRAY, 0)], axis=-1)
    assert (decode_pixels(encode(Image.fromarray(gray_alpha, "LA")), 1) == 255).all()


def test_cmyk_is_converted_to_rgb():
    image = Image.fromarray(COLOR).convert("CMYK")
    np.testing.assert_array_equal(decode_pixels(encode(image, "TIFF")), COLOR)


@pytest.mark.parametrize(("bits", "file_format"), [(12, "PNG"), (16, "PNG"), (16, "TIFF")])
def test_high_bit_depth_images_keep_their_contrast(bits, file_format):
    values = RANDOM.integers(0, 2**bits, (6, 5), dtype="uint16")
    content = encode(values, file_format)
    assert inspect_image(content)["max_value"] == values.max()
    white = 2.0**bits - 1
    assert np.abs(decode_pixels(content, 1, levels=(0.0, white))[..., 0] - values * 255.0 / white).max() <= 0.51


def test_float_images_are_decoded():
    values = RANDOM.random((6, 5)).astype("float32")
    content = encode(values, "TIFF")
    assert inspect_image(content)["max_value"] == pytest.approx(values.max())
    assert np.abs(decode_pixels(content, 1, levels=(0.0, 1.0))[..., 0] - values * 255.0).max() <= 0.51


def test_the_first_frame_of_an_animation_is_decoded():
    frames = [Image.fromarray(np.full((6, 5), value, "uint8")) for value in (10, 200)]
    content = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decode_pixels(content, 1) == 10).all()


@pytest.mark.parametrize(
    ("orientation", "transform"),
    [(1, lambda a: a), (3, lambda a: a[::-1, ::-1]), (6, lambda a: np.rot90(a, -1)), (8, np.rot90)],
)
def test_exif_orientation_is_applied(orientation, transform):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content, expected = encode(COLOR, exif=exif), transform(COLOR)
    np.testing.assert_array_equal(decode_pixels(content, size=expected.shape[:2]), expected)
    assert (inspect_image(content)["height"], inspect_image(content)["width"]) == expected.shape[:2]


def test_every_pixel_contributes_to_a_smaller_image():
    """The filter at half size has weights 1/8, 3/8, 3/8, 1/8 away from the edges."""
    line = RANDOM.integers(0, 256, 32).astype("uint8")
    small = decode_pixels(encode(np.repeat(line[None], 4, axis=0)), 1, (4, 16))[0, :, 0]
    weights = np.array([1, 3, 3, 1]) / 8
    expected = [(line[2 * i - 1 : 2 * i + 3] * weights).sum() for i in range(1, 15)]
    assert np.abs(small[1:15] - np.array(expected)).max() <= 1


def test_a_large_jpeg_decoded_at_reduced_size_is_close_to_the_original():
    large = np.add.outer(np.arange(800) * 0.15, np.arange(600) * 0.2).astype("uint8")
    small = decode_pixels(encode(large, "JPEG", quality=95), 1, (40, 30))[..., 0].astype(int)
    expected = np.add.outer((np.arange(40) + 0.5) * 20 * 0.15, (np.arange(30) + 0.5) * 20 * 0.2)
    assert np.abs(small - expected).max() <= 4


def test_equal_pixels_have_the_same_digest_in_every_format():
    gray_as_color = np.repeat(GRAY[..., None], 3, axis=-1)
    results = [inspect_image(encode(GRAY)), inspect_image(encode(GRAY, "BMP")), inspect_image(encode(gray_as_color))]
    assert {result["digest"] for result in results} == {results[0]["digest"]}
    assert all(result["is_grayscale"] for result in results)
    assert inspect_image(encode(GRAY.T))["digest"] != results[0]["digest"]
    assert inspect_image(encode(GRAY.reshape(5, 6)))["digest"] != results[0]["digest"], (
        "the same bytes in another shape"
    )
    assert not inspect_image(encode(COLOR))["is_grayscale"]
    assert inspect_image(encode(COLOR)) == {
        "height": 6,
        "width": 5,
        "is_grayscale": False,
        **dict.fromkeys(("min_value", "max_value", "low_value", "high_value"), 0.0),
        "high_bit_depth": False,
        "is_float": False,
        "digest": inspect_image(encode(COLOR, "BMP"))["digest"],
    }


@pytest.mark.parametrize("read", [inspect_image, decode_pixels])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "an empty file"),
        (b"hello", "not an image"),
        (encode(COLOR)[:60], "corrupt"),
        (encode(RANDOM.integers(0, 256, (64, 64, 3), dtype="uint8"), "JPEG")[:700], "corrupt"),
    ],
)
def test_the_error_of_an_unreadable_file_is_the_reason(read, content, reason):
    with pytest.raises(UnreadableImageError, match=reason):
        read(content)


@pytest.mark.parametrize("read", [inspect_image, decode_pixels])
@pytest.mark.parametrize("side", [10_000, 30_000], ids=["100 million", "900 million"])
def test_a_decompression_bomb_is_not_decompressed(read, side):
    """A small file whose header declares more pixels than are allowed."""
    small = encode(np.zeros((1, 1), "uint8"))
    offset = small.index(b"IHDR") + 4
    header = side.to_bytes(4, "big") * 2 + small[offset + 8 : offset + 13]
    bomb = small[:offset] + header + zlib.crc32(b"IHDR" + header).to_bytes(4, "big") + small[offset + 17 :]
    with (
        pytest.warns(Image.DecompressionBombWarning) if side == 10_000 else pytest.MonkeyPatch.context(),
        pytest.raises(UnreadableImageError, match=r"(100 million pixels, )?more than 50 million"),
    ):
        read(bomb)
    assert image_decode.MAX_PIXELS == 50_000_000
