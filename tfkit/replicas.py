"""What several replicas compute is what one device computes: they share out the rows of a batch, and nothing else.

On a strategy Keras' own step weights, clips and counts on each replica alone, and so trains another model. Here
`train_step` runs once, on the whole batch, as on one device: augmentation, loss, metrics, clipping, loss scale and
optimizer know of no replicas. Only what the model says of the rows, and the slopes of that, are computed in parts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tfkit.sharing import InParts


def strategy_of(model: Any) -> Any:
    """The strategy that a model was made under; None where it has one replica, to which this file does nothing."""
    strategy = getattr(model, "_distribute_strategy", None)
    return strategy if strategy is not None and strategy.num_replicas_in_sync > 1 else None


@contextmanager
def scope(strategy: Any) -> Iterator[None]:
    """Where a model for several replicas is made and compiled: its variables lie on each of them.

    Args:
        strategy: A `tf.distribute.MirroredStrategy` or `MultiWorkerMirroredStrategy`; None for one device.
    """
    import tensorflow as tf

    def alike(next_creator: Any, **told: Any) -> Any:
        if told.get("synchronization") == tf.VariableSynchronization.ON_READ:  # a metric, which would be a sum of parts
            told["synchronization"] = tf.VariableSynchronization.AUTO
            told["aggregation"] = tf.VariableAggregation.ONLY_FIRST_REPLICA
        return next_creator(**told)

    if strategy is None:
        yield
        return
    with strategy.scope(), tf.variable_creator_scope(alike):
        yield


@contextmanager
def spread(model: Any) -> Iterator["Spread"]:
    """While inside, Keras takes the model for one of one device; `Spread` makes its steps use the replicas."""
    import tensorflow as tf

    strategy = strategy_of(model)
    if strategy is None:
        yield Spread(model, None)
        return
    if any(variable._value.aggregation == tf.VariableAggregation.SUM for variable in model.metrics_variables):
        raise ValueError(
            "The model must be made and compiled inside `tfkit.replicas.scope(strategy)`, in which its "
            "metrics count whole batches. Received: one made inside `strategy.scope()`"
        )

    model._distribute_strategy = None
    try:
        yield Spread(model, strategy)
    finally:
        model._distribute_strategy = strategy


class Spread:
    """What makes a step of a model use all replicas; where there is one device it does nothing."""

    def __init__(self, model: Any, strategy: Any):
        self.model, self.strategy = model, strategy

    def __call__(self, step: Any) -> Any:
        """The same step, in parts."""
        return step if self.strategy is None else InParts(self.model, self.strategy, step, scope)

    def agreed(self, value: float) -> float:
        """See `agreed`."""
        return agreed(self.strategy, value)

    def end(self, start: int, end: int, batch: int) -> int:
        """Where a call ends that begins at row `start`: what replicas tell each other in one must be of one size."""
        whole = (end - start) // batch * batch
        return start + whole if whole and self.strategy is not None else end


def agreed(strategy: Any, value: float) -> float:
    """The mean of what all workers say, so that they decide alike; the value itself where there is one worker."""
    if strategy is None or strategy.cluster_resolver is None:
        return value
    import tensorflow as tf

    return float(strategy.reduce("MEAN", tf.constant(value, "float64"), axis=None))
