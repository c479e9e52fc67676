"""Training steps fused by XLA, which cuts the step time of dense models on a CPU to a third or a half.

Most of such a step is spent between its matrix products: batch statistics, random masks and the optimizer. Convolutions
and recurrent layers gain nothing, and short trainings lose, because XLA takes one or two seconds to compile. The
environment variable `TFKIT_FUSE_STEPS=0` or `tfkit.fit(..., fuse_steps=False)` switches fused steps off.
"""

import functools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tfkit.datasets.array import SPLIT_FIELDS
from tfkit.training.xla import philox_random

MIN_TRAINING_ROWS = 300_000  # rows of all epochs together; with fewer, compiling takes longer than it saves

CHUNK_ROWS = 16_384  # rows passed to XLA in one call

MAX_CHUNK_VALUES = 2**22  # input values in one call

XLA_FRIENDLY_OPS = frozenset(
    """
    Abs AddN AddV2 All Any ArgMax AssignAddVariableOp AssignSubVariableOp AssignVariableOp BatchMatMulV2 BiasAdd
    BiasAddGrad Bitcast BitwiseAnd BitwiseOr BitwiseXor BroadcastGradientArgs BroadcastTo Cast Ceil ConcatOffset
    ConcatV2 Const Cos DivNoNan DynamicStitch Einsum Elu EluGrad Equal Erf Erfc Exp ExpandDims Expm1 Fill Floor
    FloorDiv FloorMod GatherV2 Greater GreaterEqual Identity IdentityN InvertPermutation IsFinite IsInf IsNan
    L2Loss LeakyRelu LeakyReluGrad LeftShift Less LessEqual Log Log1p LogicalAnd LogicalNot LogicalOr LogSoftmax
    MatMul Max Maximum Mean Min Minimum Mul Neg NoOp NotEqual OneHot OnesLike Pack Pad PadV2 PartitionedCall
    Placeholder Pow PreventGradient Prod Range Rank ReadVariableOp RealDiv Reciprocal Relu Relu6 Relu6Grad
    ReluGrad Reshape RightShift Round Rsqrt RsqrtGrad Select SelectV2 Selu SeluGrad Shape ShapeN Sigmoid
    SigmoidGrad Sign Sin Size Slice Softmax SoftmaxCrossEntropyWithLogits Softplus SoftplusGrad Softsign
    SoftsignGrad SparseSoftmaxCrossEntropyWithLogits Split SplitV Sqrt SqrtGrad Square SquaredDifference Squeeze
    StatefulPartitionedCall StatelessRandomUniformFullIntV2 StopGradient StridedSlice StridedSliceGrad Sub Sum
    Tanh TanhGrad Tile Transpose Unpack UnsortedSegmentSum Xdivy Xlogy ZerosLike
""".split()
)


def is_enabled(fuse_steps: bool | None = None) -> bool:
    """Return whether fusing is enabled.

    Args:
        fuse_steps: The argument of `tfkit.fit`; None: enabled unless TFKIT_FUSE_STEPS=0 is set.
    """
    if fuse_steps is not None:
        return fuse_steps
    return os.environ.get("TFKIT_FUSE_STEPS", "1") != "0"


def can_fuse(model: Any, context: Any, augment: Any, total_rows: int, fuse_steps: bool | None = None) -> bool:
    """Return whether fusing is worth a try: Keras' own step, one CPU, a long training.

    Args:
        model: A compiled Keras model.
        context: The `ReplicaContext` of the training.
        augment: The augmentation function, or None.
        total_rows: Rows that the whole training processes.
        fuse_steps: See `tfkit.fit`.
    """
    import keras
    import tensorflow as tf

    has_custom_step = getattr(model.train_step, "__func__", None) is not keras.Model.train_step
    return (
        is_enabled(fuse_steps)
        and not has_custom_step
        and augment is None
        and model.built
        and context.strategy is None
        and (model.jit_compile or total_rows >= MIN_TRAINING_ROWS)
        and not tf.config.list_logical_devices("GPU")
    )


def compile_single_step(step: Callable[[Any], Any], with_cpu_random: bool) -> Callable[[Any], Any]:
    """Compile one step with XLA.

    Args:
        step: `data -> logs`.
        with_cpu_random: Whether its random numbers are those of TensorFlow's CPU kernels; else those of XLA.
    """
    import tensorflow as tf

    traced_step = philox_random.replace_random_ops()(step) if with_cpu_random else step
    return tf.function(traced_step, jit_compile=True, reduce_retracing=True, autograph=False)


def row_spec(dataset: Any) -> dict[str, Any]:
    """Return the shapes and types of one row: inputs, target and weight."""
    import keras
    import tensorflow as tf

    row = _present_arrays(dataset.take(np.zeros(1, "int32")))
    return keras.tree.map_structure(lambda array: tf.TensorSpec(array.shape[1:], array.dtype), row)


