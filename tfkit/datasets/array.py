"""In-memory dataset; its protocol is `len` and `take(indices)` -> x, y, weight."""

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np

SPLIT_FIELDS = ("x", "y", "weight")


class ArrayDataset:
    """In-memory dataset of arrays, or dictionaries of arrays, of equal length.

    Args:
        x: Array `(rows, ...)` or a dictionary of such arrays.
        y: Targets `(rows, ...)`, a dictionary of them, or None.
        weight: Sample weights in the loss, `(rows,)`, at least 0, or None for equal weights.
        raw: The inputs of the same rows before preprocessing, a dictionary of arrays, or None.

    Raises:
        ValueError: If the lengths differ or there are no rows.

    Example:
        >>> import numpy as np, tfkit
        >>> rows = tfkit.ArrayDataset({"a": np.arange(4.0)}, np.array([0, 1, 0, 1]))
        >>> len(rows), [int(v) for v in rows.take(np.array([2, 3]))[1]]
        (4, [0, 1])
    """

    def __init__(self, x: Any, y: Any = None, weight: Any = None, *, raw: Mapping[str, Any] | None = None):
        self.arrays = (x, y, weight)
        self._tensors: Any = None
        self.raw_arrays = raw
        self.row_ids: Any = None
        self.target_values: Any = None
        lengths = {len(array) for value in (x, y, weight, raw) if value is not None for array in _arrays_of(value)}
        if len(lengths) > 1:
            raise ValueError(f"All arrays of a split must have the same number of rows. Received: {sorted(lengths)}")
        if not lengths or lengths == {0}:
            raise ValueError("A split must have at least one row. Received: none")
        self._length = lengths.pop()

    def __len__(self) -> int:
        return self._length

    def take(self, indices: Any) -> tuple[Any, Any, Any]:
        """Return rows as tensors. In a compiled function, `indices` may be a tensor."""
        return gather_rows(self.tensors(), indices)

    def tensors(self) -> dict[str, Any]:
        """Return `x`, `y` and `weight` as tensors, without those that are None."""
        import tensorflow as tf

        if self._tensors is None:
            named_values = zip(SPLIT_FIELDS, self.arrays, strict=True)
            with tf.init_scope():  # once, outside of any function being compiled
                self._tensors = {
                    name: _map_arrays(tf.convert_to_tensor, value) for name, value in named_values if value is not None
                }
        return self._tensors

    def concatenate(self, dataset: "ArrayDataset") -> "ArrayDataset":
        """Concatenate two datasets.

        If only one of them has sample weights, those of the other are 1.

        Example:
            >>> first, second = ArrayDataset(np.ones((2, 3)), np.zeros(2)), ArrayDataset(np.ones((1, 3)), np.ones(1))
            >>> first.concatenate(second).arrays[1].tolist()
            [0.0, 0.0, 1.0]
        """

        def concatenate(first: Any, second: Any) -> Any:
            if isinstance(first, Mapping):
                return {name: concatenate(first[name], second[name]) for name in first}
            return None if first is None or second is None else np.concatenate([first, second])

        (x, y, weight), (x2, y2, weight2) = self.arrays, dataset.arrays
        if weight is not None or weight2 is not None:
            weight = np.ones(len(self), "float32") if weight is None else weight
            weight2 = np.ones(len(dataset), "float32") if weight2 is None else weight2
        raw = concatenate(self.raw_arrays, dataset.raw_arrays)
        return ArrayDataset(concatenate(x, x2), concatenate(y, y2), concatenate(weight, weight2), raw=raw)

    def with_sample_weight(self, weight: Any) -> "ArrayDataset":
        """Return the same rows with other sample weights."""
        x, y, _ = self.arrays
        return ArrayDataset(x, y, weight, raw=self.raw_arrays)

    def with_row_ids(self, names: Any) -> Self:
        """Set the identifiers of the rows for reports, and return self.

        Identifiers are line numbers of the file, or paths.
        """
        self.row_ids = names
        return self

    def with_target_values(self, values: Any) -> Self:
        """Set the targets in the units of the user, `(rows,)`, and return self.

        `y` may be scaled and rounded to float32.
        """
        self.target_values = values
        return self

    def raw_inputs(self, indices: Any) -> dict[str, Any]:
        """Return the raw inputs of rows, for reports and for the verification of exports."""
        if self.raw_arrays is None:
            raise ValueError(
                "The raw inputs of rows are available only if `raw` is passed to the dataset. Received: None"
            )
        return {name: np.asarray(values)[indices] for name, values in self.raw_arrays.items()}


def gather_rows(tensors: Mapping[str, Any], indices: Any) -> tuple[Any, Any, Any]:
    """Gather rows of the tensors of a dataset: x, y, weight, None if absent."""
    import tensorflow as tf

    x, y, weight = (_map_arrays(lambda tensor: tf.gather(tensor, indices), tensors.get(name)) for name in SPLIT_FIELDS)
    return x, y, weight


def keras_inputs(split: Any) -> Any:
    """Create symbolic Keras inputs with the shapes and dtypes of a dataset.

    Example:
        >>> import numpy as np, tfkit
        >>> tfkit.keras_inputs(tfkit.ArrayDataset(np.zeros((4, 3), "float32"))).shape
        (None, 3)
    """
    import keras

    x, _, _ = split.take(np.arange(1))

    def keras_input(name: str | None, tensor: Any) -> Any:
        return keras.Input(tensor.shape[1:], dtype=keras.backend.standardize_dtype(tensor.dtype), name=name)

    return (
        {name: keras_input(name, tensor) for name, tensor in x.items()} if isinstance(x, dict) else keras_input(None, x)
    )


def _map_arrays(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to an array or to each array of a dictionary; None stays None."""
    if isinstance(value, Mapping):
        return {name: function(array) for name, array in value.items()}
    return None if value is None else function(value)


def _arrays_of(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else [value]
