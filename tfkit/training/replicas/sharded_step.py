"""Training steps over replicas, with the results of one device or with Keras' own behavior."""

import functools
from collections.abc import Callable
from typing import Any, NoReturn

from tfkit.errors import UserError

SEED_OFFSET = 0x9E3779B1  # between the random states of neighboring replicas, so that their random masks differ


class InParts:
    """Run a step in which every call of a model is sharded over the replicas.

    While the step is traced, `call` of each model, the moments of batch normalization and `build` of each optimizer
    are replaced on the instances. The rest of the step, such as loss, metrics and optimizer, runs once on the whole
    batch.

    Args:
        model: The model that is trained.
        strategy: A `tf.distribute` strategy with several replicas.
        step: `data -> logs`, such as `model.train_step`.
        scope: `tfkit.training.replicas.scope.scope`, under which optimizers are built.
    """

    def __init__(self, model: Any, strategy: Any, step: Callable[[Any], Any], scope: Callable[[Any], Any]):
        import keras

        self.strategy, self.step, self.scope = strategy, step, scope
        self.has_custom_step = type(model).train_step is not keras.Model.train_step
        layers = list(model._flatten_layers())
        self.models = [layer for layer in layers if isinstance(layer, keras.Model)]
        self.norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
        attributes = vars(model).values()
        self.optimizers = [value for value in attributes if isinstance(value, keras.optimizers.Optimizer)]
        self.seeds = [v._value for v in model.non_trainable_variables if "seed_generator_state" in v.path]
        self.shards: BatchShards | None = None  # of the model call that is being traced
        self.error: UserError | None = None

    def __call__(self, data: Any) -> Any:
        """Trace the step on a batch and return its logs."""
        replacements = [(model, "call", self._sharded_call(model, model.call)) for model in self.models]
        replacements += [(norm, "_moments", self._synchronized_moments(norm, norm._moments)) for norm in self.norms]
        replacements += [
            (optimizer, "build", self._build_in_scope(optimizer.build))
            for optimizer in self.optimizers
            if not optimizer.built
        ]
        for instance, name, function in replacements:
            object.__setattr__(instance, name, function)
        try:
            logs = self.step(data)
        except Exception:
            if self.error is not None:  # without the text that Keras adds to its message
                raise self.error from None
            raise
        finally:
            for instance, name, _ in replacements:
                object.__delattr__(instance, name)
        if self.shards is None:
            raise UserError(
                "On several replicas `train_step` must call a keras.Model on the batch, because the replicas share its "
                "rows. Train with --device cpu or gpu. "
                f"Received: {type(self.models[0]).__name__}.train_step, which calls no model"
            )
        return logs

    def _synchronized_moments(self, norm: Any, local_moments: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that computes batch moments over the rows of all replicas.

        Keras' synchronized moments lose digits and ignore the mask.
        """
        import tensorflow as tf

        def moments(x: Any, mask: Any) -> Any:
            if not tf.distribute.has_strategy():
                return local_moments(x, mask)
            axes = norm._reduction_axes
            if mask is None:
                is_valid = tf.ones_like(x)
            else:
                is_valid = tf.broadcast_to(tf.cast(mask, x.dtype)[..., None], tf.shape(x))
            is_valid *= self.shards.has_rows(x.dtype)  # type: ignore[union-attr]  # set by the call that is traced
            total, count = _all_reduce_sum(tf.reduce_sum(is_valid * x, axes), tf.reduce_sum(is_valid, axes))
            mean = tf.math.divide_no_nan(total, count)
            shape = [1 if axis in axes else -1 for axis in range(x.shape.rank)]
            squares = is_valid * tf.square(x - tf.reshape(mean, shape))
            (sum_of_squares,) = _all_reduce_sum(tf.reduce_sum(squares, axes))
            return mean, tf.math.divide_no_nan(sum_of_squares, count)

        return moments

    def _build_in_scope(self, build: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return a `build` for an optimizer that is first used in the step, as in a GAN."""
        import tensorflow as tf

        def build_under_strategy(variables: Any) -> None:
            with tf.init_scope(), self.scope(self.strategy):
                build(variables)

        return build_under_strategy

    def _sharded_call(self, model: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a `call` that runs on shards of the batch and concatenates outputs."""
        import keras
        import tensorflow as tf

        def call_on_shards(*inputs: Any, **options: Any) -> Any:
            if tf.distribute.has_strategy():  # already on a replica
                return call(*inputs, **options)
            leaves = keras.tree.flatten((inputs, options))
            tensors = [leaf for leaf in leaves if tf.is_tensor(leaf)]
            self.shards = shards = BatchShards(self.strategy, tf.shape(tensors[0])[0], self._raise)

            def call_on_replica(*shard: Any) -> Any:
                shard_tensors = iter(shard)
                shard_leaves = [next(shard_tensors) if tf.is_tensor(leaf) else leaf for leaf in leaves]
                shard_inputs, shard_options = keras.tree.pack_sequence_as((inputs, options), shard_leaves)
                self._shift_seeds(SEED_OFFSET * replica_id())
                outputs = model(*shard_inputs, **shard_options)
                self._shift_seeds(-SEED_OFFSET * replica_id())  # between steps all replicas have the saved state
                return outputs

            weights = [weight._value for weight in model.trainable_weights]
            outputs = shards.run(call_on_replica, tensors, weights, self.has_custom_step)
            if any(layer._losses for layer in model._flatten_layers()):
                self._raise(
                    "On several replicas a layer must not add a loss of its inputs or outputs (`add_loss`, "
                    "`activity_regularizer`), because no replica has all rows. Train with --device cpu or gpu. "
                    f"Received: {model.name}"
                )
            return outputs

        return call_on_shards

    def _shift_seeds(self, offset: int) -> None:
        """Add an offset to the random states of this replica."""
        import tensorflow as tf

        for state in self.seeds if offset else []:
            state.assign(state + tf.constant([offset, 0], state.dtype))

    def _raise(self, message: str) -> NoReturn:
        """Raise a UserError and store it; `__call__` raises it without Keras' text."""
        self.error = UserError(message)
        raise self.error


class KerasStep:
    """Run a step with plain `strategy.run`, as Keras' own `fit` does.

    Every replica runs the complete step on its rows of the batch.
    Loss, gradient clipping, batch statistics and random masks are those of each replica alone; gradients are averaged.
    The results therefore differ from those of one device. With fewer rows than replicas some rows are used twice.

    Args:
        model: The model that is trained.
        strategy: A `tf.distribute` strategy with several replicas.
        step: `data -> logs`, such as `model.train_step`.
    """

    def __init__(self, model: Any, strategy: Any, step: Callable[[Any], Any]):
        self.model, self.strategy, self.step = model, strategy, step

    def __call__(self, data: Any) -> Any:
        """Run the step on a batch and return the mean of the logs over the replicas."""
        import keras
        import tensorflow as tf

        with tf.init_scope(), self.strategy.scope():
            self.model._symbolic_build(data_batch=data)  # as in Keras' `fit`: metrics cannot be created on a replica
        tensors = [leaf for leaf in keras.tree.flatten(data) if tf.is_tensor(leaf)]
        shards = BatchShards(self.strategy, tf.shape(tensors[0])[0])

        @tf.autograph.experimental.do_not_convert
        def run_on_replica() -> Any:
            shard = keras.tree.map_structure(lambda leaf: shards.shard(leaf) if tf.is_tensor(leaf) else leaf, data)
            return self.step(shard)

        logs = self.strategy.run(run_on_replica)
        return keras.tree.map_structure(lambda value: self.strategy.reduce("MEAN", value, axis=None), logs)


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


def _all_reduce_sum(*tensors: Any) -> Any:
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