def trace_step(model: Any, row: dict[str, Any]) -> Any:
    """Trace a function `(chunk, num_steps) -> logs`; None where XLA would not gain.

    A chunk has the shape `(steps, batch, ...)`. XLA compiles for the sizes of the first chunk. The traced model, as in
    Keras' own `fit`, does not know them: with known sizes it would weight the losses of several outputs differently.
    """
    import keras
    import tensorflow as tf

    chunk_spec = keras.tree.map_structure(lambda spec: tf.TensorSpec((None, None, *spec.shape), spec.dtype), row)

    def run_steps(chunk: Any, num_steps: Any) -> Any:
        def body(step: Any) -> Any:
            batch = keras.tree.map_structure(lambda array: array[step], chunk)
            model.train_step(tuple(batch.get(name) for name in SPLIT_FIELDS))
            return (step + 1,)

        tf.while_loop(lambda step: step < num_steps, body, (0,), parallel_iterations=1)
        return model.get_metrics_result()

    with philox_random.replace_random_ops():
        compiled = tf.function(run_steps, autograph=False, jit_compile=True)
        function = compiled.get_concrete_function(chunk_spec, tf.TensorSpec((), tf.int32))
    return function if model.jit_compile or _is_xla_friendly(function.graph) else None


class Fused:
    """Train on row indices: full batches by a fused function, the last batch unfused.

    An instance is a function `(indices, rows_seen) -> logs`, as `compile_steps` returns.

    Args:
        function: The traced function of `trace_step`.
        dataset: The training rows.
        batch_size: Rows of a step.
        compile_unfused: Returns the unfused function, which runs the last, smaller batch of an epoch.
    """

    def __init__(self, function: Any, dataset: Any, batch_size: int, compile_unfused: Callable[[], Any]):
        import tensorflow as tf

        self.function, self.dataset, self.batch_size = function, dataset, batch_size
        self.unfused = functools.cache(compile_unfused)
        self.chunk_rows = _steps_per_chunk(row_spec(dataset), batch_size) * batch_size
        function(self._make_chunk(np.zeros(0, "int32")), tf.constant(0))  # XLA compiles in this call of no steps

    def __call__(self, indices: Any, rows_seen: Any) -> Any:
        indices = np.asarray(indices)
        fused_rows = len(indices) // self.batch_size * self.batch_size
        logs = {}
        if fused_rows:
            for chunk, num_steps in self._chunks(indices[:fused_rows]):
                logs = self.function(chunk, num_steps)
        return self.unfused()(indices[fused_rows:], rows_seen + fused_rows) if fused_rows < len(indices) else logs

    def _chunks(self, indices: np.ndarray) -> Iterator[tuple[Any, Any]]:
        """Yield equal-sized chunks and their step counts; a thread prepares the next."""
        import tensorflow as tf

        parts = [indices[start : start + self.chunk_rows] for start in range(0, len(indices), self.chunk_rows)]
        with ThreadPoolExecutor(1) as executor:
            future = executor.submit(self._make_chunk, parts[0])
            for part, next_part in zip(parts, [*parts[1:], None], strict=True):
                chunk = future.result()
                if next_part is not None:
                    future = executor.submit(self._make_chunk, next_part)
                yield chunk, tf.constant(len(part) // self.batch_size)

    def _make_chunk(self, indices: np.ndarray) -> Any:
        """Gather rows as `(steps, batch, ...)`, filled up to `chunk_rows` with row 0."""
        import keras
        import tensorflow as tf

        padded: np.ndarray = np.zeros(self.chunk_rows, "int32")
        padded[: len(indices)] = indices
        rows = _present_arrays(self.dataset.take(padded))
        return keras.tree.map_structure(lambda array: tf.reshape(array, (-1, self.batch_size, *array.shape[1:])), rows)


def _steps_per_chunk(row: dict[str, Any], batch_size: int) -> int:
    """Return how many steps a chunk has, at least 1."""
    import keras

    values_per_row = sum(int(np.prod(spec.shape)) for spec in keras.tree.flatten(row))
    return max(1, min(CHUNK_ROWS, MAX_CHUNK_VALUES // max(values_per_row, 1)) // batch_size)


def _present_arrays(row: Any) -> dict[str, Any]:
    """Name inputs, target and weight, without those that are None."""
    return {name: array for name, array in zip(SPLIT_FIELDS, row, strict=True) if array is not None}


def _is_xla_friendly(graph: Any) -> bool:
    """Return whether a graph is one loop of operations that XLA runs fast."""
    graph_def = graph.as_graph_def()
    node_lists = (graph_def.node, *(function.node_def for function in graph_def.library.function))
    ops = [node.op for nodes in node_lists for node in nodes]
    loops = [op for op in ops if op.endswith("While")]
    return len(loops) == 1 and set(ops) - set(loops) <= XLA_FRIENDLY_OPS
