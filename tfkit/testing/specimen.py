"""A layer under test: how to make it, call it and vary its input."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from tfkit.testing.judge import Judge


class Specimen(Judge):
    """A class of layers with its arguments, an example of its input, and which axes of that may have any length."""

    def __init__(
        self, kind: Any, arguments: dict[str, Any], inputs: Any, dynamic_axes: Any, empty_batch: bool, tolerance: float
    ):
        super().__init__(kind.__name__, tolerance)
        self.kind, self.arguments, self.empty_batch = kind, arguments, empty_batch
        self.inputs = keras.tree.map_structure(np.asarray, inputs)
        self.arrays = keras.tree.flatten(self.inputs)
        self.dtypes = [array.dtype.name for array in self.arrays]
        self.axes = [axes or () for axes in self.each(dynamic_axes)]
        # None where any length will do
        self.shapes: list[Any] = [
            tuple(None if i in axes else size for i, size in enumerate(array.shape))
            for array, axes in zip(self.arrays, self.axes, strict=True)
        ]
        self.by_name = isinstance(self.inputs, dict) and {*self.inputs} <= {*inspect.signature(kind.call).parameters}

    def each(self, setting: Any) -> list[Any]:
        """A setting of the inputs, one for each array of them."""
        if isinstance(self.inputs, dict) and isinstance(setting, dict):
            return [setting.get(name) for name in sorted(self.inputs)]
        if isinstance(self.inputs, (list, tuple)) and isinstance(setting, list):
            return setting
        return [setting] * len(self.arrays)

    def pack(self, flat: Iterable[Any]) -> Any:
        """A list of arrays, tensors or shapes in the structure of the inputs."""
        flat = list(flat)
        if isinstance(self.inputs, dict):
            return dict(zip(sorted(self.inputs), flat, strict=True))
        return flat if isinstance(self.inputs, (list, tuple)) else flat[0]

    def make(self, **more: Any) -> Any:
        """A new layer that has not been called."""
        return self.kind(**{**self.arguments, **more})

    def built(self, **more: Any) -> Any:
        """A new layer that has been called once."""
        layer = self.make(**more)
        self.call(layer, self.inputs)
        return layer

    def call(self, layer: Any, inputs: Any, **options: Any) -> Any:
        """The layer's answer; a dictionary whose keys are arguments of `call` is passed by name."""
        return layer(**inputs, **options) if self.by_name else layer(inputs, **options)

    def functional(self, layer: Any) -> tuple[Any, Any]:
        """A model of the layer alone, which takes the list of arrays, and its symbolic answer."""
        pairs = enumerate(zip(self.shapes, self.dtypes, strict=True))
        inputs = [keras.Input(batch_shape=shape, dtype=dtype, name=f"input_{i}") for i, (shape, dtype) in pairs]
        outputs = self.call(layer, self.pack(inputs))
        return keras.Model(inputs, outputs), outputs

    def variants(self) -> list[tuple[str, list[np.ndarray]]]:
        """The example, and what it becomes with other lengths, as far as they may be other."""
        found = [(f"{len(self.arrays[0])} rows", self.arrays)]
        if all(0 in axes for axes in self.axes):
            few = [("one row", 1), ("no row", 0)][: 2 if self.empty_batch else 1]
            found += [(what, [array[:rows] for array in self.arrays]) for what, rows in few]
        if any(axis > 0 for axes in self.axes for axis in axes):
            found.append(("shorter axes", self._stretched(lambda size: range(max(size - 1, 1)))))
            found.append(("longer axes", self._stretched(lambda size: [*range(size), *range(size)])))
        return found

    def _stretched(self, places: Callable[[int], Any]) -> list[np.ndarray]:
        """The arrays with these places alone along each of their dynamic axes but the first."""
        arrays = []
        for array, axes in zip(self.arrays, self.axes, strict=True):
            for axis in filter(None, axes):
                array = np.take(array, places(array.shape[axis]), axis)
            arrays.append(array)
        return arrays


def reseed(layer: Any, seed: int = 7) -> Any:
    """The layer, about to draw the random numbers of this seed."""
    if keras.backend.backend() == "torch":  # whose dropout draws from a state that all share
        keras.utils.set_random_seed(seed)
    for variable in layer.variables:
        if "seed_generator_state" in variable.path:
            variable.assign(np.array([seed, 0], "uint32"))
    return layer


def moved(layer: Any) -> Any:
    """The layer with every weight a little above where its initializer put it: none is 0, and none as told."""
    random = np.random.default_rng(0)
    for weight in layer.weights:
        if "float" in str(weight.dtype):
            weight.assign_add(random.uniform(0.01, 0.2, weight.shape).astype("float32"))
    return layer
