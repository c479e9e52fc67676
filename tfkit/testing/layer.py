"""The contract of a layer."""

import inspect
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfkit.testing import fresh
from tfkit.testing.backend import compiled, gradients
from tfkit.testing.judge import difference, finite, numbers
from tfkit.testing.masking import check_mask
from tfkit.testing.saving import check_saving, expect_no_default
from tfkit.testing.specimen import Specimen, moved, reseed

TOO_FAR = {"mixed_float16": 2e-2, "mixed_bfloat16": 1e-1}  # digits of a number: 11 and 8 bits
DRAWING = ("drop", "stochastic")  # arguments that make a layer random in training are named so


def check_layer(
    layer_class: Any,
    arguments: dict[str, Any],
    inputs: Any,
    *,
    dynamic_axes: Any = (0,),
    padded_axis: Any = None,
    at_default: Sequence[str] = (),
    no_gradient: Sequence[str] = (),
    refused: Sequence[tuple[dict[str, Any], str]] = (),
    empty_batch: bool = True,
    tolerance: float = 1e-5,
) -> None:
    """Hold a layer to what every layer of Keras should be, and say in a sentence what it is not.

    Checked, in this order:

    * wrong arguments raise `ValueError` or `TypeError` with their message (`refused`);
    * the same seed gives the same answers and another seed others; nothing is random outside training, and what has a
      `dropout` (or `attention_dropout`, `stochastic_depth`: any name with "drop" or "stochastic") is random in it;
    * the symbolic shape and dtype are those of the answer, for any number of rows and any length of the other axes in
      `dynamic_axes`; `build` makes every weight;
    * compiled as by `fit`, it says what it says eagerly;
    * `get_config` forgets nothing, and a `.keras` file gives back the same bits, in training too, in this process and
      in a fresh one, which has imported nothing but Keras and the module that defines the class;
    * every trainable weight gets a finite gradient that is not 0;
    * `mixed_float16` and `mixed_bfloat16` keep float32 weights and answer nearly as float32 does;
    * what stands in padded steps changes nothing at the others, in training too; a sequence with padding is answered as
      one without; a row of nothing but padding gives finite answers and gradients; the mask goes on where the output
      keeps the axis (`padded_axis`).

    The fresh process is started by the first check and kept until Python exits, so that a whole suite of tests imports
    Keras once more, not once a layer. So a class imported for an earlier check is still there for a later one. Works on
    the backend that Keras runs on: TensorFlow, JAX, or PyTorch, where nothing is compiled and on a CPU there is no half
    precision. Random seeds are set.

    Args:
        layer_class: A subclass of `keras.layers.Layer`, at the top of a module that can be imported.
        arguments: Arguments of its constructor by name, none of them at its default, so that a forgotten one shows.
        inputs: An example of its input, batch first, at least 2 rows: an array, or a list or dictionary of arrays. A
            dictionary whose keys are arguments of `call` is passed by name.
        dynamic_axes: Axes that may have any length: a tuple for all inputs, or one for each input in a list or
            dictionary like that of `inputs`.
        padded_axis: Axis along which rows are padded, usually 1, or None; or one for each input, as above. Masks have
            the axes up to this one.
        at_default: Names of arguments that stay at their default here, because they exclude another.
        no_gradient: Endings of the paths of trainable weights whose gradient is 0 by nature, such as the bias of
            attention's keys.
        refused: Pairs of arguments (put over `arguments`) and a regular expression that the message must contain.
        empty_batch: Whether it must take a batch without rows; Keras' recurrent layers do not.
        tolerance: Largest difference allowed between two ways to the same answer, as a share of the largest value.

    Raises:
        AssertionError: With a sentence that says what is wrong and what to do.

    Example:
        >>> import keras, numpy as np, tfkit
        >>> x = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
        >>> tfkit.testing.check_layer(tfkit.layers.Clip, {"bound": 2.0}, x)
        >>> tfkit.testing.check_layer(tfkit.layers.Clip, {}, x)
        Traceback (most recent call last):
        AssertionError: Clip: `bound` is at its default (3.0). Give another value, so that a `get_config` that ...
    """
    keras.utils.set_random_seed(0)
    specimen = Specimen(layer_class, arguments, inputs, dynamic_axes, empty_batch, tolerance)
    fresh.start()
    expect_no_default(specimen, layer_class, arguments, at_default)
    specimen.expect_refusal(specimen.built, refused)
    check_randomness(specimen)
    check_shapes(specimen)
    check_compiled(specimen)
    check_saving(specimen)
    check_gradients(specimen, no_gradient)
    check_precision(specimen)
    check_mask(specimen, specimen.each(padded_axis))


