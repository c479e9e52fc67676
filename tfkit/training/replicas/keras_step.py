"""Training step over replicas with Keras' own behavior."""

from collections.abc import Callable
from typing import Any

from tfkit.training.replicas.batch_shards import BatchShards


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
