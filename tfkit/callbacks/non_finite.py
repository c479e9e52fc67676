"""A loss that is no number any more ends training at once, with a word."""

import math

import keras


class StopOnNonFinite(keras.callbacks.Callback):
    """Stop as soon as a call of `fit` returns a loss that is not finite, and say so.

    A loss is whatever the logs name so: `loss`, or `generator_loss` of a model with a `train_step` of its own.

    Args:
        error: Class of the error to raise, which gets the message.

    Raises:
        ArithmeticError: (or `error`) when the loss is not finite.

    Example:
        >>> import tfkit
        >>> tfkit.callbacks.StopOnNonFinite().on_train_batch_end(3, {"loss": 0.5})
    """

    def __init__(self, error=ArithmeticError):
        super().__init__()
        self.error, self.epoch = error, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        for name, value in (logs or {}).items():
            if name.endswith("loss") and not math.isfinite(value):
                raise self.error(f"The loss must stay finite; {name} became {float(value)} in epoch {self.epoch + 1}. "
                                 "Lower learning_rate to a tenth, or set clip_norm=1, and see whether a column holds "
                                 "extreme values.")  # fmt: skip
