"""Metadata of images."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from tfkit.metadata import Metadata


class ImageSchema(BaseModel):
    """Size, color mode and pixel statistics of the training images.

    Args:
        height, width: Size to which all images are resized, in pixels.
        channels: 1 for grayscale, 3 for red, green, blue.
        levels: The values of black and white in training images of more than 8 bits per channel; None without such
            images.
        mean, std: Mean and standard deviation of each channel of the training pixels, in [0, 255].
    """

    model_config = ConfigDict(extra="forbid")

    height: int = 1
    width: int = 1
    channels: int = 1
    levels: tuple[float, float] | None = None
    mean: list[float] = [0.0]
    std: list[float] = [1.0]

    @property
    def max_side(self) -> int:
        """The longer side, in pixels."""
        return max(self.height, self.width)


class ImageMetadata(Metadata):
    """Metadata of images.

    Args:
        image: Size, color mode and pixel statistics of the training images.
    """

    KIND: ClassVar[str] = "image"
    ANALYSES: ClassVar[tuple[str, ...]] = ("images",)

    kind: str = "image"
    image: ImageSchema = ImageSchema()

    @property
    def auto_settings(self) -> dict[str, str | int]:
        """Values of the settings that are inferred from the data."""
        color_mode = "grayscale" if self.image.channels == 1 else "rgb"
        return {"task": self.task, "image_size": self.image.max_side, "color_mode": color_mode}
