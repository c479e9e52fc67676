"""The contract check of a layer."""

import inspect
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfkit.testing import fresh_process
from tfkit.testing.backend import compile_function, compute_gradients
from tfkit.testing.expectations import all_finite, relative_difference, to_float64_arrays
from tfkit.testing.layer_case import LayerCase, perturb_weights, reseed
from tfkit.testing.masking import check_mask
from tfkit.testing.serialization import check_no_default, check_saving

HALF_PRECISION_TOLERANCE = {"mixed_float16": 2e-2, "mixed_bfloat16": 1e-1}  # 11 and 8 bits of precision

DROPOUT_NAME_PATTERNS = ("drop", "stochastic")  # arguments with these in their name make a layer random in training


def check_layer(
    layer_class: Any,
    arguments: dict[str, Any],
    inputs: Any,
    *,
    dynamic_axes: Any = (0,),
    padded_axis: Any = None,
    at_default: Sequence[str] = (),
    no_gradient: Sequence[str] = (),
    invalid_arguments: Sequence[tuple[dict[str, Any], str]] = (),
    empty_batch: bool = True,
    tolerance: float = 1e-5,
) -> None:
    """Check that a layer meets the contract of a Keras layer.

    Checked, in this order:

    * invalid arguments raise `ValueError` or `TypeError` with their message (`invalid_arguments`);
    * the same seed gives the same outputs and a different seed gives different outputs; nothing is random outside
      training, and a layer with a `dropout` (or `attention_dropout`, `stochastic_depth`: any name with "drop" or
      "stochastic") is random in training;
    * the symbolic shape and dtype are those of the output, for any number of rows and any size of the other axes in
      `dynamic_axes`; `build` creates every weight;
    * compiled as by `fit`, its outputs equal the eager ones;
    * `get_config` contains every argument, and a `.keras` file restores a bit-identical layer, in training too, in this
      process and in a fresh one, which has imported only Keras and the module that defines the class;
    * every trainable weight receives a finite gradient that is not 0;
    * with `mixed_float16` and `mixed_bfloat16` the weights stay float32 and the outputs are close to those in float32;
    * the values of padded steps do not change the output at real steps, in training too; a sequence with padding has
      the same output as without; a row that consists of padding gives finite outputs and gradients; the mask is passed
      on if the output keeps the axis (`padded_axis`).

    The fresh process is started by the first check and runs until Python exits, so that a whole test suite imports
    Keras only once more, not once per layer. Therefore a class imported for an earlier check is still defined for a
    later one. Works on the current Keras backend: TensorFlow, JAX, or PyTorch, where nothing is compiled and half
    precision is not checked. Random seeds are set.

    Args:
        layer_class: A subclass of `keras.layers.Layer`, at the top level of a module that can be imported.
        arguments: Constructor arguments by name, none of them at its default, so that a missing one is detected.
        inputs: Example inputs, batch axis first, at least 2 rows: an array, or a list or dictionary of arrays. A
            dictionary whose keys are arguments of `call` is passed by name.
        dynamic_axes: Axes that may have any size: a tuple for all inputs, or one per input in a list or dictionary
            like that of `inputs`.
        padded_axis: Axis along which rows are padded, usually 1, or None; or one per input, as above. Masks have the
            axes up to this one.
        at_default: Names of arguments that stay at their default here, because they exclude another argument.
        no_gradient: Path suffixes of trainable weights whose gradient is 0 by design, such as the key bias of
            attention.
        invalid_arguments: Pairs of invalid arguments (merged into `arguments`) and a regular expression that the error
            message must match.
        empty_batch: Whether the layer must accept a batch without rows; the recurrent layers of Keras do not.
        tolerance: Largest allowed difference between two ways to compute the same output, relative to the largest
            value.

    Raises:
        AssertionError: With a sentence that says what is wrong and how to fix it.

    Example:
        >>> import keras, numpy as np, tfkit
        >>> x = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
        >>> tfkit.testing.check_layer(tfkit.layers.SmoothClip, {"bound": 2.0}, x)
        >>> tfkit.testing.check_layer(tfkit.layers.SmoothClip, {}, x)
        Traceback (most recent call last):
        AssertionError: SmoothClip: `bound` is at its default (3.0). Pass a different value, so that a `get_config` ...
    """
    keras.utils.set_random_seed(0)
    case = LayerCase(layer_class, arguments, inputs, dynamic_axes, empty_batch, tolerance)
    fresh_process.start()
    check_no_default(case, layer_class, arguments, at_default)
    case.expect_rejected(case.make_built, invalid_arguments)
    check_randomness(case)
    check_shapes(case)
    check_compiled(case)
    check_saving(case)
    check_gradients(case, no_gradient)
    check_precision(case)
    check_mask(case, case.per_input(padded_axis))


