"""A step of Keras in which the replicas share out the rows of a batch: each says its part, and has the slopes of it."""

from typing import Any, NoReturn

from tfkit.errors import UserError

SPACING = 0x9E3779B1  # between the random states of replicas, so that no two draw the same masks


class InParts:
    """A step, in which each model that is called asks every replica for its part of the rows."""

    def __init__(self, model: Any, strategy: Any, step: Any, scope: Any):
        import keras

        self.strategy, self.step, self.scope = strategy, step, scope
        self.own = type(model).train_step is not keras.Model.train_step
        layers = list(model._flatten_layers())
        self.models = [layer for layer in layers if isinstance(layer, keras.Model)]
        self.norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
        self.optimizers = [part for part in vars(model).values() if isinstance(part, keras.optimizers.Optimizer)]
        self.seeds = [v._value for v in model.non_trainable_variables if "seed_generator_state" in v.path]
        self.parts: Any = None  # of the model that is being asked
        self.refusal: UserError | None = None

    def __call__(self, data: Any) -> Any:
        """The step, while it is compiled."""
        changed = [(model, "call", self._shared_out(model, model.call)) for model in self.models]
        changed += [(norm, "_moments", self._together(norm, norm._moments)) for norm in self.norms]
        changed += [(each, "build", self._in_scope(each.build)) for each in self.optimizers if not each.built]
        for part, name, function in changed:
            object.__setattr__(part, name, function)
        try:
            logs = self.step(data)
        except Exception:
            if self.refusal is not None:  # in its own words, which Keras adds to
                raise self.refusal from None
            raise
        finally:
            for part, name, _ in changed:
                object.__delattr__(part, name)
        if self.parts is None:
            raise UserError(
                "Over replicas a `train_step` must call a keras.Model with rows, which is what they share. "
                f"Received: {type(self.models[0]).__name__}.train_step, which calls none: train it with "
                "--device cpu or gpu"
            )
        return logs

    def _together(self, norm: Any, own: Any) -> Any:
        """Mean and variance of a batch normalisation over all rows; Keras' own lose digits, and forget the mask."""
        import tensorflow as tf

        def moments(x: Any, mask: Any) -> Any:
            if not tf.distribute.has_strategy():
                return own(x, mask)
            axes = norm._reduction_axes
            real = tf.ones_like(x) if mask is None else tf.broadcast_to(tf.cast(mask, x.dtype)[..., None], tf.shape(x))
            real *= self.parts.busy(x.dtype)
            total, count = _total(tf.reduce_sum(real * x, axes), tf.reduce_sum(real, axes))
            mean = tf.math.divide_no_nan(total, count)
            shape = [1 if axis in axes else -1 for axis in range(x.shape.rank)]
            (squares,) = _total(tf.reduce_sum(real * tf.square(x - tf.reshape(mean, shape)), axes))
            return mean, tf.math.divide_no_nan(squares, count)

        return moments

    def _in_scope(self, build: Any) -> Any:
        """The `build` of an optimizer that is first used in the step, as those of a GAN are."""
        import tensorflow as tf

        def built(variables: Any) -> None:
            with tf.init_scope(), self.scope(self.strategy):
                build(variables)

        return built

    def _shared_out(self, model: Any, call: Any) -> Any:
        """The model's `call` for a whole batch: its answers put together, their slopes handed back in parts."""
        import keras
        import tensorflow as tf

        def whole(*inputs: Any, **options: Any) -> Any:
            if tf.distribute.has_strategy():  # on a replica already
                return call(*inputs, **options)
            flat = keras.tree.flatten((inputs, options))
            tensors = [leaf for leaf in flat if tf.is_tensor(leaf)]
            self.parts = parts = _Parts(self.strategy, tf.shape(tensors[0])[0], self._refuse)

            def answer(*own: Any) -> Any:
                given = iter(own)
                leaves = [next(given) if tf.is_tensor(leaf) else leaf for leaf in flat]
                inputs_here, options_here = keras.tree.pack_sequence_as((inputs, options), leaves)
                self._move_seeds(SPACING * replica())
                said = model(*inputs_here, **options_here)
                self._move_seeds(-SPACING * replica())  # between steps they are alike, as they are saved
                return said

            said = parts.ask(answer, tensors, [weight._value for weight in model.trainable_weights], self.own)
            if any(layer._losses for layer in model._flatten_layers()):
                self._refuse(
                    "Over replicas a layer must add no loss of what it sees (`add_loss`, "
                    "`activity_regularizer`): none of them sees all rows. Train with --device cpu or gpu. "
                    f"Received: {model.name}"
                )
            return said

        return whole

    def _move_seeds(self, by: int) -> None:
        """Move the random states of this replica."""
        import tensorflow as tf

        for state in self.seeds if by else []:
            state.assign(state + tf.constant([by, 0], state.dtype))

    def _refuse(self, message: str) -> NoReturn:
        self.refusal = UserError(message)
        raise self.refusal


