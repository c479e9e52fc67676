"""Padding must change nothing."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfkit.testing.backend import gradients
from tfkit.testing.judge import finite, numbers
from tfkit.testing.specimen import Specimen, moved, reseed


class Attach(keras.layers.Layer):
    """Gives its input a mask, as `Embedding` and `Masking` do."""

    def __init__(self, keep: Any):
        super().__init__()
        self.keep, self.supports_masking = keep, True

    def call(self, x: Any) -> Any:
        return x

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return keras.ops.convert_to_tensor(self.keep)


class Read(keras.layers.Layer):
    """Keeps the mask that comes with its input, as the next layer of a model would see it."""

    def __init__(self) -> None:
        super().__init__()
        self.found, self.supports_masking = None, True

    def call(self, x: Any, mask: Any = None) -> Any:
        self.found = mask
        return x


class Padded:
    """The example of a specimen with padding: which steps are real, and the padding filled with this or that."""

    def __init__(self, specimen: Specimen, padded_axes: Sequence[int | None], empty: bool = False):
        self.specimen, self.axes, self.random = specimen, padded_axes, np.random.default_rng(2)
        self.keep = [
            None if axis is None else self._keep(array, axis, i, empty)
            for i, (array, axis) in enumerate(zip(specimen.arrays, padded_axes, strict=True))
        ]

    def lengths(self, number: int) -> list[int]:
        """The real steps of each row of an input: from all down to one, other ones in the next input."""
        array, axis = self.specimen.arrays[number], self.axes[number]
        steps = array.shape[axis]
        return [steps - (row + number) % steps for row in range(len(array))]

    def _keep(self, array: np.ndarray, axis: int, number: int, empty: bool) -> np.ndarray:
        """True where a step is real."""
        real = np.zeros(array.shape[: axis + 1], bool)
        for row, length in enumerate(self.lengths(number)):
            real[row, ..., :length] = True
        real[0] = real[0] & (not empty)
        return real

    def filled(self) -> list[np.ndarray]:
        """The arrays with something else in the padding at each call."""
        found = []
        for array, keep in zip(self.specimen.arrays, self.keep, strict=True):
            if keep is None:
                found.append(array)
                continue
            floats = array.dtype.kind == "f"
            other = self.random.normal(0, 50, array.shape) if floats else self.random.permuted(array, axis=None)
            real = keep.reshape(keep.shape + (1,) * (array.ndim - keep.ndim))
            found.append(np.where(real, array, other).astype(array.dtype))
        return found

    def masked(self, arrays: Sequence[np.ndarray]) -> Any:
        """The arrays with their masks, in the structure of the inputs."""
        pairs = zip(arrays, self.keep, strict=True)
        return self.specimen.pack([a if keep is None else Attach(keep)(a) for a, keep in pairs])


def check_mask(specimen: Specimen, padded_axes: Sequence[int | None]) -> None:
    """What stands in padded steps, and how many there are, changes nothing at the others."""
    if all(axis is None for axis in padded_axes):
        return
    layer, padded = moved(specimen.built()), Padded(specimen, padded_axes)
    before = layer.get_weights()
    for training in (False, True):
        found = []
        for arrays in (padded.filled(), padded.filled()):
            layer.set_weights(before)
            said = specimen.call(reseed(layer), padded.masked(arrays), training=training)
            kept = _kept_masks(specimen, padded, said)
            found.append((_real(said, kept), layer.get_weights()))
        specimen.expect_same(
            found[0][0],
            found[1][0],
            f"What stands in padded steps changes the answer at the others, with training={training}. "
            "Take `mask=None` in `call`, and keep padding out of every sum, mean, maximum, "
            "convolution and attention.",
        )
        specimen.expect_same(
            found[0][1],
            found[1][1],
            "What stands in padded steps changes the statistics that are kept in training. Pass "
            "`mask` on to BatchNormalization.",
        )
    layer.set_weights(before)
    _check_alone(specimen, padded, layer)
    _check_empty(specimen, padded_axes, layer)


def _kept_masks(specimen: Specimen, padded: Padded, said: Any) -> list[np.ndarray | None]:
    """The mask of each answer; a layer that keeps the padded axis must send one on."""
    masks: list[np.ndarray | None] = []
    axis = next(axis for axis in padded.axes if axis is not None)
    steps = next(array.shape[axis] for array, a in zip(specimen.arrays, padded.axes, strict=True) if a is not None)
    for tensor in keras.tree.flatten(said):
        reader = Read()
        reader(tensor)
        mask = None if reader.found is None else np.asarray(keras.ops.convert_to_numpy(reader.found)).astype(bool)
        keeps = len(tensor.shape) > axis + 1 and tensor.shape[axis] == steps
        specimen.expect(
            mask is not None or not keeps,
            "It keeps the padded axis but not the mask, so the next layer takes padding for data. Set "
            "self.supports_masking = True in the constructor.",
        )
        first = next(keep for keep in padded.keep if keep is not None)
        specimen.expect(
            mask is None or mask.shape != first.shape or (mask == first).all(),
            "The mask that goes on is not the one that came. Return it from `compute_mask`.",
        )
        masks.append(mask)
    return masks


def _real(said: Any, masks: Sequence[np.ndarray | None]) -> list[np.ndarray]:
    """Of each answer what its mask says is real; all of it where there is no mask."""
    return [one if mask is None else one[mask] for one, mask in zip(numbers(said), masks, strict=True)]


def _check_alone(specimen: Specimen, padded: Padded, layer: Any) -> None:
    """A row with padding is answered as the same row without, where any length is allowed."""
    pairs = list(zip(padded.axes, specimen.axes, strict=True))
    if not all(axis is None or axis in dynamic for axis, dynamic in pairs):
        return
    said = specimen.call(layer, padded.masked(padded.filled()), training=False)
    masks = _kept_masks(specimen, padded, said)
    for row in range(min(3, len(specimen.arrays[0]))):
        short = []
        for number, (array, axis) in enumerate(zip(specimen.arrays, padded.axes, strict=True)):
            one = array[row : row + 1]
            short.append(one if axis is None else np.take(one, range(padded.lengths(number)[row]), axis))
        alone = numbers(specimen.call(layer, specimen.pack(short), training=False))
        here = [one[row] if m is None else one[row][m[row]] for one, m in zip(numbers(said), masks, strict=True)]
        there = [
            one[0] if m is None else one[0].reshape(-1, *one.shape[m.ndim :])
            for one, m in zip(alone, masks, strict=True)
        ]
        specimen.expect_same(
            here,
            there,
            "A sequence with padding is not answered as the same sequence without. Count "
            "real steps alone in means, and begin positions at the first of "
            "them.",
        )


def _check_empty(specimen: Specimen, padded_axes: Sequence[int | None], layer: Any) -> None:
    """A row that is all padding breaks nothing, forward or backward."""
    padded = Padded(specimen, padded_axes, empty=True)
    inputs = padded.filled()

    def loss() -> Any:
        answers = keras.tree.flatten(specimen.call(layer, padded.masked(inputs), training=True))
        return sum(keras.ops.sum(keras.ops.square(keras.ops.cast(one, "float32"))) for one in answers)

    said = specimen.call(layer, padded.masked(inputs), training=False)
    weights = layer.trainable_weights
    found = [one for one in gradients(loss, weights) if one is not None] if weights else []
    specimen.expect(
        finite(said) and all(np.isfinite(one).all() for one in found),
        "A row that is all padding gives an answer or a gradient that is not finite. Divide by the count "
        "of real steps, but at least by 1.",
    )
