"""Base class of the layers."""

from typing import Any, Self

import keras


@keras.saving.register_keras_serializable(package="tfkit")
class Layer(keras.layers.Layer):
    """A Keras layer that explains how it is called if it is given a tensor instead of its settings.

    Example:
        >>> import tfkit
        >>> tfkit.layers.TransformerEncoder(keras.Input((10, 8)))
        Traceback (most recent call last):
            ...
        TypeError: A layer is created with its settings, then called: ...
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if args and (isinstance(args[0], keras.KerasTensor) or keras.ops.is_tensor(args[0])):
            raise TypeError(
                f"A layer is created with its settings, then called: `{cls.__name__}(...)(x)`. "
                f"Received: a tensor of shape {tuple(args[0].shape)} as its first setting"
            )
        return super().__new__(cls, *args, **kwargs)


def check_widths(name: str, widths: Any) -> None:
    """Raise if the widths of layers are not a list of integers, each at least 1.

    Example:
        >>> check_widths("units", 32)
        Traceback (most recent call last):
            ...
        ValueError: `units` must be a list of widths, one for each layer, each at least 1, such as [32]. ...
    """
    is_list = isinstance(widths, list | tuple) and bool(widths)
    if not is_list or not all(isinstance(width, int) and width >= 1 for width in widths):
        example = widths if isinstance(widths, int) and widths >= 1 else 64
        raise ValueError(
            f"`{name}` must be a list of widths, one for each layer, each at least 1, such as [{example}]. "
            f"Received: {widths!r}"
        )
