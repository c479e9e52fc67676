"""Stacked LSTM or GRU layers with a fast training loop."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import ops

from tfkit.layers.dropout import FastDropout
from tfkit.layers.layer import Layer, check_widths
from tfkit.layers.recurrent import rnn_kernels

KINDS = {"lstm": (keras.layers.LSTM, rnn_kernels.LSTM), "gru": (keras.layers.GRU, rnn_kernels.GRU)}


@keras.saving.register_keras_serializable(package="tfkit")
class RNNStack(Layer):
    """Stacked LSTM or GRU layers: same results as Keras, faster training.

    Each layer reads the states of the layer below; forget gates are initialized with a bias of 1, recurrent kernels are
    orthogonal (Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735; Jozefowicz et al. 2015,
    https://proceedings.mlr.press/v37/jozefowicz15.html; the GRU: Cho et al. 2014, https://arxiv.org/abs/1406.1078, in
    the variant of Keras). Both dropouts use one mask for all steps (Gal and Ghahramani 2016,
    https://arxiv.org/abs/1512.05287): one for the output of each layer, one for the state that enters the next step.

    A masked step is skipped: the state does not change, and the backward direction starts at the last unmasked step. As
    in Keras, the output at a masked step is the state before it, or zeros if `bidirectional`.

    `implementation="auto"` trains with the fastest implementation for the device: on a CPU a custom loop, in which one
    product per step computes all gates and the backward pass is hand-written; on a GPU, and on backends other than
    TensorFlow, `keras.layers.LSTM` and `GRU` (cuDNN), unless `recurrent_dropout` is used. For inference it uses the
    Keras layers, which every export format supports. `"loop"` always uses the custom loop: on a CPU its inference is
    faster too, but it cannot be exported to ONNX. `"keras"` always uses the Keras layers. A model saved with the cuDNN
    operation runs only on a GPU.

    Number of weights per layer and direction: `4 * units * (dim + units + 1)` for an LSTM and `3 * units * (dim + units
    + 2)` for a GRU, where `dim` is the width of its input. The weights are those of `keras.layers.LSTM` and `GRU`, in
    their order.

    Args:
        units: Width of the state of each layer, each at least 1, such as `[64, 64]`.
        cell: `"lstm"` or `"gru"`.
        bidirectional: Whether each layer also runs backward in time; its output is both states, concatenated.
        dropout: Fraction of the units of each layer dropped in training, in `[0, 1)`.
        recurrent_dropout: Fraction of the state dropped between steps in training, in `[0, 1)`.
        return_sequences: Whether the last layer returns its state at every step, or only at the last unmasked step.
        implementation: `"auto"`, `"loop"` or `"keras"`.

    Input shape:
        `(batch, time, dim)`, with a mask `(batch, time)` or none.

    Output shape:
        `(batch, units[-1])`, or `(batch, time, units[-1])` with the mask passed on; twice as wide if bidirectional.

    Raises:
        ValueError: If an argument is outside its range, or `recurrent_dropout` is used with
            `implementation="keras"`.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.RNNStack([64, 32], bidirectional=True)
        >>> tuple(layer(np.zeros((8, 50, 3), "float32")).shape)
        (8, 64)
    """

    def __init__(
        self,
        units: Sequence[int],
        *,
        cell: Literal["lstm", "gru"] = "lstm",
        bidirectional: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        implementation: Literal["auto", "loop", "keras"] = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_widths("units", units)
        if cell not in KINDS:
            raise ValueError(f"`cell` must be 'lstm' or 'gru'. Received: {cell!r}")
        for name, rate in (("dropout", dropout), ("recurrent_dropout", recurrent_dropout)):
            if not 0 <= rate < 1:
                raise ValueError(f"`{name}` must be in [0, 1). Received: {rate!r}")
        if implementation not in ("auto", "loop", "keras"):
            raise ValueError(f"`implementation` must be 'auto', 'loop' or 'keras'. Received: {implementation!r}")
        if implementation == "keras" and recurrent_dropout:
            raise ValueError(
                "`recurrent_dropout` must be 0 with implementation='keras', which uses one mask per gate; "
                f"use implementation='auto'. Received: recurrent_dropout={recurrent_dropout!r}"
            )
        self.units, self.bidirectional, self.return_sequences = list(units), bidirectional, return_sequences
        self.cell, self.implementation, self.recurrent_dropout = cell, implementation, recurrent_dropout
        self.supports_masking = True
        self.supports_jit = keras.backend.backend() != "tensorflow"  # XLA needs the length of a loop at compile time
        layer_class, self.loop = KINDS[cell]
        policy = {"dtype": self.dtype_policy}
        directions = ["forward", "backward"] if bidirectional else ["forward"]
        self.readers = [
            [
                layer_class(width, return_sequences=True, name=f"{direction}_{index}", **policy)
                for direction in directions
            ]
            for index, width in enumerate(self.units)
        ]
        self.dropouts = [
            FastDropout(dropout, shared_axes=[1], name=f"dropout_{index}", **policy) for index in range(len(units))
        ]
        self.masks = FastDropout(recurrent_dropout, name="recurrent_dropout", **policy)

    def build(self, input_shape):
        for readers in self.readers:
            for reader in readers:
                reader.build(input_shape)
            input_shape = (*input_shape[:-1], len(readers) * readers[0].units)

    def call(self, x, training=False, mask=None):
        lengths = None
        if mask is not None:  # unmasked steps to the front: the loop then needs no mask
            mask = ops.cast(mask, "bool")
            lengths = ops.sum(ops.cast(mask, "int32"), axis=1)
            steps = ops.arange(ops.shape(mask)[1], dtype="int32")
            x = _gather_steps(x, ops.argsort(ops.where(mask, steps, steps + ops.shape(mask)[1])))
            x = ops.where((steps < lengths[:, None])[..., None], x, ops.zeros_like(x))
        for index, (readers, dropout) in enumerate(zip(self.readers, self.dropouts, strict=True)):
            sequence = self.return_sequences or index + 1 < len(self.units)
            outputs = [self._run(readers[0], x, lengths, sequence, training)]
            if self.bidirectional:
                y = self._run(readers[1], _reverse(x, lengths), lengths, sequence, training)
                outputs.append(_reverse(y, lengths) if sequence else y)
            x = dropout(ops.concatenate(outputs, axis=-1) if self.bidirectional else outputs[0], training=training)
        if not self.return_sequences:
            return x[:, 0]
        if mask is None:
            return x
        position = ops.cumsum(ops.cast(mask, "int32"), axis=1)
        has_state = mask if self.bidirectional else position > 0
        return ops.where(has_state[..., None], _gather_steps(x, ops.maximum(position - 1, 0)), ops.zeros_like(x))

    def _run(self, reader, x, lengths, sequence, training):
        """Return the states `(batch, time, units)` of one layer in one direction.

        Without `sequence`, only the state of the last unmasked step, `(batch, 1, units)`.
        """
        return_all = sequence or lengths is not None
        if self._uses_loop(training):
            cell = reader.cell
            weights = [
                ops.convert_to_tensor(weight, x.dtype) for weight in (cell.kernel, cell.recurrent_kernel, cell.bias)
            ]
            dropout_mask = None
            if self.recurrent_dropout and training:
                dropout_mask = self.masks(ops.ones((reader.units, ops.shape(x)[0]), x.dtype), training=True)
            options = {"sequence": return_all, "training": training, "mask": dropout_mask}
            y = rnn_kernels.run_cell(self.loop, x, self.loop.matrix(*weights), **options)
        else:
            reader.return_sequences = return_all  # Keras reads the attribute; `call` has no such argument
            y = reader(x, training=training)
            y = y if return_all else y[:, None]
        if sequence or lengths is None:
            return y
        last = ops.arange(ops.shape(y)[1], dtype="int32") == lengths[:, None] - 1
        return ops.sum(y * ops.cast(last, y.dtype)[..., None], axis=1, keepdims=True)

    def _uses_loop(self, training):
        if self.implementation != "auto":
            return self.implementation == "loop"
        on_cpu = keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")
        return bool(training) and (on_cpu or self.recurrent_dropout > 0)

    def compute_mask(self, inputs, mask=None):
        return mask if self.return_sequences else None

    def compute_output_shape(self, input_shape):
        width = (1 + self.bidirectional) * self.units[-1]
        return (*input_shape[:2], width) if self.return_sequences else (input_shape[0], width)


def _gather_steps(x, steps):
    """Select steps `(batch, time)` of each row of `(batch, time, dim)`."""
    rows, time, dim = ops.shape(x)[0], ops.shape(x)[1], x.shape[-1]
    flat_indices = steps + ops.arange(rows, dtype="int32")[:, None] * time
    return ops.take(ops.reshape(x, (-1, dim)), flat_indices, axis=0)


def _reverse(x, lengths):
    """Reverse the first `lengths` steps of each row of `(batch, time, dim)`.

    Without lengths, all steps are reversed.
    """
    if lengths is None:
        return ops.flip(x, axis=1)
    steps, lengths = ops.arange(ops.shape(x)[1], dtype="int32"), lengths[:, None]
    return _gather_steps(x, ops.where(steps < lengths, lengths - 1 - steps, steps))
