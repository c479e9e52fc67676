"""A subset of the rows of a dataset."""

from typing import Any

import numpy as np


class Subset:
    """Some rows of a split, as a split: `take`, `raw` and all else are those of the other.

    Example:
        >>> import tfkit
        >>> some = Subset(tfkit.ArrayDataset(np.arange(4.0), np.arange(4)), np.array([3, 1]))
        >>> len(some), some.take(np.array([0]))[1].numpy().tolist()
        (2, [3])
    """

    def __init__(self, split: Any, numbers: np.ndarray):
        self.split = split
        self.numbers: np.ndarray = numbers.astype("int32")

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, numbers: Any) -> Any:
        """The rows of these numbers."""
        import tensorflow as tf

        return self.split.take(tf.gather(self.numbers, numbers))

    def raw_inputs(self, numbers: Any) -> Any:
        """The same rows as the user wrote them."""
        return self.split.raw_inputs(self.numbers[np.asarray(numbers)])
