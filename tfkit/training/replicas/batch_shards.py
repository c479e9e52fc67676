"""Rows of a batch, split evenly over replicas, with outputs and gradients of the complete batch."""

import functools
from collections.abc import Callable
from typing import Any, NoReturn

from tfkit.errors import UserError


def _raise_user_error(message: str) -> NoReturn:
    raise UserError(message)


class BatchShards:
    """The rows of a batch, split evenly over the replicas.

    The order of the rows is kept: of two replicas the first has the first half.
    With fewer rows than replicas, some replicas compute a row of another replica, which counts as 0: not every
    operation accepts a batch without rows.

    Args:
        strategy: A `tf.distribute` strategy with several replicas.
        rows: Number of rows in the batch, a scalar tensor.
        raise_error: Called with the message of an error.
    """

    def __init__(self, strategy: Any, rows: Any, raise_error: Callable[[str], NoReturn] = _raise_user_error):
        self.strategy, self.rows, self.raise_error = strategy, rows, raise_error
        count = strategy.num_replicas_in_sync
        self.bounds = [rows * index // count for index in range(count + 1)]

    def run(self, call: Callable[..., Any], tensors: list[Any], weights: list[Any], with_input_gradients: bool) -> Any:
        """Call a model on the shards and return its outputs for the whole batch.

        The outputs are differentiable in the weights.

        Args:
            call: `(*shard tensors) -> outputs`, run on each replica.
            tensors: Tensors of the whole batch, `(rows, ...)`.
            weights: Trainable weights of the model.
            with_input_gradients: Whether gradients also flow to the tensors.
        """
        import keras
        import tensorflow as tf

        records: dict[int, Any] = {}  # replica -> tape, shard and outputs of its forward pass
        structure: Any = None  # of the outputs
        has_gradient: list[bool] = []  # of each input and weight

        def forward() -> list[Any]:
            nonlocal structure
            shard = [self.shard(tensor) for tensor in tensors]
            with tf.GradientTape() as tape:
                tape.watch([tensor for tensor in shard if with_input_gradients and tensor.dtype.is_floating])
                structure = call(*shard)
            outputs = keras.tree.flatten(structure)
            records[replica_id()] = tape, shard, outputs
            masks = [output._keras_mask for output in outputs if getattr(output, "_keras_mask", None) is not None]
            return [self._pad_to_batch(tensor) for tensor in (*outputs, *masks)]

        def backward(output_gradients: list[Any]) -> list[Any]:
            nonlocal has_gradient
            tape, shard, outputs = records[replica_id()]
            inputs = shard if with_input_gradients else []
            shard_gradients = [self.shard(gradient) * self.has_rows(gradient.dtype) for gradient in output_gradients]
            gradients = tape.gradient(outputs, [*inputs, *weights], shard_gradients)
            has_gradient = [gradient is not None for gradient in gradients]
            gradients[: len(inputs)] = [
                gradient if gradient is None else self._pad_to_batch(gradient) for gradient in gradients[: len(inputs)]
            ]
            return [gradient for gradient in gradients if gradient is not None]

        @tf.custom_gradient
        def run_shards(*variables: Any) -> Any:
            def compute_gradients(*upstream: Any) -> Any:
                output_gradients = list(upstream[: len(keras.tree.flatten(structure))])
                if with_input_gradients:
                    compute = functools.partial(self._sum_over_replicas, backward, output_gradients)
                    sums = iter(_without_second_derivative(compute, *output_gradients, *variables))
                    return [next(sums) if exists else None for exists in has_gradient]
                sums = iter(self._sum_over_replicas(backward, output_gradients))
                return [None] * len(tensors) + [next(sums) if exists else None for exists in has_gradient]

            return self._sum_over_replicas(forward), compute_gradients

        results = run_shards(*tensors, *map(tf.convert_to_tensor, weights))
        shard_outputs = keras.tree.flatten(structure)
        outputs, masks = results[: len(shard_outputs)], iter(results[len(shard_outputs) :])
        for output, shard_output in zip(outputs, shard_outputs, strict=True):
            if getattr(shard_output, "_keras_mask", None) is not None:
                output._keras_mask = tf.cast(next(masks), shard_output._keras_mask.dtype)
        return keras.tree.pack_sequence_as(structure, outputs)

    def _sum_over_replicas(self, function: Callable[..., list[Any]], *arguments: Any) -> list[Any]:
        """Run a function on every replica and return the sums of its results."""
        import tensorflow as tf

        @tf.autograph.experimental.do_not_convert
        def run_and_reduce(*arguments: Any) -> Any:
            return _all_reduce(function(*arguments))

        sums = self.strategy.run(run_and_reduce, arguments)
        return [self.strategy.experimental_local_results(value)[0] for value in sums]

    def shard(self, tensor: Any) -> Any:
        """Return the rows of this replica, at least one."""
        import tensorflow as tf

        begin, end = self.bounds[replica_id()], self.bounds[replica_id() + 1]
        return tensor[begin : tf.maximum(end, begin + 1)]

    def has_rows(self, dtype: Any) -> Any:
        """Return 1 on a replica that has rows, else 0."""
        import tensorflow as tf

        return tf.cast(self.bounds[replica_id()] < self.bounds[replica_id() + 1], dtype)

    def _pad_to_batch(self, tensor: Any) -> Any:
        """Place the rows of this replica in the whole batch, with zeros in all other rows."""
        import tensorflow as tf

        if not tensor.shape.rank:
            self.raise_error(
                "On several replicas a model must return an output for each row: the first axis of its outputs is the "
                "batch axis. Train with --device cpu or gpu. Received: a scalar"
            )
        tensor = tf.cast(tensor, "int32") if tensor.dtype == tf.bool else tensor
        begin, end = self.bounds[replica_id()], self.bounds[replica_id() + 1]
        return tf.pad(tensor[: end - begin], [[begin, self.rows - end]] + [[0, 0]] * (tensor.shape.rank - 1))


def _without_second_derivative(compute: Callable[[], list[Any]], *variables: Any) -> Any:
    """Return what `compute` returns; differentiating it in the variables raises."""
    import tensorflow as tf

    def raise_error(*upstream: Any) -> Any:
        raise UserError(
            "On several replicas `train_step` must not compute second derivatives, such as a gradient penalty. Train "
            "with --device cpu or gpu"
        )

    @tf.custom_gradient
    def run(*variables: Any) -> Any:
        return [tf.convert_to_tensor(value) for value in compute()], raise_error

    return run(*variables)


def all_reduce_sum(*tensors: Any) -> Any:
    """Sum each tensor over all replicas, differentiably; called on a replica."""
    import tensorflow as tf

    @tf.custom_gradient
    def add(*tensors: Any) -> Any:
        # the built-in gradient of all_reduce uses the replica context of the forward pass, which has ended by then
        return _all_reduce(tensors), lambda *gradients: _all_reduce(gradients)

    return add(*tensors)


def _all_reduce(tensors: Any) -> Any:
    import tensorflow as tf

    return tf.distribute.get_replica_context().all_reduce("SUM", list(tensors))


def replica_id() -> int:
    """Return the index of the current replica, among those of all workers."""
    import tensorflow as tf

    return int(tf.distribute.get_replica_context()._replica_id_in_sync_group)