def check_shapes(case: LayerCase) -> None:
    """Check the symbolic shape and dtype for every batch size and axis size."""
    layer = case.make()
    with case.attempt("Called on symbolic inputs, it must infer the shape of its output."):
        model, symbolic = case.functional(layer)
    for description, arrays in case.variants():
        with case.attempt(
            f"It must accept {description}. Get sizes from keras.ops.shape(x), use at most one -1 in a "
            "reshape, or remove the axis from `dynamic_axes`."
        ):
            outputs = case.call(layer, case.pack(arrays))
            model_outputs = model(arrays)
        _check_symbolic(case, symbolic, outputs, description)
        case.expect_close(model_outputs, outputs, f"In a functional model its output for {description} is different.")
    _check_build(case, len(layer.weights))


def check_compiled(case: LayerCase) -> None:
    """Check that compiled outputs equal eager ones.

    In a graph, sizes are unknown and Python code runs once.
    """
    layer = case.make_built()
    for training in (False, True):

        def run(*arrays: Any, training: bool = training) -> Any:
            return case.call(layer, case.pack(arrays), training=training)

        compiled = compile_function(run, layer.variables, case.shapes, case.dtypes)
        state = [keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(variable)) for variable in layer.variables]
        for description, arrays in case.variants()[: 1 if training else None]:
            tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
            outputs = []
            for function in (compiled, run):
                for variable, value in zip(layer.variables, state, strict=True):
                    variable.assign(value)
                reseed(layer)
                with case.attempt(
                    f"It must run compiled on {description}, with training={training}. Use keras.ops "
                    "instead of NumPy, and no Python `if` on values of a tensor."
                ):
                    outputs.append(function(*tensors))
            case.expect_close(
                outputs[0],
                outputs[1],
                f"The compiled and the eager output for {description} differ, with training={training}. "
                "Use keras.ops, and store no state in Python attributes.",
            )


def check_gradients(case: LayerCase, no_gradient: Sequence[str]) -> None:
    """Check that every trainable weight receives a finite gradient that is not 0."""
    layer = perturb_weights(case.make_built())
    weights = layer.trainable_weights
    random = np.random.default_rng(1)
    shapes = [output.shape for output in to_float64_arrays(case.call(layer, case.inputs, training=True))]
    targets = [keras.ops.convert_to_tensor(random.normal(size=shape), "float32") for shape in shapes]

    def loss() -> Any:
        outputs = keras.tree.flatten(case.call(layer, case.inputs, training=True))
        pairs = zip(outputs, targets, strict=True)
        return sum(
            keras.ops.sum(keras.ops.square(keras.ops.cast(output, "float32") - target)) for output, target in pairs
        )

    gradients = compute_gradients(loss, weights) if weights else []
    largest = max((np.abs(gradient).max() for gradient in gradients if gradient is not None), default=0.0)
    for weight, gradient in zip(weights, gradients, strict=True):
        case.expect(
            gradient is None or np.isfinite(gradient).all(),
            f"The gradient of `{weight.path}` is not finite. Look for a square root, a logarithm or a division at "
            "0, also inside `where`.",
        )
        has_gradient = gradient is not None and np.abs(gradient).max() > 1e-6 * largest
        case.expect(
            has_gradient or weight.path.endswith(tuple(no_gradient)),
            f"`{weight.path}` receives no gradient in training, so it never learns. Use it in `call`, add it "
            "with trainable=False, or list it in `no_gradient` if this is intended.",
        )


def check_precision(case: LayerCase) -> None:
    """Check that computation in half precision works and weights stay float32."""
    if keras.backend.backend() == "torch":
        return
    float32_layer = case.make_built()
    expected = case.call(float32_layer, case.inputs)
    for policy, limit in HALF_PRECISION_TOLERANCE.items():
        layer = case.make(dtype=policy)
        with case.attempt(
            f"It must run with dtype={policy!r}. Cast constants to the dtype of the tensors they are combined with."
        ):
            _, symbolic = case.functional(layer)
            outputs = case.call(layer, case.inputs)
            training_outputs = case.call(layer, case.inputs, training=True)
        for weight in layer.weights:
            case.expect(
                "float" not in weight.dtype or weight.dtype == "float32",
                f"`{weight.path}` is {weight.dtype} with dtype={policy!r}. Do not pass `dtype` to "
                "`add_weight`, and create sub-layers with dtype=self.dtype_policy.",
            )
        _check_symbolic(case, symbolic, outputs, f"input with dtype={policy!r}")
        layer.set_weights(float32_layer.get_weights())
        outputs = case.call(layer, case.inputs)
        case.expect(
            all_finite([outputs, training_outputs]) or not all_finite(expected),
            f"With dtype={policy!r} the output is not finite. Compute very large or very small values in float32.",
        )
        case.expect_close(
            outputs,
            expected,
            f"With dtype={policy!r} the output differs from that in float32. Compute "
            "sums over many values, positions and exponents in float32.",
            limit,
        )


