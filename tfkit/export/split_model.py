"""Split of a run's model into preprocessing and trained model, for formats that cannot contain the preprocessing."""

from typing import Any

import keras

from tfkit.errors import UserError


class InferenceModel(keras.Model):
    """Model in inference mode: dropout and other random layers are off in every format.

    Args:
        inner: A model whose input is a dictionary of tensors.
    """

    def __init__(self, inner: keras.Model, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)  # float64 inputs stay float64
        self.inner = inner

    def call(self, rows: Any) -> Any:
        return self.inner(rows, training=False)


def split_model(model: keras.Model, network: str | None) -> tuple[keras.Model, keras.Model]:
    """Split the model at the input of the recipe's network.

    Args:
        model: The saved model of a run.
        network: Name of the layer that is the recipe's network.

    Returns:
        The preprocessing, from raw rows to a dictionary of tensors, and the trained model, from these to predictions.

    Raises:
        UserError: If the model has no such layer.
    """
    networks = [layer for layer in model.layers if layer.name == network]
    if not networks:
        raise UserError(
            "The model must contain the recipe's network as one layer, to be split before it; train it again, or "
            f"export it to keras or savedmodel. Received: no layer {network!r}"
        )
    # `input` of a nested model is its own input, not the tensor that it is called with
    tensors = networks[0]._inbound_nodes[0].arguments.args[0]
    tensors = tensors if isinstance(tensors, dict) else _add_names(tensors)
    inputs = {
        name: keras.Input(tensor.shape[1:], dtype=_input_dtype(tensor.dtype), name=name)
        for name, tensor in tensors.items()
    }
    trained = keras.Model(list(tensors.values()), model.output)
    return keras.Model(model.input, tensors), keras.Model(inputs, trained(list(inputs.values())))


def _add_names(tensors: Any) -> dict[str, Any]:
    """Name tensors that have no names in the recipe."""
    tensors = keras.tree.flatten(tensors)
    return {"prepared" if len(tensors) == 1 else f"prepared_{i}": tensor for i, tensor in enumerate(tensors)}


def _input_dtype(dtype: str) -> str:
    """Replace integer types by int32, which every runtime supports."""
    return "int32" if "int" in dtype else dtype
