"""The contract check of a loss."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from tfkit.testing.backend import compile_function, compute_gradients
from tfkit.testing.expectations import Checker, relative_difference
from tfkit.testing.serialization import check_config, check_fresh_process, check_no_default


def check_loss(
    loss_class: Any,
    arguments: dict[str, Any],
    y_true: Any,
    y_pred: Any,
    *,
    at_default: Sequence[str] = (),
    invalid_arguments: Sequence[tuple[dict[str, Any], str]] = (),
    tolerance: float = 1e-5,
) -> None:
    """Check that a loss meets the contract of a Keras loss.

    Checked: invalid arguments raise with their message; the loss has one value per row, so that sample weights apply
    correctly; its compiled and eager values are equal; the gradient with respect to the predictions is finite, also
    for predictions multiplied by 100; `get_config` contains every argument, the name and the reduction, and creates an
    equal loss, in this process and in a fresh one (see `check_layer`). Without `get_config`, Keras silently saves a
    loss with its default arguments.

    Args:
        loss_class: A subclass of `keras.losses.Loss`, at the top level of a module that can be imported.
        arguments: Constructor arguments by name, none of them at its default, so that a missing one is detected.
        y_true: Example targets, at least 2 rows.
        y_pred: Example predictions.
        at_default: Names of arguments that stay at their default here.
        invalid_arguments: Pairs of invalid arguments (merged into `arguments`) and a regular expression that the error
            message must match.
        tolerance: Largest allowed difference between two ways to compute the same value, relative to the value if that
            is above 1.

    Raises:
        AssertionError: With a sentence that says what is wrong and how to fix it.

    Example:
        >>> import numpy as np, tfkit
        >>> logits = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
        >>> focal, labels = tfkit.losses.SparseCategoricalFocalCrossentropy, np.array([0, 2, 1, 1])
        >>> tfkit.testing.check_loss(focal, {"gamma": 0.5}, labels, logits)
    """
    checker = Checker(loss_class.__name__, tolerance)
    check_no_default(checker, loss_class, arguments, at_default)
    checker.expect_rejected(lambda **invalid: loss_class(**{**arguments, **invalid}), invalid_arguments)
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    loss = loss_class(**arguments, name="another", reduction="sum")
    _check_rows(checker, loss, loss_class(**arguments, reduction=None)(y_true, y_pred), y_true, y_pred)
    _check_compiled(checker, loss, y_true, y_pred)
    _check_gradients(checker, loss, y_true, y_pred)
    restored = check_config(checker, loss, {**arguments, "name": "another", "reduction": "sum"})
    checker.expect(
        relative_difference(restored(y_true, y_pred), loss(y_true, y_pred)) == 0,
        "A loss created from its configuration has different values. Return the constructor arguments from "
        "`get_config`.",
    )
    check_fresh_process(checker, loss, [[y_true, y_pred]], [loss(y_true, y_pred)])


def _check_rows(checker: Checker, loss: Any, row_losses: Any, y_true: np.ndarray, y_pred: np.ndarray) -> None:
    """Check that the loss has values per row, multiplied by the sample weights."""
    checker.expect(
        tuple(row_losses.shape)[:1] == (len(y_pred),),
        "`call` must return one or several values per row, and leave their mean to Keras. It returns the shape "
        f"{tuple(row_losses.shape)}.",
    )
    weights = np.linspace(0.0, 1.0, len(y_pred)).astype("float32").reshape(-1, *[1] * (len(row_losses.shape) - 1))
    expected = keras.ops.sum(row_losses * weights)
    checker.expect_close(
        loss(y_true, y_pred, sample_weight=weights),
        expected,
        "Sample weights are not applied correctly. Return one value per row from `call`, in the order "
        "of the rows, and do not override `__call__`.",
    )


def _check_compiled(checker: Checker, loss: Any, y_true: np.ndarray, y_pred: np.ndarray) -> None:
    """Check that the compiled loss equals the eager loss for any number of rows."""
    arrays = (y_true, y_pred)
    shapes, dtypes = [(None, *array.shape[1:]) for array in arrays], [array.dtype.name for array in arrays]
    compiled = compile_function(loss, [], shapes, dtypes)
    for num_rows in (len(y_pred), 1):
        tensors = [keras.ops.convert_to_tensor(array[:num_rows]) for array in arrays]
        with checker.attempt(
            "It must run compiled. Use keras.ops instead of NumPy, and no Python `if` on values of a tensor."
        ):
            value = compiled(*tensors)
        checker.expect_close(value, loss(*tensors), "The compiled and the eager value differ. Use keras.ops.")


def _check_gradients(checker: Checker, loss: Any, y_true: np.ndarray, y_pred: np.ndarray) -> None:
    """Check that the gradient is finite, also for predictions far from the targets."""
    for factor in (1, 100):
        predictions = keras.Variable(y_pred * factor)
        gradient = compute_gradients(partial(loss, y_true, predictions), [predictions])[0]
        checker.expect(
            gradient is not None and np.isfinite(gradient).all(),
            f"The gradient with respect to the predictions{' multiplied by 100' if factor > 1 else ''} is not finite. "
            "Look for a logarithm, a square root or a division at 0, also inside `where`.",
        )
