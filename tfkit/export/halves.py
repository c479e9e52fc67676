"""A model file is two halves, what makes tensors of raw rows and what was trained; some formats hold only that."""

from typing import Any

import keras

from tfkit.errors import UserError


class Answering(keras.Model):
    """A model as it answers and never as it trains: layers that are random in training are not, in any format.

    Args:
        inner: A model on a dictionary of tensors.
    """

    def __init__(self, inner: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, rows: Any) -> Any:
        return self.inner(rows, training=False)


def halves(model: Any, network: str | None) -> tuple[Any, Any]:
    """The model cut in two where the page's `model` begins.

    Args:
        model: What a run keeps.
        network: The name of the page's model in it.

    Returns:
        `prepare`, from raw rows to a dictionary of tensors, and `trained`, from these to answers.

    Raises:
        UserError: If the model cannot be cut there.
    """
    found = [layer for layer in model.layers if layer.name == network]
    if not found:
        raise UserError(
            "The model must hold the page's own as one layer, to be cut before it; train it again, or "
            f"export it to keras or savedmodel. Received: no layer {network!r}"
        )
    tensors = found[0]._inbound_nodes[0].arguments.args[0]  # of a model `input` is its own, not what it is given
    named = tensors if isinstance(tensors, dict) else _named(tensors)
    inputs = {
        name: keras.Input(tensor.shape[1:], dtype=_plain(tensor.dtype), name=name) for name, tensor in named.items()
    }
    tail = keras.Model(list(named.values()), model.output)
    return keras.Model(model.input, named), keras.Model(inputs, tail(list(inputs.values())))


def _named(tensors: Any) -> dict[str, Any]:
    """Tensors under names of their own, where the page gave them none."""
    flat = keras.tree.flatten(tensors)
    return {"prepared" if len(flat) == 1 else f"prepared_{i}": tensor for i, tensor in enumerate(flat)}


def _plain(dtype: str) -> str:
    """int32 for whole numbers of any size: every runtime takes them."""
    return "int32" if "int" in dtype else dtype
