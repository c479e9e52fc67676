"""A layer class with constructor arguments and example inputs."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from tfkit.testing.expectations import Checker


class LayerCase(Checker):
    """A layer class with its arguments, example inputs and dynamic axes."""

    def __init__(
        self,
        layer_class: Any,
        arguments: dict[str, Any],
        inputs: Any,
        dynamic_axes: Any,
        empty_batch: bool,
        tolerance: float,
    ):
        super().__init__(layer_class.__name__, tolerance)
        self.layer_class, self.arguments, self.empty_batch = layer_class, arguments, empty_batch
        self.inputs = keras.tree.map_structure(np.asarray, inputs)
        self.arrays = keras.tree.flatten(self.inputs)
        self.dtypes = [array.dtype.name for array in self.arrays]
        self.dynamic_axes = [axes or () for axes in self.per_input(dynamic_axes)]
        # None for axes of any size
        self.shapes: list[Any] = [
            tuple(None if i in axes else size for i, size in enumerate(array.shape))
            for array, axes in zip(self.arrays, self.dynamic_axes, strict=True)
        ]
        self.inputs_by_name = isinstance(self.inputs, dict) and {*self.inputs} <= {
            *inspect.signature(layer_class.call).parameters
        }

    def per_input(self, option: Any) -> list[Any]:
        """Expand an option to a list with one value per input array."""
        if isinstance(self.inputs, dict) and isinstance(option, dict):
            return [option.get(name) for name in sorted(self.inputs)]
        if isinstance(self.inputs, (list, tuple)) and isinstance(option, list):
            return option
        return [option] * len(self.arrays)

    def pack(self, flat: Iterable[Any]) -> Any:
        """Arrange a list of arrays, tensors or shapes in the structure of the inputs."""
        flat = list(flat)
        if isinstance(self.inputs, dict):
            return dict(zip(sorted(self.inputs), flat, strict=True))
        return flat if isinstance(self.inputs, (list, tuple)) else flat[0]

    def make(self, **overrides: Any) -> Any:
        """Create a new layer that has not been called."""
        return self.layer_class(**{**self.arguments, **overrides})

    def make_built(self, **overrides: Any) -> Any:
        """Create a new layer and call it once."""
        layer = self.make(**overrides)
        self.call(layer, self.inputs)
        return layer

    def call(self, layer: Any, inputs: Any, **options: Any) -> Any:
        """Call the layer; inputs are passed by name if their keys are arguments of `call`."""
        return layer(**inputs, **options) if self.inputs_by_name else layer(inputs, **options)

    def functional(self, layer: Any) -> tuple[Any, Any]:
        """Create a functional model of the layer, and return it with its symbolic outputs.

        The model takes the flat list of arrays.
        """
        pairs = enumerate(zip(self.shapes, self.dtypes, strict=True))
        inputs = [keras.Input(batch_shape=shape, dtype=dtype, name=f"input_{i}") for i, (shape, dtype) in pairs]
        outputs = self.call(layer, self.pack(inputs))
        return keras.Model(inputs, outputs), outputs

    def variants(self) -> list[tuple[str, list[np.ndarray]]]:
        """Return the example inputs and variants with other sizes, with descriptions."""
        variants = [(f"{len(self.arrays[0])} rows", self.arrays)]
        if all(0 in axes for axes in self.dynamic_axes):
            batch_sizes = [("one row", 1), ("no row", 0)][: 2 if self.empty_batch else 1]
            variants += [(description, [array[:size] for array in self.arrays]) for description, size in batch_sizes]
        if any(axis > 0 for axes in self.dynamic_axes for axis in axes):
            variants.append(("shorter axes", self._resized(lambda size: range(max(size - 1, 1)))))
            variants.append(("longer axes", self._resized(lambda size: [*range(size), *range(size)])))
        return variants

    def _resized(self, indices_of: Callable[[int], Any]) -> list[np.ndarray]:
        """Select indices along every dynamic axis of the arrays except the batch axis."""
        arrays = []
        for array, axes in zip(self.arrays, self.dynamic_axes, strict=True):
            for axis in filter(None, axes):
                array = np.take(array, indices_of(array.shape[axis]), axis)
            arrays.append(array)
        return arrays


def reseed(layer: Any, seed: int = 7) -> Any:
    """Reset the random state of a layer to a seed, and return the layer."""
    if keras.backend.backend() == "torch":  # its dropout uses the global random state
        keras.utils.set_random_seed(seed)
    for variable in layer.variables:
        if "seed_generator_state" in variable.path:
            variable.assign(np.array([seed, 0], "uint32"))
    return layer


def perturb_weights(layer: Any) -> Any:
    """Add a small random number to every weight, and return the layer.

    Afterwards no weight is 0 or has its initial value.
    """
    random = np.random.default_rng(0)
    for weight in layer.weights:
        if "float" in str(weight.dtype):
            weight.assign_add(random.uniform(0.01, 0.2, weight.shape).astype("float32"))
    return layer