def check_shapes(specimen: Specimen) -> None:
    """What is said of the answer beforehand is true of it, for every size of batch and every length."""
    layer = specimen.make()
    with specimen.attempt("Called on symbolic inputs, it must tell the shape of its answer."):
        model, told = specimen.functional(layer)
    for what, arrays in specimen.variants():
        with specimen.attempt(
            f"It must take {what}. Get sizes from keras.ops.shape(x), leave at most one -1 in a "
            "reshape, or take the axis out of `dynamic_axes`."
        ):
            said = specimen.call(layer, specimen.pack(arrays))
            again = model(arrays)
        _check_told(specimen, told, said, what)
        specimen.expect_same(again, said, f"In a functional model it says something else of {what}.")
    _check_build(specimen, len(layer.weights))


def check_compiled(specimen: Specimen) -> None:
    """In a graph, where lengths are not known and Python runs once, it says the same."""
    layer = specimen.built()
    for training in (False, True):

        def run(*arrays: Any, training: bool = training) -> Any:
            return specimen.call(layer, specimen.pack(arrays), training=training)

        fast = compiled(run, layer.variables, specimen.shapes, specimen.dtypes)
        state = [keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(v)) for v in layer.variables]
        for what, arrays in specimen.variants()[: 1 if training else None]:
            tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
            answers = []
            for function in (fast, run):
                for variable, value in zip(layer.variables, state, strict=True):
                    variable.assign(value)
                reseed(layer)
                with specimen.attempt(
                    f"It must run compiled on {what}, with training={training}. Use keras.ops in "
                    "place of NumPy, and no Python `if` on values of a tensor."
                ):
                    answers.append(function(*tensors))
            specimen.expect_same(
                answers[0],
                answers[1],
                f"Compiled, it says something else of {what} than eagerly, with training={training}. "
                "Use keras.ops, and keep no state in Python attributes.",
            )


def check_gradients(specimen: Specimen, no_gradient: Sequence[str]) -> None:
    """Every trainable weight learns."""
    layer = moved(specimen.built())
    weights = layer.trainable_weights
    random = np.random.default_rng(1)
    shapes = [one.shape for one in numbers(specimen.call(layer, specimen.inputs, training=True))]
    targets = [keras.ops.convert_to_tensor(random.normal(size=shape), "float32") for shape in shapes]

    def loss() -> Any:
        answers = keras.tree.flatten(specimen.call(layer, specimen.inputs, training=True))
        pairs = zip(answers, targets, strict=True)
        return sum(keras.ops.sum(keras.ops.square(keras.ops.cast(a, "float32") - t)) for a, t in pairs)

    found = gradients(loss, weights) if weights else []
    largest = max((np.abs(one).max() for one in found if one is not None), default=0.0)
    for weight, gradient in zip(weights, found, strict=True):
        specimen.expect(
            gradient is None or np.isfinite(gradient).all(),
            f"The gradient of `{weight.path}` is not finite. Look for a root, a logarithm or a division at "
            "0, also behind `where`.",
        )
        some = gradient is not None and np.abs(gradient).max() > 1e-6 * largest
        specimen.expect(
            some or weight.path.endswith(tuple(no_gradient)),
            f"`{weight.path}` gets no gradient in training, so it never learns. Use it in `call`, add it "
            "with trainable=False, or name it in `no_gradient` if this is by nature.",
        )


def check_precision(specimen: Specimen) -> None:
    """Half precision is for the arithmetic, not for the weights."""
    if keras.backend.backend() == "torch":
        return
    whole = specimen.built()
    expected = specimen.call(whole, specimen.inputs)
    for policy, limit in TOO_FAR.items():
        half = specimen.make(dtype=policy)
        with specimen.attempt(f"It must run with dtype={policy!r}. Cast constants to the dtype of what they meet."):
            _, told = specimen.functional(half)
            said = specimen.call(half, specimen.inputs)
            taught = specimen.call(half, specimen.inputs, training=True)
        for weight in half.weights:
            specimen.expect(
                "float" not in weight.dtype or weight.dtype == "float32",
                f"`{weight.path}` is {weight.dtype} with dtype={policy!r}. Leave `dtype` out of "
                "`add_weight`, and make sub-layers with dtype=self.dtype_policy.",
            )
        _check_told(specimen, told, said, f"input with dtype={policy!r}")
        half.set_weights(whole.get_weights())
        said = specimen.call(half, specimen.inputs)
        specimen.expect(
            finite([said, taught]) or not finite(expected),
            f"With dtype={policy!r} the answer is not finite. Compute what is large or small in float32.",
        )
        specimen.expect_same(
            said,
            expected,
            f"With dtype={policy!r} it says something else than in float32. Compute "
            "sums of many, positions and exponents in float32.",
            limit,
        )


