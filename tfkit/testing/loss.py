"""The contract of a loss."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from tfkit.testing.backend import compiled, gradients
from tfkit.testing.judge import Judge, difference
from tfkit.testing.saving import expect_config, expect_no_default, expect_revival


def check_loss(
    loss_class: Any,
    arguments: dict[str, Any],
    y_true: Any,
    y_pred: Any,
    *,
    at_default: Sequence[str] = (),
    refused: Sequence[tuple[dict[str, Any], str]] = (),
    tolerance: float = 1e-5,
) -> None:
    """Hold a loss to what every loss of Keras should be, and say in a sentence what it is not.

    Checked: wrong arguments raise with their message; it is one number a row, so that weights of rows count as they
    should; compiled, it says what it says eagerly; the gradient of the answers is finite, also of answers a hundred
    times as large; `get_config` forgets neither an argument nor the name and the reduction, and makes the same loss
    again, in this process and in a fresh one (see `check_layer`). Without `get_config` Keras saves a loss with its
    default arguments and says nothing.

    Args:
        loss_class: A subclass of `keras.losses.Loss`, at the top of a module that can be imported.
        arguments: Arguments of its constructor by name, none of them at its default, so that a forgotten one shows.
        y_true: An example of its target, at least 2 rows.
        y_pred: An example of the answers.
        at_default: Names of arguments that stay at their default here.
        refused: Pairs of arguments (put over `arguments`) and a regular expression that the message must contain.
        tolerance: Largest difference allowed between two ways to the same value, as a share of it where it is above 1.

    Raises:
        AssertionError: With a sentence that says what is wrong and what to do.

    Example:
        >>> import numpy as np, tfkit
        >>> logits = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
        >>> tfkit.testing.check_loss(tfkit.losses.SparseFocal, {"gamma": 0.5}, np.array([0, 2, 1, 1]), logits)
    """
    judge = Judge(loss_class.__name__, tolerance)
    expect_no_default(judge, loss_class, arguments, at_default)
    judge.expect_refusal(lambda **change: loss_class(**{**arguments, **change}), refused)
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    loss = loss_class(**arguments, name="another", reduction="sum")
    _check_rows(judge, loss, loss_class(**arguments, reduction=None)(y_true, y_pred), y_true, y_pred)
    _check_compiled(judge, loss, y_true, y_pred)
    _check_gradients(judge, loss, y_true, y_pred)
    again = expect_config(judge, loss, {**arguments, "name": "another", "reduction": "sum"})
    same = difference(again(y_true, y_pred), loss(y_true, y_pred)) == 0
    judge.expect(
        same,
        "Made from its configuration it says something else. Return from `get_config` what the constructor was given.",
    )
    expect_revival(judge, loss, [[y_true, y_pred]], [loss(y_true, y_pred)])


def _check_rows(judge: Judge, loss: Any, rows: Any, y_true: np.ndarray, y_pred: np.ndarray) -> None:
    """One number a row, which its weight multiplies."""
    judge.expect(
        tuple(rows.shape)[:1] == (len(y_pred),),
        "`call` must return one number a row, or several, and leave their mean to Keras. It returns the shape "
        f"{tuple(rows.shape)}.",
    )
    weights = np.linspace(0.0, 1.0, len(y_pred)).astype("float32").reshape(-1, *[1] * (len(rows.shape) - 1))
    by_hand = keras.ops.sum(rows * weights)
    judge.expect_same(
        loss(y_true, y_pred, sample_weight=weights),
        by_hand,
        "Weights of rows do not count as they should. Return one number a row from `call`, in the order "
        "of the rows, and leave `__call__` to Keras.",
    )


def _check_compiled(judge: Judge, loss: Any, y_true: np.ndarray, y_pred: np.ndarray) -> None:
    """In a graph it says the same of any number of rows."""
    pair = (y_true, y_pred)
    fast = compiled(loss, [], [(None, *one.shape[1:]) for one in pair], [one.dtype.name for one in pair])
    for rows in (len(y_pred), 1):
        tensors = [keras.ops.convert_to_tensor(one[:rows]) for one in pair]
        with judge.attempt("It must run compiled. Use keras.ops in place of NumPy, and no Python `if` on a tensor."):
            said = fast(*tensors)
        judge.expect_same(said, loss(*tensors), "Compiled, it says something else than eagerly. Use keras.ops.")


def _check_gradients(judge: Judge, loss: Any, y_true: np.ndarray, y_pred: np.ndarray) -> None:
    """The slope is a number, also where an answer is far off."""
    for times in (1, 100):
        answers = keras.Variable(y_pred * times)
        slope = gradients(partial(loss, y_true, answers), [answers])[0]
        judge.expect(
            slope is not None and np.isfinite(slope).all(),
            f"The gradient of {'a hundred times ' if times > 1 else ''}the answers is not finite. Look for a "
            "logarithm, a root or a division at 0, also behind `where`.",
        )
