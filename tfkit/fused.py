"""Steps that XLA has fused: a step of dense layers then takes a third to a half of its time on a CPU.

Most of such a step lies between its matrix products, in batch statistics, masks and the optimizer. Convolutions and
recurrent layers gain nothing, and short trainings lose: XLA takes a second or two to compile.
"""

import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tfkit import philox
from tfkit.data.splits import PARTS

TRAINING = 300_000  # rows that pass in a training; with fewer, compiling takes longer than it saves
BLOCK = 16_384  # rows that are handed over at a time
NUMBERS = 2**22  # of their inputs at most
GOOD = frozenset(
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


def may(model: Any, spread: Any, augment: Any, passing: int) -> bool:
    """Whether it is worth trying: Keras' own step, on one CPU, in a training through which so many rows pass."""
    import keras
    import tensorflow as tf

    own = getattr(model.train_step, "__func__", None) is not keras.Model.train_step
    plain = not own and augment is None and model.built
    return (
        plain
        and spread.strategy is None
        and (model.jit_compile or passing >= TRAINING)
        and not tf.config.list_logical_devices("GPU")
    )


def like(split: Any) -> dict[str, Any]:
    """What a row of the split is made of."""
    import keras
    import tensorflow as tf

    row = _parts(split.take(np.zeros(1, "int32")))
    return keras.tree.map_structure(lambda part: tf.TensorSpec(part.shape[1:], part.dtype), row)


def traced(model: Any, row: Any) -> Any:
    """From a block of such rows, and how many steps of it to do, to logs; None where XLA would not be good at it.

    A block is `(steps, batch, ...)`; XLA compiles for the sizes of the first, which the traced model, as in Keras' own
    `fit`, does not know: by those it would weigh the losses of several outputs otherwise.
    """
    import keras
    import tensorflow as tf

    block = keras.tree.map_structure(lambda part: tf.TensorSpec((None, None, *part.shape), part.dtype), row)

    def run(rows: Any, until: Any) -> Any:
        def body(step: Any) -> Any:
            some = keras.tree.map_structure(lambda part: part[step], rows)
            model.train_step(tuple(some.get(name) for name in PARTS))
            return (step + 1,)

        tf.while_loop(lambda step: step < until, body, (0,), parallel_iterations=1)
        return model.get_metrics_result()

    with philox.drawn():
        made = tf.function(run, autograph=False, jit_compile=True)
        function = made.get_concrete_function(block, tf.TensorSpec((), tf.int32))
    return function if model.jit_compile or _good(function.graph) else None


class Fused:
    """A call from row numbers to logs: whole batches by a traced function, what is left as without it."""

    def __init__(self, function: Any, split: Any, batch: int, rest: Any):
        import tensorflow as tf

        self.function, self.split, self.batch, self.rest = function, split, batch, functools.cache(rest)
        self.size = _steps(like(split), batch) * batch
        function(self._block(np.zeros(0, "int32")), tf.constant(0))  # XLA compiles at the first call: of no steps

    def __call__(self, numbers: Any, seen: Any) -> Any:
        numbers = np.asarray(numbers)
        whole = len(numbers) // self.batch * self.batch
        logs = {}
        if whole:
            for rows, steps in self._blocks(numbers[:whole]):
                logs = self.function(rows, steps)
        return self.rest()(numbers[whole:], seen + whole) if whole < len(numbers) else logs

    def _blocks(self, numbers: Any) -> Iterator[tuple[Any, Any]]:
        """Blocks of one size, each made while the one before is computed, and how many steps of it count."""
        import tensorflow as tf

        blocks = [numbers[start : start + self.size] for start in range(0, len(numbers), self.size)]
        with ThreadPoolExecutor(1) as ahead:
            made = ahead.submit(self._block, blocks[0])
            for block, following in zip(blocks, [*blocks[1:], None], strict=True):
                rows = made.result()
                if following is not None:
                    made = ahead.submit(self._block, following)
                yield rows, tf.constant(len(block) // self.batch)

    def _block(self, numbers: Any) -> Any:
        import keras
        import tensorflow as tf

        some: np.ndarray = np.zeros(self.size, "int32")
        some[: len(numbers)] = numbers
        rows = _parts(self.split.take(some))
        return keras.tree.map_structure(lambda part: tf.reshape(part, (-1, self.batch, *part.shape[1:])), rows)


def _steps(row: Any, batch: int) -> int:
    """How many steps a block has."""
    import keras

    numbers = sum(int(np.prod(part.shape)) for part in keras.tree.flatten(row))
    return max(1, min(BLOCK, NUMBERS // max(numbers, 1)) // batch)


def _parts(row: Any) -> dict[str, Any]:
    return {name: part for name, part in zip(PARTS, row, strict=True) if part is not None}


def _good(graph: Any) -> bool:
    """Whether a graph has nothing but one loop of what XLA is good at."""
    library = graph.as_graph_def().library.function
    kinds = [node.op for nodes in (graph.as_graph_def().node, *(one.node_def for one in library)) for node in nodes]
    loops = [kind for kind in kinds if kind.endswith("While")]
    return len(loops) == 1 and set(kinds) - set(loops) <= GOOD