def check_randomness(specimen: Specimen) -> None:
    """The seed decides everything that is random, and nothing is but in training."""
    answers, weights = [], []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        layer = specimen.make()
        first = specimen.call(layer, specimen.inputs)
        weights.append(layer.get_weights())
        answers.append([first, specimen.call(layer, specimen.inputs, training=True)])
    same, other = difference(answers[0], answers[1]), difference(weights[0], weights[2])
    specimen.expect(
        same == 0,
        "The same seed gives other answers. Draw with keras.random and a SeedGenerator made in "
        "the constructor, not with NumPy or Python.",
    )
    drawn = any(np.ptp(one) > 0 for one in weights[0])
    fixed = specimen.arguments.get("seed") is not None
    specimen.expect(
        other > 0 or not drawn or fixed,
        "The weights begin the same whatever the seed. Do not give initializers a seed of their own.",
    )
    plain = [specimen.call(layer, specimen.inputs, **o) for o in ({}, {}, {"training": False})]
    specimen.expect(
        difference(plain[0], plain[1]) == 0 == difference(plain[0], plain[2]),
        "It is random outside training. Take `training=False` in `call` and pass it on to dropout and "
        "other layers that draw.",
    )
    drawing = [name for name, value in specimen.arguments.items() if value and any(word in name for word in DRAWING)]
    for name in drawing:
        layer = specimen.make(**{other: 0.0 for other in drawing if other != name})
        first = specimen.call(layer, specimen.inputs, training=True)
        others = (specimen.call(layer, specimen.inputs, training=True) for _ in range(4))
        specimen.expect(
            any(difference(first, one) > 0 for one in others),
            f"It has `{name}`, yet says the same at each call in training. Pass `training` on to what "
            "draws, and let it draw from a SeedGenerator, not from a seed.",
        )


def _check_told(specimen: Specimen, told: Any, said: Any, what: str) -> None:
    """Shape and dtype told beforehand fit the answer."""
    pairs = list(zip(keras.tree.flatten(told), keras.tree.flatten(said), strict=True))
    shapes = [(tuple(one.shape), tuple(other.shape)) for one, other in pairs]
    for one, other in shapes:
        fits = len(one) == len(other) and all(t in (None, g) for t, g in zip(one, other, strict=True))
        specimen.expect(fits, f"`compute_output_shape` says {one}, the answer to {what} has the shape {other}.")
    for symbol, tensor in pairs:
        dtypes = [keras.backend.standardize_dtype(one.dtype) for one in (symbol, tensor)]
        specimen.expect(
            dtypes[0] == dtypes[1],
            f"Symbolically the answer to {what} is {dtypes[0]}, but it is "
            f"{dtypes[1]}. Cast it to self.compute_dtype, or make sub-layers with "
            "dtype=self.dtype_policy.",
        )


def _check_build(specimen: Specimen, expected: int) -> None:
    """All weights are there once `build` was called with the shapes, where there is one."""
    layer = specimen.make()
    if type(layer).build is keras.layers.Layer.build:
        return
    with specimen.attempt("`build` must work with the shapes of the input alone."):
        if specimen.by_name:
            taken = inspect.signature(layer.build).parameters
            shapes = {f"{name}_shape": shape for name, shape in specimen.pack(specimen.shapes).items()}
            layer.build(**{name: shape for name, shape in shapes.items() if name in taken})
        else:
            layer.build(specimen.pack(specimen.shapes))
    specimen.expect(
        len(layer.weights) == expected,
        f"`build` makes {len(layer.weights)} of its {expected} weights, the others are made in `call`, so "
        "they are missing when a file is loaded. Build sub-layers in `build`.",
    )
