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
