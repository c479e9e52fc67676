"""Many steps of a model in one compiled function, which is kept for the next `fit` of the model."""

import functools
from collections.abc import Callable
from typing import Any

from tfkit import fused, philox
from tfkit.data.splits import Rows, gathered


def clip(optimizer: Any) -> Any:
    """The norm that an optimizer clips all gradients together to; read when its step is compiled."""
    return getattr(getattr(optimizer, "inner_optimizer", optimizer), "global_clipnorm", None)


def training(model: Any, spread: Any, split: Any, batch: int, augment: Any, seed: int, passing: int) -> Any:
    """What trains a model on rows of these numbers, of which so many pass through it in all; see `compiled`."""
    plain = functools.partial(compiled, model, "train_step", spread, split, batch, augment, seed)
    if not fused.may(model, spread, augment, passing):
        return plain()
    row = fused.like(split)
    like = [row, model.jit_compile, clip(model.optimizer)]
    run = _kept(model, "fused", like, lambda: _of(model, "train_step", None), lambda: fused.traced(model, row))
    return plain() if run is None else fused.Fused(run, split, batch, plain)


def compiled(model: Any, step: str, spread: Any, split: Any, batch: int, augment: Any = None, seed: int = 0) -> Any:
    """A compiled function from row numbers, and how many were seen before, to logs: one step for each `batch`.

    Of arrays in memory it is kept with the model, for the next `fit` on such arrays.
    """
    import keras
    import tensorflow as tf

    rows = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.int64)
    if type(split) is not Rows or spread.strategy is not None:
        anew = _steps(getattr(model, step), model, spread, split.take, batch, augment, seed)
        return functools.partial(anew.get_concrete_function({}, *rows), {})
    tensors = split.tensors()
    specs = keras.tree.map_structure(lambda tensor: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype), tensors)
    like = [specs, batch, model.jit_compile, clip(model.optimizer), seed if augment is not None else 0]

    def traced() -> Any:
        anew = _steps(getattr(model, step), model, spread, None, batch, augment, seed)
        return anew.get_concrete_function(specs, *rows)

    return functools.partial(_kept(model, step, like, lambda: _of(model, step, augment), traced), tensors)


def _of(model: Any, step: str, augment: Any) -> list[Any]:
    """What was compiled: where one of these is another, so is the function. `compile` makes new metrics."""
    bound = getattr(model, step)
    tracker = getattr(model, "_loss_tracker", None)
    return [getattr(bound, "__func__", bound), model.optimizer, augment, tracker, *model.metrics]


def _kept(model: Any, name: str, like: Any, of: Callable[[], list[Any]], make: Callable[[], Any]) -> Any:
    """What was made last under a name, if that was for the same; else made anew and kept with the model."""
    every = model.__dict__.setdefault("_tfkit_steps", {})  # past Keras, which would track it and save it
    known, then, run = every.get(name, (None, [], None))
    now = of()
    if known != like or len(then) != len(now) or any(one is not other for one, other in zip(then, now, strict=True)):
        run = make()
        every[name] = like, of(), run  # its metrics may have been made only now
    return run


def _steps(step: Any, model: Any, spread: Any, take: Any, batch: int, augment: Any, seed: int) -> Any:
    """The function to be compiled; it takes rows from the tensors that it is given, where `take` is None."""
    import keras
    import tensorflow as tf

    own = type(model).train_step is not keras.Model.train_step and step == model.train_step
    step = spread(step)
    if model.jit_compile and spread.strategy is None:  # asked for, or Keras' own choice on a GPU
        step = tf.function(philox.drawn()(step), jit_compile=True, reduce_retracing=True, autograph=False)

    def one(tensors: Any, numbers: Any, start: Any, seen: Any) -> Any:
        some = numbers[start : tf.minimum(start + batch, tf.shape(numbers)[0])]
        data = gathered(tensors, some) if take is None else take(some)
        if augment is not None:
            data = augment(*data, tf.stack([tf.constant(seed, "int64"), seen + tf.cast(start, "int64")]))
        return step(data)

    def run(tensors: Any, numbers: Any, seen: Any) -> Any:
        rows = tf.shape(numbers)[0]
        if own:  # its logs may be no metrics of the model: those of the last step are handed on
            inner = tf.function(one, autograph=False)  # traced once, called in two places
            _, logs = tf.while_loop(
                lambda start, logs: start < rows,
                lambda start, logs: (start + batch, inner(tensors, numbers, start, seen)),
                (batch, inner(tensors, numbers, 0, seen)),
                parallel_iterations=1,
            )
            return logs

        def body(start: Any) -> Any:
            one(tensors, numbers, start, seen)
            return (start + batch,)

        tf.while_loop(lambda start: start < rows, body, (0,), parallel_iterations=1)
        return model.get_metrics_result()

    return tf.function(run, autograph=False)
