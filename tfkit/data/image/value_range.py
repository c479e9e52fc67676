"""Values of images of more than 8 bits per channel: missing values, range of a file and of the training images."""

import contextlib
from typing import Any

import numpy as np

MAX_SAMPLE_PIXELS = 1_000_000  # from which the percentiles of an image are computed

OUTER_PERCENT = 0.1  # of the pixels at each end of the range, which may be clipped

OUTER_QUANTILE = 0.01  # of the training images whose range may be larger

MAX_CLIPPED_FRACTION = 0.5  # of the pixels of an image outside of the range of training

NODATA_TAG = 42113  # of TIFF files of GDAL: the value of a missing pixel


def is_high_bit_depth(image: Any) -> bool:
    """Return whether an image of Pillow has more than 8 bits per channel."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def keep_value_type(image: Any) -> None:
    """Store what the file says of its values where a copy of the image has it, too."""
    is_16_bit = image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))
    image.info |= {"is_16_bit": is_16_bit, "nodata": getattr(image, "tag_v2", {}).get(NODATA_TAG)}


def read_values(image: Any) -> np.ndarray:
    """Return the pixels `(height, width)` of such an image as float32, NaN where missing."""
    values = np.asarray(image, "float32")
    nodata = image.info.get("nodata")
    if nodata is not None:
        with contextlib.suppress(ValueError):
            values = np.where(values == np.float32(str(nodata).strip("\0 ")), np.float32(np.nan), values)
    return np.where(np.isfinite(values), values, np.float32(np.nan))


def describe_values(image: Any) -> dict[str, Any]:
    """Return extrema, outer percentiles and type of the pixels of an image; zeros for at most 8 bits."""
    description = {"min_value": 0.0, "max_value": 0.0, "low_value": 0.0, "high_value": 0.0}
    if not is_high_bit_depth(image):
        return {**description, "high_bit_depth": False, "is_float": False}
    values = read_values(image)
    values = values[~np.isnan(values)]
    if len(values):
        sample = values[:: -(-len(values) // MAX_SAMPLE_PIXELS)]
        low, high = np.percentile(sample, [OUTER_PERCENT, 100 - OUTER_PERCENT])
        extrema = (float(values.min()), float(values.max()), float(low), float(high))
        description = dict(zip(description, extrema, strict=True))
    return {**description, "high_bit_depth": True, "is_float": image.mode == "F"}


def fit_range(frame: Any) -> tuple[float, float] | None:
    """Return the values of black and white of the training images of more than 8 bits; None without such images.

    Unsigned integers have the range of their bits, such as 0 to 4095. Signed and floating-point numbers have the range
    of nearly all pixels, unless they are fractions of 1 or of 255.

    Args:
        frame: A row for each image, with the columns of `describe_values`.
    """
    frame = frame[frame["high_bit_depth"].astype(bool)]
    if not len(frame):
        return None
    low, high = float(frame["min_value"].min()), float(frame["max_value"].max())
    if low >= 0 and not frame["is_float"].any():
        return 0.0, 255.0 if high <= 255 else float(2 ** int(np.ceil(np.log2(high + 1))) - 1)
    for white in (1.0, 255.0):
        if low >= 0 and white / 2 < high <= white:
            return 0.0, white
    low = float(frame["low_value"].quantile(OUTER_QUANTILE, "lower"))
    high = float(frame["high_value"].quantile(1 - OUTER_QUANTILE, "higher"))
    return (low, high) if high > low else (low, low + 1.0)


def scale_to_uint8(image: Any, levels: tuple[float, float] | None) -> np.ndarray:
    """Scale the pixels of an image of more than 8 bits to 0 (black, missing) to 255 (white), uint8.

    Args:
        image: An image of Pillow.
        levels: The values of black and white; None for those of the type of the file.

    Raises:
        ValueError: If the type of the file has no usual range, or most values are outside of the range.
    """
    values = read_values(image)
    if levels is None:
        if not image.info["is_16_bit"]:
            raise ValueError(
                f"{'floating-point' if image.mode == 'F' else '32-bit'} values, and all training images have 8 bits"
            )
        levels = (0.0, 65535.0)
    black, white = levels
    margin = 0.01 * (white - black)
    with np.errstate(invalid="ignore"):
        is_outside = (values < black - margin) | (values > white + margin)
    if is_outside.mean() > MAX_CLIPPED_FRACTION:
        raise ValueError(
            f"values from {np.nanmin(values):,.6g} to {np.nanmax(values):,.6g}, and those of the training images are "
            f"{black:,.6g} to {white:,.6g}"
        )
    scaled = np.clip((values - black) * (255.0 / (white - black)), 0, 255)
    return np.rint(np.nan_to_num(scaled)).astype("uint8")
