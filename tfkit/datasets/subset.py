"""A subset of the rows of a dataset."""

from typing import Any

import numpy as np
import numpy.typing as npt


class Subset:
    """Dataset of some rows of a dataset, in any order.

    Args:
        dataset: The dataset.
        indices: Indices of the rows, `(rows,)`.

    Example:
        >>> import tfkit
        >>> subset = Subset(tfkit.ArrayDataset(np.arange(4.0), np.arange(4)), np.array([3, 1]))
        >>> len(subset), subset.take(np.array([0]))[1].numpy().tolist()
        (2, [3])
    """

    def __init__(self, dataset: Any, indices: npt.NDArray[np.integer]):
        self.dataset = dataset
        self.indices: npt.NDArray[np.int32] = indices.astype("int32")

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, indices: Any) -> tuple[Any, Any, Any]:
        """Return rows as tensors; in a compiled function, `indices` may be a tensor."""
        import tensorflow as tf

        return self.dataset.take(tf.gather(self.indices, indices))

    def raw_inputs(self, indices: Any) -> dict[str, Any]:
        """Return the inputs of the same rows before preprocessing."""
        return self.dataset.raw_inputs(self.indices[np.asarray(indices)])