class _Parts:
    """The rows of a batch, shared out: of two replicas the first has the first half.

    Where there are fewer rows than replicas, some compute a row that is not theirs, and it counts nothing: not every
    operation bears a batch of none.
    """

    def __init__(self, strategy: Any, rows: Any, refuse: Any):
        self.strategy, self.rows, self.refuse = strategy, rows, refuse
        count = strategy.num_replicas_in_sync
        self.bounds = [rows * number // count for number in range(count + 1)]

    def ask(self, answer: Any, tensors: list[Any], weights: list[Any], slopes_of_inputs: bool) -> Any:
        """What `answer` says of all rows, each replica asked for its own; slopes find their way back to the weights."""
        import keras
        import tensorflow as tf

        kept: dict[int, Any] = {}  # of each replica: its tape, what it was given and what it said
        form: Any = None
        found: list[bool] = []

        def forward() -> list[Any]:
            nonlocal form
            given = [self._own(tensor) for tensor in tensors]
            with tf.GradientTape() as tape:
                tape.watch([part for part in given if slopes_of_inputs and part.dtype.is_floating])
                form = answer(*given)
            said = keras.tree.flatten(form)
            kept[replica()] = tape, given, said
            masks = [part._keras_mask for part in said if getattr(part, "_keras_mask", None) is not None]
            return [self._padded(part) for part in (*said, *masks)]

        def backward(slopes: list[Any]) -> list[Any]:
            nonlocal found
            tape, given, said = kept[replica()]
            to = [*(given if slopes_of_inputs else []), *weights]
            parts = tape.gradient(said, to, [self._own(slope) * self.busy(slope.dtype) for slope in slopes])
            found = [part is not None for part in parts]
            parts[: len(to) - len(weights)] = [
                part if part is None else self._padded(part) for part in parts[: len(to) - len(weights)]
            ]
            return [part for part in parts if part is not None]

        @tf.custom_gradient
        def shared_out(*given: Any) -> Any:
            def slopes(*of_answers: Any) -> Any:
                each = list(of_answers[: len(keras.tree.flatten(form))])
                if slopes_of_inputs:
                    sums = iter(_no_slope(lambda: self._summed(backward, each), *each, *given))
                    return [next(sums) if there else None for there in found]
                sums = iter(self._summed(backward, each))
                return [None] * len(tensors) + [next(sums) if there else None for there in found]

            return self._summed(forward), slopes

        whole = shared_out(*tensors, *map(tf.convert_to_tensor, weights))
        said, masks = whole[: len(keras.tree.flatten(form))], iter(whole[len(keras.tree.flatten(form)) :])
        for part, own in zip(said, keras.tree.flatten(form), strict=True):
            if getattr(own, "_keras_mask", None) is not None:
                part._keras_mask = tf.cast(next(masks), own._keras_mask.dtype)
        return keras.tree.pack_sequence_as(form, said)

    def _summed(self, function: Any, *given: Any) -> list[Any]:
        """What a function says on every replica, added up."""
        import tensorflow as tf

        @tf.autograph.experimental.do_not_convert
        def reduced(*given: Any) -> Any:
            return _reduced(function(*given))

        sums = self.strategy.run(reduced, given)
        return [self.strategy.experimental_local_results(part)[0] for part in sums]

    def _own(self, tensor: Any) -> Any:
        """The rows of this replica."""
        import tensorflow as tf

        begin, end = self.bounds[replica()], self.bounds[replica() + 1]
        return tensor[begin : tf.maximum(end, begin + 1)]

    def busy(self, dtype: Any) -> Any:
        """1 on a replica that has rows, else 0."""
        import tensorflow as tf

        return tf.cast(self.bounds[replica()] < self.bounds[replica() + 1], dtype)

    def _padded(self, part: Any) -> Any:
        """The same rows where they stand in the batch, with zeros for all others."""
        import tensorflow as tf

        if not part.shape.rank:
            self.refuse(
                "Over replicas a model must answer row by row: the first axis of what it says is that of its "
                "rows. Train with --device cpu or gpu. Received: a single number"
            )
        part = tf.cast(part, "int32") if part.dtype == tf.bool else part
        begin, end = self.bounds[replica()], self.bounds[replica() + 1]
        return tf.pad(part[: end - begin], [[begin, self.rows - end]] + [[0, 0]] * (part.shape.rank - 1))


def _no_slope(compute: Any, *given: Any) -> Any:
    """What is computed, and a word to whoever asks how it depends on what was given."""
    import tensorflow as tf

    def refuse(*slopes: Any) -> Any:
        raise UserError(
            "Over replicas a `train_step` must take no slope of a slope, such as a gradient penalty: train "
            "it with --device cpu or gpu"
        )

    @tf.custom_gradient
    def computed(*given: Any) -> Any:
        return [tf.convert_to_tensor(part) for part in compute()], refuse

    return computed(*given)


def _total(*parts: Any) -> Any:
    """The sum over all replicas of each of these, on a replica."""
    import tensorflow as tf

    @tf.custom_gradient
    def add(*parts: Any) -> Any:  # the context's own gradient asks for the context of this moment, which is gone then
        return _reduced(parts), lambda *slopes: _reduced(slopes)

    return add(*parts)


def _reduced(parts: Any) -> Any:
    import tensorflow as tf

    return tf.distribute.get_replica_context().all_reduce("SUM", list(parts))


def replica() -> int:
    """The number of the replica that is at work."""
    import tensorflow as tf

    return int(tf.distribute.get_replica_context()._replica_id_in_sync_group)
