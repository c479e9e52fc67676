"""Recurrent layers one upon another, as quick as the device allows."""

import keras
from keras import ops

from tfkit.layers import recurrence
from tfkit.layers.dropout import Dropout

KINDS = {"lstm": (keras.layers.LSTM, recurrence.LSTM), "gru": (keras.layers.GRU, recurrence.GRU)}


@keras.saving.register_keras_serializable(package="tfkit")
class LSTMStack(keras.layers.Layer):
    """Read a series step by step with LSTMs or GRUs: the numbers of Keras' own layers, in less time.

    Each layer reads the states of the one below; forget gates begin at a bias of 1, recurrent kernels are orthogonal
    (Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735; Jozefowicz et al. 2015,
    https://proceedings.mlr.press/v37/jozefowicz15.html; the GRU: Cho et al. 2014, https://arxiv.org/abs/1406.1078, as
    Keras has it). Both dropouts draw one mask for all steps (Gal and Ghahramani 2016,
    https://arxiv.org/abs/1512.05287): of what each layer gives, and of the state that enters the next step.

    A masked step is passed over: the state goes on unchanged, and a direction that reads backwards begins at the last
    true step. As in Keras, a masked step gives the state before it, or zeros where `bidirectional`.

    `implementation="auto"` trains by what is quick on the device at hand: on a CPU a loop of its own, in which one
    product a step serves all gates and the backward pass is written by hand; on a GPU, and on other backends than
    TensorFlow, `keras.layers.LSTM` and `GRU` (cuDNN), unless the recurrence is dropped. It answers by Keras' layers,
    which every format of export knows. `"loop"` is always the own loop: on a CPU it answers quicker too, but cannot
    become ONNX. `"keras"` is always Keras' layers. A model saved with cuDNN's operation runs on a GPU alone.

    Count of weights of a layer and direction: `4 * units * (dim + units + 1)` of an LSTM and
    `3 * units * (dim + units + 2)` of a GRU, `dim` being the width of what it reads. They are those of
    `keras.layers.LSTM` and `GRU`, in their order.

    Args:
        units: Width of the state of each layer, each at least 1, such as `[64, 64]`.
        cell: `"lstm"` or `"gru"`.
        bidirectional: Whether each layer also reads backwards; its output is both states, side by side.
        dropout: Share of each layer's units dropped in training, in `[0, 1)`.
        recurrent_dropout: Share of the state dropped on its way to the next step in training, in `[0, 1)`.
        return_sequences: Whether the last layer gives its state at every step, or at the last true one.
        implementation: `"auto"`, `"loop"` or `"keras"`.

    Input shape:
        `(batch, time, dim)`, with a mask `(batch, time)` or none.

    Output shape:
        `(batch, units[-1])`, or `(batch, time, units[-1])` with the mask kept; twice as wide if bidirectional.

    Raises:
        ValueError: If an argument is outside its range, or Keras' layers are to drop the recurrence.

    Example:
        >>> import numpy as np, tfkit
        >>> layer = tfkit.layers.LSTMStack([64, 32], bidirectional=True)
        >>> tuple(layer(np.zeros((8, 50, 3), "float32")).shape)
        (8, 64)
    """

    def __init__(
        self,
        units,
        *,
        cell="lstm",
        bidirectional=False,
        dropout=0.0,
        recurrent_dropout=0.0,
        return_sequences=False,
        implementation="auto",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not units or any(u < 1 for u in units):
            raise ValueError(f"`units` must name the width of at least one layer, each at least 1. Received: {units!r}")
        if cell not in KINDS:
            raise ValueError(f"`cell` must be 'lstm' or 'gru'. Received: {cell!r}")
        for name, share in (("dropout", dropout), ("recurrent_dropout", recurrent_dropout)):
            if not 0 <= share < 1:
                raise ValueError(f"`{name}` must be in [0, 1). Received: {share!r}")
        if implementation not in ("auto", "loop", "keras"):
            raise ValueError(f"`implementation` must be 'auto', 'loop' or 'keras'. Received: {implementation!r}")
        if implementation == "keras" and recurrent_dropout:
            raise ValueError(
                "`recurrent_dropout` must be 0 with implementation='keras', which has a mask a gate; "
                f"leave it at 'auto'. Received: recurrent_dropout={recurrent_dropout!r}"
            )
        self.units, self.bidirectional, self.return_sequences = list(units), bidirectional, return_sequences
        self.cell, self.implementation, self.recurrent_dropout = cell, implementation, recurrent_dropout
        self.supports_masking = True
        self.supports_jit = keras.backend.backend() != "tensorflow"  # XLA wants the length of a loop before it begins
        kind, self.loop = KINDS[cell]
        same = {"dtype": self.dtype_policy}
        ways = ["forward", "backward"] if bidirectional else ["forward"]
        self.readers = [
            [kind(width, return_sequences=True, name=f"{way}_{i}", **same) for way in ways]
            for i, width in enumerate(self.units)
        ]
        self.dropouts = [Dropout(dropout, shared_axes=[1], name=f"dropout_{i}", **same) for i in range(len(units))]
        self.masks = Dropout(recurrent_dropout, name="recurrent_dropout", **same)

    def build(self, input_shape):
        for readers in self.readers:
            for reader in readers:
                reader.build(input_shape)
            input_shape = (*input_shape[:-1], len(readers) * readers[0].units)

    def call(self, x, training=False, mask=None):
        lengths = None
        if mask is not None:  # the true steps to the front: the loop then needs no mask
            mask = ops.cast(mask, "bool")
            lengths = ops.sum(ops.cast(mask, "int32"), axis=1)
            steps = ops.arange(ops.shape(mask)[1], dtype="int32")
            x = _take(x, ops.argsort(ops.where(mask, steps, steps + ops.shape(mask)[1])))
            x = ops.where((steps < lengths[:, None])[..., None], x, ops.zeros_like(x))
        for i, (readers, dropout) in enumerate(zip(self.readers, self.dropouts, strict=True)):
            sequence = self.return_sequences or i + 1 < len(self.units)
            ways = [self._read(readers[0], x, lengths, sequence, training)]
            if self.bidirectional:
                y = self._read(readers[1], _reverse(x, lengths), lengths, sequence, training)
                ways.append(_reverse(y, lengths) if sequence else y)
            x = dropout(ops.concatenate(ways, axis=-1) if self.bidirectional else ways[0], training=training)
        if not self.return_sequences:
            return x[:, 0]
        if mask is None:
            return x
        place = ops.cumsum(ops.cast(mask, "int32"), axis=1)
        shown = mask if self.bidirectional else place > 0
        return ops.where(shown[..., None], _take(x, ops.maximum(place - 1, 0)), ops.zeros_like(x))

    def _read(self, reader, x, lengths, sequence, training):
        """States `(batch, time, units)` of a layer in one direction; of the last true step alone unless `sequence`."""
        every = sequence or lengths is not None
        if self._loops(training):
            cell = reader.cell
            weights = [ops.convert_to_tensor(w, x.dtype) for w in (cell.kernel, cell.recurrent_kernel, cell.bias)]
            kept = None
            if self.recurrent_dropout and training:
                kept = self.masks(ops.ones((reader.units, ops.shape(x)[0]), x.dtype), training=True)
            options = {"sequence": every, "training": training, "mask": kept}
            y = recurrence.recur(self.loop, x, self.loop.matrix(*weights), **options)
        else:
            reader.return_sequences = every  # Keras asks the layer, not the call
            y = reader(x, training=training)
            y = y if every else y[:, None]
        if sequence or lengths is None:
            return y
        last = ops.arange(ops.shape(y)[1], dtype="int32") == lengths[:, None] - 1
        return ops.sum(y * ops.cast(last, y.dtype)[..., None], axis=1, keepdims=True)

    def _loops(self, training):
        if self.implementation != "auto":
            return self.implementation == "loop"
        on_cpu = keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")
        return bool(training) and (on_cpu or self.recurrent_dropout > 0)

    def compute_mask(self, inputs, mask=None):
        return mask if self.return_sequences else None

    def compute_output_shape(self, input_shape):
        width = (1 + self.bidirectional) * self.units[-1]
        return (*input_shape[:2], width) if self.return_sequences else (input_shape[0], width)


def _take(x, steps):
    """Of each row of `(batch, time, dim)` the named steps `(batch, time)`."""
    rows, time, dim = ops.shape(x)[0], ops.shape(x)[1], x.shape[-1]
    places = steps + ops.arange(rows, dtype="int32")[:, None] * time
    return ops.take(ops.reshape(x, (-1, dim)), places, axis=0)


def _reverse(x, lengths):
    """`(batch, time, dim)` with the first `lengths` steps of each row from last to first, or all without lengths."""
    if lengths is None:
        return ops.flip(x, axis=1)
    steps, lengths = ops.arange(ops.shape(x)[1], dtype="int32"), lengths[:, None]
    return _take(x, ops.where(steps < lengths, lengths - 1 - steps, steps))
