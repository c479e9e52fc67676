"""Training step over replicas with the results of one device."""

from collections.abc import Callable
from typing import Any, NoReturn

from tfkit.errors import UserError
from tfkit.training.replicas.batch_shards import BatchShards, all_reduce_sum, replica_id

SEED_OFFSET = 0x9E3779B1  # between the random states of neighboring replicas, so that their random masks differ


class ShardedStep:
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
            total, count = all_reduce_sum(tf.reduce_sum(is_valid * x, axes), tf.reduce_sum(is_valid, axes))
            mean = tf.math.divide_no_nan(total, count)
            shape = [1 if axis in axes else -1 for axis in range(x.shape.rank)]
            squares = is_valid * tf.square(x - tf.reshape(mean, shape))
            (sum_of_squares,) = all_reduce_sum(tf.reduce_sum(squares, axes))
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
