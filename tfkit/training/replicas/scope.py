"""Training over several replicas with the results of one device.

Keras' own step under a `tf.distribute` strategy weights, clips and counts on each replica alone, and so trains another
model. Here `train_step` runs once, on the whole batch, as on one device: augmentation, loss, metrics, clipping, loss
scaling and optimizer do not depend on the number of replicas. Only the calls of the model and their gradients are
computed in shards of the batch. The environment variable `TFKIT_SHARDED_STEP=0` switches to Keras' own behavior.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tfkit.training.replicas.keras_step import KerasStep
from tfkit.training.replicas.sharded_step import ShardedStep


def is_sharding_enabled() -> bool:
    """Return whether steps are sharded: not if TFKIT_SHARDED_STEP=0 is set.

    Sharded steps give the results of one device, others those of Keras under a strategy.
    """
    return os.environ.get("TFKIT_SHARDED_STEP", "1") != "0"


def strategy_of(model: Any) -> Any:
    """Return the strategy of a model; None for a model with one replica."""
    strategy = getattr(model, "_distribute_strategy", None)
    return strategy if strategy is not None and strategy.num_replicas_in_sync > 1 else None


@contextmanager
def scope(strategy: Any) -> Iterator[None]:
    """Create and compile a model inside, so that each replica has its variables.

    Args:
        strategy: A `tf.distribute.MirroredStrategy` or `MultiWorkerMirroredStrategy`; None for one device.
    """
    import tensorflow as tf

    def create_identical(next_creator: Callable[..., Any], **options: Any) -> Any:
        if options.get("synchronization") == tf.VariableSynchronization.ON_READ:  # a metric; Keras sums its replicas
            options["synchronization"] = tf.VariableSynchronization.AUTO
            options["aggregation"] = tf.VariableAggregation.ONLY_FIRST_REPLICA
        return next_creator(**options)

    if strategy is None:
        yield
    elif is_sharding_enabled():
        with strategy.scope(), tf.variable_creator_scope(create_identical):
            yield
    else:
        with strategy.scope():
            yield


@contextmanager
def replica_context(model: Any) -> Iterator["ReplicaContext"]:
    """Hide the strategy of a model from Keras, and yield the `ReplicaContext` that uses it."""
    import tensorflow as tf

    strategy = strategy_of(model)
    if strategy is None:
        yield ReplicaContext(model, None)
        return
    has_summed_metric = any(
        variable._value.aggregation == tf.VariableAggregation.SUM for variable in model.metrics_variables
    )
    if is_sharding_enabled() and has_summed_metric:
        raise ValueError(
            "The model must be created and compiled inside `tfkit.training.replicas.scope.scope(strategy)`, "
            "in which its metrics count whole batches. Received: one created inside `strategy.scope()`"
        )

    model._distribute_strategy = None
    try:
        yield ReplicaContext(model, strategy)
    finally:
        model._distribute_strategy = strategy


class ReplicaContext:
    """Makes the steps of a model use all replicas; with one device it changes nothing.

    Args:
        model: A compiled model.
        strategy: Its strategy; None for one device.
    """

    def __init__(self, model: Any, strategy: Any):
        self.model, self.strategy = model, strategy

    def __call__(self, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return a step that runs on all replicas."""
        if self.strategy is None:
            return step
        if is_sharding_enabled():
            return ShardedStep(self.model, self.strategy, step, scope)
        return KerasStep(self.model, self.strategy, step)

    def mean_over_workers(self, value: float) -> float:
        """Return the mean of a value over all workers; see `mean_over_workers`."""
        return mean_over_workers(self.strategy, value)

    def end(self, start: int, end: int, batch_size: int) -> int:
        """Return the end row of a call: on replicas all its batches have one size."""
        whole_batches = (end - start) // batch_size * batch_size
        return start + whole_batches if whole_batches and self.strategy is not None else end


def mean_over_workers(strategy: Any, value: float) -> float:
    """Return the mean of a value over all workers, so that they decide alike.

    With one worker it is the value itself.
    """
    if strategy is None or strategy.cluster_resolver is None:
        return value
    import tensorflow as tf

    return float(strategy.reduce("MEAN", tf.constant(value, "float64"), axis=None))
