"""Compiled functions that run many training or test steps, cached on the model for its next `fit`."""

import functools
from collections.abc import Callable
from typing import Any

from tfkit.datasets.array import ArrayDataset, gather_rows
from tfkit.training.keras_fit import pack_as_keras
from tfkit.training.xla import fused_steps


def global_clipnorm_of(optimizer: Any) -> float | None:
    """Return the global norm that an optimizer clips gradients to, or None.

    The value is a constant of the compiled step: it is read once, when the step is traced.
    """
    return getattr(getattr(optimizer, "inner_optimizer", optimizer), "global_clipnorm", None)


def train_step_function(
    model: Any,
    context: Any,
    dataset: Any,
    batch_size: int,
    augment: Any,
    seed: int,
    total_rows: int,
    fuse_steps: bool | None = None,
) -> Callable[[Any, Any], Any]:
    """Return a function that trains on row indices: fused by XLA where that pays.

    Args:
        model: A compiled Keras model.
        context: The `ReplicaContext` of the training, which runs steps on replicas.
        dataset: The training rows.
        batch_size: Rows of a step.
        augment: See `tfkit.fit`, or None.
        seed: Seed of the augmentation.
        total_rows: Rows that the whole training processes: rows of an epoch times epochs.
        fuse_steps: See `tfkit.fit`.

    Returns:
        `(indices, rows_seen) -> logs`; see `compile_steps`.
    """
    compile_unfused = functools.partial(
        compile_steps, model, "train_step", context, dataset, batch_size, augment, seed, fuse_steps
    )
    if not fused_steps.can_fuse(model, context, augment, total_rows, fuse_steps):
        return compile_unfused()
    row = fused_steps.row_spec(dataset)
    key = [row, model.jit_compile, global_clipnorm_of(model.optimizer)]
    function = _cached(
        model, "fused", key, lambda: _cache_key(model, "train_step", None), lambda: fused_steps.trace_step(model, row)
    )
    return compile_unfused() if function is None else fused_steps.Fused(function, dataset, batch_size, compile_unfused)


def compile_steps(
    model: Any,
    step: str,
    context: Any,
    dataset: Any,
    batch_size: int,
    augment: Any = None,
    seed: int = 0,
    fuse_steps: bool | None = None,
) -> Callable[[Any, Any], Any]:
    """Compile a function `(indices, rows_seen) -> logs`: one step for each batch.

    `indices` are the int32 row indices `(rows,)` of one or more batches; `rows_seen` is the int64 number of rows
    before them, from which augmentation is seeded. For arrays in memory the function is cached on the model and
    reused by the next `fit` on arrays of the same shapes and types.
    """
    import keras
    import tensorflow as tf

    fuse = fused_steps.is_enabled(fuse_steps)
    row_specs = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.int64)
    if type(dataset) is not ArrayDataset or context.strategy is not None:
        function = _step_loop(getattr(model, step), model, context, dataset.take, batch_size, augment, seed, fuse)
        return functools.partial(function.get_concrete_function({}, *row_specs), {})
    tensors = dataset.tensors()
    specs = keras.tree.map_structure(lambda tensor: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype), tensors)
    key = [
        specs,
        batch_size,
        model.jit_compile,
        global_clipnorm_of(model.optimizer),
        seed if augment is not None else 0,
        fuse,
    ]

    def trace() -> Any:
        function = _step_loop(getattr(model, step), model, context, None, batch_size, augment, seed, fuse)
        return function.get_concrete_function(specs, *row_specs)

    return functools.partial(_cached(model, step, key, lambda: _cache_key(model, step, augment), trace), tensors)


def _cache_key(model: Any, step: str, augment: Any) -> list[Any]:
    """List the objects that a compiled step depends on, compared by identity.

    `compile` creates new metrics, so a compiled model never reuses the step of an earlier `compile`.
    """
    method = getattr(model, step)
    tracker = getattr(model, "_loss_tracker", None)
    return [getattr(method, "__func__", method), model.optimizer, augment, tracker, *model.metrics]


def _cached(
    model: Any, name: str, key: list[Any], list_objects: Callable[[], list[Any]], make: Callable[[], Any]
) -> Any:
    """Return a cached function, made anew if its key or objects have changed."""
    cache = model.__dict__.setdefault("_tfkit_steps", {})  # bypasses Keras, which would track and save it
    cached_key, cached_objects, function = cache.get(name, (None, [], None))
    objects = list_objects()
    is_current = (
        cached_key == key
        and len(cached_objects) == len(objects)
        and all(cached is current for cached, current in zip(cached_objects, objects, strict=True))
    )
    if not is_current:
        function = make()
        cache[name] = key, list_objects(), function  # tracing may have created the metrics
    return function


def _step_loop(
    step: Any, model: Any, context: Any, take: Any, batch_size: int, augment: Any, seed: int, fuse: bool
) -> Any:
    """Return the loop over batches, to be compiled.

    Where `take` is None, it gathers rows from its `tensors` argument.
    """
    import keras
    import tensorflow as tf

    has_custom_step = type(model).train_step is not keras.Model.train_step and step == model.train_step
    step = context(pack_as_keras(step) if has_custom_step or step == model.test_step else step)
    if model.jit_compile and context.strategy is None:  # requested by the user, or Keras' choice on a GPU
        step = fused_steps.compile_single_step(step, with_cpu_random=fuse)

    def run_step(tensors: Any, indices: Any, start: Any, rows_seen: Any) -> Any:
        batch = indices[start : tf.minimum(start + batch_size, tf.shape(indices)[0])]
        data = gather_rows(tensors, batch) if take is None else take(batch)
        if augment is not None:
            data = augment(*data, tf.stack([tf.constant(seed, "int64"), rows_seen + tf.cast(start, "int64")]))
        return step(data)

    def run_steps(tensors: Any, indices: Any, rows_seen: Any) -> Any:
        rows = tf.shape(indices)[0]
        if has_custom_step:  # its logs need not be metrics of the model: return those of the last step
            inner = tf.function(run_step, autograph=False)  # traced once, called in two places
            _, logs = tf.while_loop(
                lambda start, logs: start < rows,
                lambda start, logs: (start + batch_size, inner(tensors, indices, start, rows_seen)),
                (batch_size, inner(tensors, indices, 0, rows_seen)),
                parallel_iterations=1,
            )
            return logs

        def body(start: Any) -> Any:
            run_step(tensors, indices, start, rows_seen)
            return (start + batch_size,)

        tf.while_loop(lambda start: start < rows, body, (0,), parallel_iterations=1)
        return model.get_metrics_result()

    return tf.function(run_steps, autograph=False)
