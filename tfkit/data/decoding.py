"""One picture, whatever file it comes in, becomes grey or colour of eight bits a channel."""

import hashlib
import io
from typing import Any

import numpy as np

from tfkit.errors import first_line

LARGEST = 50_000_000  # pixels: more is a trap, or a map to be cut into tiles first


class Unreadable(ValueError):
    """A picture that cannot be used, and why."""


def glance(content: bytes) -> dict[str, Any]:
    """What is to be known of a picture before any is used: its size, whether it is grey, and a digest of its pixels.

    Two files of the same pixels have the same digest, whatever their format, and whether grey is written as colour.
    `deepest` is the largest value of a picture of more than eight bits a channel, else 0.

    Raises:
        Unreadable: If it is no picture, is broken, or has more than 50 million pixels.
    """
    image = _opened(content)
    values = np.asarray(image if _deep(image) else _flat(image))
    deepest = float(values.max()) if _deep(image) else 0.0
    grey = values.ndim == 2 or bool((values == values[..., :1]).all())
    seen = np.ascontiguousarray(values[..., 0] if grey and values.ndim == 3 else values)
    digest = hashlib.blake2b(f"{seen.shape}{seen.dtype}".encode() + seen.tobytes(), digest_size=16).hexdigest()
    return {"height": image.height, "width": image.width, "grey": grey, "deepest": deepest, "digest": digest}


def decode(content: bytes, *, height: int, width: int, channels: int, white: float = 255.0) -> np.ndarray:
    """The pixels of a picture, `(height, width, channels)` uint8.

    The picture is turned as its camera says (EXIF), of an animation it is the first frame, what is transparent lies on
    white, and it is stretched to the size by triangular filtering, which sees every pixel.

    Args:
        content: What is in the file: PNG, JPEG, GIF, BMP, WebP, TIFF, or whatever else Pillow reads.
        height, width: Size of the answer.
        channels: 1 for grey, 3 for red, green, blue.
        white: The value that is white in a picture of more than eight bits a channel.

    Raises:
        Unreadable: As in `glance`.
    """
    from PIL import Image

    image = _opened(content, 2 * max(height, width))
    if _deep(image):
        values = np.clip(np.asarray(image, "float32") * (255.0 / white), 0, 255)
        image = Image.fromarray(np.rint(values).astype("uint8"))
    image = _flat(image).convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(image).reshape(height, width, channels)


def _opened(content: bytes, enough: int | None = None) -> Any:
    """The picture, upright; a JPEG may come smaller, but with `enough` pixels a side where it has them."""
    from PIL import Image, ImageOps

    if not content:
        raise Unreadable("an empty file")
    try:
        image = Image.open(io.BytesIO(content))
        pixels = image.width * image.height
        if pixels > LARGEST:
            raise Unreadable(f"{pixels / 1e6:,.0f} million pixels, more than {LARGEST // 10**6} million")
        if enough is not None:
            image.draft(image.mode, (enough, enough))
        image.load()
        return ImageOps.exif_transpose(image)
    except Unreadable:
        raise
    except Image.DecompressionBombError:
        raise Unreadable(f"more than {LARGEST // 10**6} million pixels") from None
    except Image.UnidentifiedImageError:
        raise Unreadable("no picture") from None
    except Exception as error:  # every format has its own ways to be broken
        raise Unreadable(f"broken: {first_line(error)}") from error


def _deep(image: Any) -> bool:
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def _flat(image: Any) -> Any:
    """Grey or colour, with what is transparent on white."""
    from PIL import Image

    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")
