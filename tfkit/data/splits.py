"""A split takes rows by number: `len(split)` and `split.take(numbers) -> (x, y, weight)` is all that training knows."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

PARTS = ("x", "y", "weight")


class Rows:
    """Rows in memory: arrays, or dictionaries of arrays, of one length.

    Args:
        x: Array `(rows, ...)` or a dictionary of such arrays.
        y: Targets `(rows, ...)`, a dictionary of them, or None.
        weight: Weight of each row in the loss, `(rows,)`, at least 0, or None for 1 each.
        raw: The same rows as the user wrote them, a dictionary of arrays, or None.

    Raises:
        ValueError: If the lengths differ or there are no rows.

    Example:
        >>> import numpy as np, tfkit
        >>> rows = tfkit.Rows({"a": np.arange(4.0)}, np.array([0, 1, 0, 1]))
        >>> len(rows), [int(v) for v in rows.take(np.array([2, 3]))[1]]
        (4, [0, 1])
    """

    def __init__(self, x: Any, y: Any = None, weight: Any = None, *, raw: Mapping[str, Any] | None = None):
        self.arrays = (x, y, weight)
        self._tensors: Any = None
        self.raw_arrays = raw
        self.names: Any = None
        lengths = {len(a) for part in (x, y, weight, raw) if part is not None for a in _leaves(part)}
        if len(lengths) > 1:
            raise ValueError(f"All arrays of a split must have the same number of rows. Received: {sorted(lengths)}")
        if not lengths or lengths == {0}:
            raise ValueError("A split must have at least one row. Received: none")
        self._length = lengths.pop()

    def __len__(self) -> int:
        return self._length

    def take(self, numbers: Any) -> tuple[Any, Any, Any]:
        """The rows of these numbers as tensors; works inside a compiled function, with a tensor of numbers, too."""
        return gathered(self.tensors(), numbers)

    def tensors(self) -> dict[str, Any]:
        """What there is of `x`, `y` and `weight`, on the device."""
        import tensorflow as tf

        if self._tensors is None:
            parts = zip(PARTS, self.arrays, strict=True)
            with tf.init_scope():  # once, outside of any function being compiled
                self._tensors = {name: _each(tf.convert_to_tensor, part) for name, part in parts if part is not None}
        return self._tensors

    def joined(self, other: "Rows") -> "Rows":
        """The rows of this split, then those of another; where one has weights, the other's are 1.

        Example:
            >>> Rows(np.ones((2, 3)), np.zeros(2)).joined(Rows(np.ones((1, 3)), np.ones(1))).arrays[1].tolist()
            [0.0, 0.0, 1.0]
        """

        def both(one: Any, two: Any) -> Any:
            if isinstance(one, Mapping):
                return {name: both(one[name], two[name]) for name in one}
            return None if one is None or two is None else np.concatenate([one, two])

        (x, y, weight), (more_x, more_y, more_weight) = self.arrays, other.arrays
        if weight is not None or more_weight is not None:
            weight = np.ones(len(self), "float32") if weight is None else weight
            more_weight = np.ones(len(other), "float32") if more_weight is None else more_weight
        raw = both(self.raw_arrays, other.raw_arrays)
        return Rows(both(x, more_x), both(y, more_y), both(weight, more_weight), raw=raw)

    def weighted(self, weight: Any) -> "Rows":
        """The same rows with these weights."""
        x, y, _ = self.arrays
        return Rows(x, y, weight, raw=self.raw_arrays)

    def named(self, names: Any) -> Self:
        """The same rows, each called as its owner finds it: the number of its line in the file, or a path."""
        self.names = names
        return self

    def raw(self, numbers: Any) -> dict[str, Any]:
        """The same rows as the user wrote them, for reports and for the check of exports."""
        if self.raw_arrays is None:
            raise ValueError("These rows were made without `raw`, so they cannot be shown as they were written.")
        return {name: np.asarray(values)[numbers] for name, values in self.raw_arrays.items()}


def gathered(tensors: Mapping[str, Any], numbers: Any) -> tuple[Any, Any, Any]:
    """Rows of what `Rows.tensors` gave: x, y and weight, None for what is not there."""
    import tensorflow as tf

    x, y, weight = (_each(lambda tensor: tf.gather(tensor, numbers), tensors.get(name)) for name in PARTS)
    return x, y, weight


def inputs(split: Any) -> Any:
    """Symbolic inputs of a model, in the shape of a row taken from the split.

    Example:
        >>> import numpy as np, tfkit
        >>> tfkit.inputs(tfkit.Rows(np.zeros((4, 3), "float32"))).shape
        (None, 3)
    """
    import keras

    x, _, _ = split.take(np.arange(1))

    def symbol(name: str | None, tensor: Any) -> Any:
        return keras.Input(tensor.shape[1:], dtype=keras.backend.standardize_dtype(tensor.dtype), name=name)

    return {name: symbol(name, tensor) for name, tensor in x.items()} if isinstance(x, dict) else symbol(None, x)


def _each(function: Any, part: Any) -> Any:
    """The function of an array, of each array of a dictionary, or nothing of nothing."""
    if isinstance(part, Mapping):
        return {name: function(array) for name, array in part.items()}
    return None if part is None else function(part)


def _leaves(part: Any) -> list[Any]:
    return list(part.values()) if isinstance(part, Mapping) else [part]
