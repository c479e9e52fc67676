"""Inspect and decode one image file of any format into 8-bit grayscale or RGB pixels."""

import hashlib
import io
from typing import Any

import numpy as np

from tfkit.data.image.value_range import describe_values, is_high_bit_depth, keep_value_type, scale_to_uint8
from tfkit.errors import first_line

MAX_PIXELS = 50_000_000  # larger files are decompression bombs, or maps that must be cut into tiles first


class UnreadableImageError(ValueError):
    """An image that cannot be used; the message is the reason."""


def inspect_image(content: bytes) -> dict[str, Any]:
    """Inspect an image file: size, grayscale or color, range of values, pixel digest.

    Two files of the same pixels have the same digest, whatever their format, and whether or not gray is stored as
    color. The range of values is that of `describe_values`.

    Raises:
        UnreadableImageError: If the content is not an image, is corrupt, or has more than 50 million pixels.
    """
    image = _open(content)
    values = np.asarray(image if is_high_bit_depth(image) else _flatten(image))
    is_grayscale = values.ndim == 2 or bool((values == values[..., :1]).all())
    pixels = np.ascontiguousarray(values[..., 0] if is_grayscale and values.ndim == 3 else values)
    digest = hashlib.blake2b(f"{pixels.shape}{pixels.dtype}".encode() + pixels.tobytes(), digest_size=16).hexdigest()
    return {
        "height": image.height,
        "width": image.width,
        "is_grayscale": is_grayscale,
        "digest": digest,
        **describe_values(image),
    }


def decode(
    content: bytes, *, height: int, width: int, channels: int, levels: tuple[float, float] | None = None
) -> np.ndarray:
    """Decode an image file to pixels `(height, width, channels)` uint8.

    The EXIF orientation is applied, the first frame of an animation is used, transparent pixels are composited on
    white, and the image is resized with a triangular (antialiased bilinear) filter, to which every pixel contributes.

    Args:
        content: The content of the file: PNG, JPEG, GIF, BMP, WebP, TIFF, or any other format that Pillow reads.
        height, width: Size of the result.
        channels: 1 for grayscale, 3 for red, green, blue.
        levels: The values of black and white in an image of more than 8 bits per channel; None for those of its type.

    Raises:
        UnreadableImageError: As in `inspect_image`, or if the values have another range than `levels`.
    """
    from PIL import Image

    image = _open(content, 2 * max(height, width))
    if is_high_bit_depth(image):
        try:
            image = Image.fromarray(scale_to_uint8(image, levels))
        except ValueError as error:
            raise UnreadableImageError(str(error)) from None
    image = _flatten(image).convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(image).reshape(height, width, channels)


def _open(content: bytes, min_side: int | None = None) -> Any:
    """Open an image and apply its EXIF orientation.

    With `min_side`, a JPEG may be decoded at a reduced size, but with at least `min_side` pixels per side if it has
    them.
    """
    from PIL import Image, ImageOps

    if not content:
        raise UnreadableImageError("an empty file")
    try:
        image = Image.open(io.BytesIO(content))
        num_pixels = image.width * image.height
        if num_pixels > MAX_PIXELS:
            raise UnreadableImageError(
                f"{num_pixels / 1e6:,.0f} million pixels, more than {MAX_PIXELS // 10**6} million"
            )
        if min_side is not None:
            image.draft(image.mode, (min_side, min_side))
        image.load()
        keep_value_type(image)
        return ImageOps.exif_transpose(image)
    except UnreadableImageError:
        raise
    except Image.DecompressionBombError:
        raise UnreadableImageError(f"more than {MAX_PIXELS // 10**6} million pixels") from None
    except Image.UnidentifiedImageError:
        raise UnreadableImageError("not an image") from None
    except Exception as error:  # Pillow raises different exceptions for each corrupt format
        raise UnreadableImageError(f"corrupt: {first_line(error)}") from error


def _flatten(image: Any) -> Any:
    """Convert to grayscale or RGB, with transparent pixels composited on white."""
    from PIL import Image

    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")