def check_randomness(case: LayerCase) -> None:
    """Check that randomness depends only on the seed, and occurs only in training."""
    outputs, weights = [], []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        layer = case.make()
        inference_outputs = case.call(layer, case.inputs)
        weights.append(layer.get_weights())
        outputs.append([inference_outputs, case.call(layer, case.inputs, training=True)])
    case.expect(
        relative_difference(outputs[0], outputs[1]) == 0,
        "The same seed gives different outputs. Use keras.random and a SeedGenerator created in "
        "the constructor, not NumPy or Python random numbers.",
    )
    has_varying_weights = any(np.ptp(weight) > 0 for weight in weights[0])
    has_fixed_seed = case.arguments.get("seed") is not None
    case.expect(
        relative_difference(weights[0], weights[2]) > 0 or not has_varying_weights or has_fixed_seed,
        "The initial weights are the same for every seed. Do not give initializers a seed of their own.",
    )
    repeated = [case.call(layer, case.inputs, **options) for options in ({}, {}, {"training": False})]
    case.expect(
        relative_difference(repeated[0], repeated[1]) == 0 == relative_difference(repeated[0], repeated[2]),
        "It is random outside training. Accept `training=False` in `call` and pass it on to dropout and "
        "other random layers.",
    )
    dropout_names = [
        name
        for name, value in case.arguments.items()
        if value and any(pattern in name for pattern in DROPOUT_NAME_PATTERNS)
    ]
    for name in dropout_names:
        layer = case.make(**{dropout_name: 0.0 for dropout_name in dropout_names if dropout_name != name})
        first = case.call(layer, case.inputs, training=True)
        later_outputs = (case.call(layer, case.inputs, training=True) for _ in range(4))
        case.expect(
            any(relative_difference(first, later) > 0 for later in later_outputs),
            f"It has `{name}`, but its output is the same at each call in training. Pass `training` on to random "
            "layers, and use a SeedGenerator instead of a fixed seed.",
        )


def _check_symbolic(case: LayerCase, symbolic: Any, outputs: Any, description: str) -> None:
    """Check that the symbolic shapes and dtypes match the outputs."""
    pairs = list(zip(keras.tree.flatten(symbolic), keras.tree.flatten(outputs), strict=True))
    for symbol, tensor in pairs:
        expected, actual = tuple(symbol.shape), tuple(tensor.shape)
        matches = len(expected) == len(actual) and all(
            size in (None, actual_size) for size, actual_size in zip(expected, actual, strict=True)
        )
        case.expect(
            matches,
            f"`compute_output_shape` returns {expected}, the output for {description} has the shape {actual}.",
        )
    for symbol, tensor in pairs:
        expected_dtype, actual_dtype = (keras.backend.standardize_dtype(x.dtype) for x in (symbol, tensor))
        case.expect(
            expected_dtype == actual_dtype,
            f"The symbolic output for {description} is {expected_dtype}, but the output is "
            f"{actual_dtype}. Cast it to self.compute_dtype, or create sub-layers with "
            "dtype=self.dtype_policy.",
        )


def _check_build(case: LayerCase, expected: int) -> None:
    """Check that `build`, if there is one, creates all weights from input shapes."""
    layer = case.make()
    if type(layer).build is keras.layers.Layer.build:
        return
    with case.attempt("`build` must work with the input shapes alone."):
        if case.inputs_by_name:
            parameters = inspect.signature(layer.build).parameters
            shapes = {f"{name}_shape": shape for name, shape in case.pack(case.shapes).items()}
            layer.build(**{name: shape for name, shape in shapes.items() if name in parameters})
        else:
            layer.build(case.pack(case.shapes))
    case.expect(
        len(layer.weights) == expected,
        f"`build` creates {len(layer.weights)} of its {expected} weights, the others are created in `call`, so "
        "they are missing when a file is loaded. Build sub-layers in `build`.",
    )
