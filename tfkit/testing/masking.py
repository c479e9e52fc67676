"""Check that padded steps do not affect the outputs of a layer."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfkit.testing.backend import compute_gradients
from tfkit.testing.expectations import all_finite, to_float64_arrays
from tfkit.testing.layer_case import LayerCase, perturb_weights, reseed


class AddMask(keras.layers.Layer):
    """Add a mask to the input, as `Embedding` and `Masking` do."""

    def __init__(self, mask: Any):
        super().__init__()
        self.mask, self.supports_masking = mask, True

    def call(self, x: Any) -> Any:
        return x

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return keras.ops.convert_to_tensor(self.mask)


class RecordMask(keras.layers.Layer):
    """Store the mask of the input, as the next layer of a model would receive it."""

    def __init__(self) -> None:
        super().__init__()
        self.mask, self.supports_masking = None, True

    def call(self, x: Any, mask: Any = None) -> Any:
        self.mask = mask
        return x


class PaddedInputs:
    """Example inputs with masks of real steps, and random values in padded steps."""

    def __init__(self, case: LayerCase, padded_axes: Sequence[int | None], empty_row: bool = False):
        self.case, self.padded_axes, self.random = case, padded_axes, np.random.default_rng(2)
        self.masks = [
            None if axis is None else self._mask(array, axis, i, empty_row)
            for i, (array, axis) in enumerate(zip(case.arrays, padded_axes, strict=True))
        ]

    def lengths(self, input_index: int) -> list[int]:
        """Return the number of real steps of each row.

        It decreases from all steps to one, and starts one lower for each further input.
        """
        array, axis = self.case.arrays[input_index], self.padded_axes[input_index]
        num_steps = array.shape[axis]
        return [num_steps - (row + input_index) % num_steps for row in range(len(array))]

    def _mask(self, array: np.ndarray, axis: int, input_index: int, empty_row: bool) -> np.ndarray:
        """Create the mask of an input: True for real steps."""
        mask = np.zeros(array.shape[: axis + 1], bool)
        for row, length in enumerate(self.lengths(input_index)):
            mask[row, ..., :length] = True
        mask[0] = mask[0] & (not empty_row)
        return mask

    def random_padding(self) -> list[np.ndarray]:
        """Return the arrays with new random values in padded steps at each call."""
        arrays = []
        for array, mask in zip(self.case.arrays, self.masks, strict=True):
            if mask is None:
                arrays.append(array)
                continue
            is_float = array.dtype.kind == "f"
            padding = self.random.normal(0, 50, array.shape) if is_float else self.random.permuted(array, axis=None)
            is_real = mask.reshape(mask.shape + (1,) * (array.ndim - mask.ndim))
            arrays.append(np.where(is_real, array, padding).astype(array.dtype))
        return arrays

    def masked(self, arrays: Sequence[np.ndarray]) -> Any:
        """Add the masks to the arrays, and arrange them in the structure of the inputs."""
        pairs = zip(arrays, self.masks, strict=True)
        return self.case.pack([array if mask is None else AddMask(mask)(array) for array, mask in pairs])


def check_mask(case: LayerCase, padded_axes: Sequence[int | None]) -> None:
    """Check that padded steps do not change the outputs at real steps."""
    if all(axis is None for axis in padded_axes):
        return
    layer, padded = perturb_weights(case.make_built()), PaddedInputs(case, padded_axes)
    initial_weights = layer.get_weights()
    for training in (False, True):
        results = []
        for arrays in (padded.random_padding(), padded.random_padding()):
            layer.set_weights(initial_weights)
            outputs = case.call(reseed(layer), padded.masked(arrays), training=training)
            masks = _output_masks(case, padded, outputs)
            results.append((_real_steps(outputs, masks), layer.get_weights()))
        case.expect_close(
            results[0][0],
            results[1][0],
            f"The values of padded steps change the output at real steps, with training={training}. "
            "Accept `mask=None` in `call`, and exclude padding from every sum, mean, maximum, "
            "convolution and attention.",
        )
        case.expect_close(
            results[0][1],
            results[1][1],
            "The values of padded steps change the statistics that are updated in training. Pass "
            "`mask` on to BatchNormalization.",
        )
    layer.set_weights(initial_weights)
    _check_without_padding(case, padded, layer)
    _check_all_padding(case, padded_axes, layer)


def _output_masks(case: LayerCase, padded: PaddedInputs, outputs: Any) -> list[np.ndarray | None]:
    """Return the mask of each output.

    Check that a layer whose output keeps the padded axis passes the mask on.
    """
    masks: list[np.ndarray | None] = []
    axis = next(axis for axis in padded.padded_axes if axis is not None)
    num_steps = next(
        array.shape[axis]
        for array, padded_axis in zip(case.arrays, padded.padded_axes, strict=True)
        if padded_axis is not None
    )
    input_mask = next(mask for mask in padded.masks if mask is not None)
    for tensor in keras.tree.flatten(outputs):
        reader = RecordMask()
        reader(tensor)
        mask = None if reader.mask is None else np.asarray(keras.ops.convert_to_numpy(reader.mask)).astype(bool)
        keeps_axis = len(tensor.shape) > axis + 1 and tensor.shape[axis] == num_steps
        case.expect(
            mask is not None or not keeps_axis,
            "The output keeps the padded axis but not the mask, so the next layer uses padding as data. Set "
            "self.supports_masking = True in the constructor.",
        )
        case.expect(
            mask is None or mask.shape != input_mask.shape or (mask == input_mask).all(),
            "The mask of the output differs from that of the input. Return it unchanged from `compute_mask`.",
        )
        masks.append(mask)
    return masks


def _real_steps(outputs: Any, masks: Sequence[np.ndarray | None]) -> list[np.ndarray]:
    """Select the real steps of each output; all of it if it has no mask."""
    pairs = zip(to_float64_arrays(outputs), masks, strict=True)
    return [output if mask is None else output[mask] for output, mask in pairs]


def _check_without_padding(case: LayerCase, padded: PaddedInputs, layer: Any) -> None:
    """Check that a padded row has the output of the same row without padding.

    This needs a padded axis of any size.
    """
    pairs = list(zip(padded.padded_axes, case.dynamic_axes, strict=True))
    if not all(axis is None or axis in dynamic_axes for axis, dynamic_axes in pairs):
        return
    outputs = case.call(layer, padded.masked(padded.random_padding()), training=False)
    masks = _output_masks(case, padded, outputs)
    for row in range(min(3, len(case.arrays[0]))):
        shortened = []
        for i, (array, axis) in enumerate(zip(case.arrays, padded.padded_axes, strict=True)):
            row_array = array[row : row + 1]
            shortened.append(row_array if axis is None else np.take(row_array, range(padded.lengths(i)[row]), axis))
        row_outputs = to_float64_arrays(case.call(layer, case.pack(shortened), training=False))
        with_padding = [
            output[row] if mask is None else output[row][mask[row]]
            for output, mask in zip(to_float64_arrays(outputs), masks, strict=True)
        ]
        without_padding = [
            output[0] if mask is None else output[0].reshape(-1, *output.shape[mask.ndim :])
            for output, mask in zip(row_outputs, masks, strict=True)
        ]
        case.expect_close(
            with_padding,
            without_padding,
            "The output for a sequence with padding differs from that for the same sequence without padding. Count "
            "only real steps in means, and start positions at the first of them.",
        )


def _check_all_padding(case: LayerCase, padded_axes: Sequence[int | None], layer: Any) -> None:
    """Check that a row that consists of padding gives finite outputs and gradients."""
    padded = PaddedInputs(case, padded_axes, empty_row=True)
    inputs = padded.random_padding()

    def loss() -> Any:
        outputs = keras.tree.flatten(case.call(layer, padded.masked(inputs), training=True))
        return sum(keras.ops.sum(keras.ops.square(keras.ops.cast(output, "float32"))) for output in outputs)

    outputs = case.call(layer, padded.masked(inputs), training=False)
    weights = layer.trainable_weights
    gradients = [gradient for gradient in compute_gradients(loss, weights) if gradient is not None] if weights else []
    case.expect(
        all_finite(outputs) and all(np.isfinite(gradient).all() for gradient in gradients),
        "A row that consists of padding gives an output or a gradient that is not finite. Divide by the number "
        "of real steps, but at least by 1.",
    )
