"""Conversion of a model to each export format, with the converter of that format."""

import importlib.util
import logging
import re
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tfkit.console import suppress_native_stderr
from tfkit.errors import UserError

# Modules that converting to and verifying a format needs besides TensorFlow; the extra has the name of the format.
REQUIRED_MODULES = {"onnx": ("tf2onnx", "onnx", "onnxruntime"), "litert": ("ai_edge_litert",)}

OPSET = 18  # the newest that tf2onnx supports; n-grams need operations that 15 does not have

MAX_MESSAGE_CHARACTERS = 400  # of a converter's error message


def check_installed(format: str) -> None:
    """Raise if the packages of a format are not installed.

    Raises:
        UserError: With the command to install them.
    """
    missing = [name for name in REQUIRED_MODULES.get(format, ()) if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"`format={format}` needs packages that are not installed: pip install 'keras-recipes[{format}]'. "
            f"Received: no {', '.join(missing)}"
        )


def copy(source: Path, path: Path) -> None:
    """Copy the `.keras` file."""
    shutil.copyfile(source, path)


def write(format: str, model: Any, path: Path, *, one_row: bool = False) -> None:
    """Convert a model whose input is a dictionary of tensors.

    Args:
        format: savedmodel, onnx or litert.
        model: The model; it is converted in inference mode.
        path: The file or directory to write.
        one_row: Whether the batch size is fixed to 1, which some layers need in LiteRT.

    Raises:
        UserError: If the converter fails, with its message.
    """
    import tensorflow as tf

    from tfkit.export.split_model import InferenceModel

    inference_model = InferenceModel(model)
    batch_size = 1 if one_row else None
    specs = {
        tensor.name: tf.TensorSpec((batch_size, *tensor.shape[1:]), tensor.dtype, name=tensor.name)
        for tensor in model.inputs
    }
    options: Any = {
        "savedmodel": {"format": "tf_saved_model"},
        "onnx": {"format": "onnx", "opset_version": OPSET},
        "litert": {"format": "litert"},
    }[format]
    try:
        with _silence_converter(), CONVERTER_PATCHES.get(format, nullcontext)():
            inference_model(model.input)  # builds it
            inference_model.export(str(path), input_signature=[specs], verbose=False, **options)
    except OSError:
        raise
    except Exception as error:  # converters raise many types
        raise UserError(
            f"A model can be exported to {format} only if every layer can be. Received: {path.name}, for "
            f"which the converter reports: {_summarize_error(error)}"
        ) from error


@contextmanager
def _convert_select_to_where() -> Iterator[None]:
    """Make tf2onnx convert a selection to `Where` instead of `x * mask + y * (1 - mask)`.

    The product is NaN where the value that is not selected is NaN.
    """
    from tf2onnx.onnx_opset.controlflow import Select

    convert_to_product = Select.version_7

    def version_7(cls: Any, context: Any, node: Any, **options: Any) -> None:
        if node.type == "SelectV2":
            node.type = "Where"
        else:
            convert_to_product(context, node, **options)

    with patch.object(Select, "version_7", classmethod(version_7)):
        yield


@contextmanager
def _convert_bias_add_to_add() -> Iterator[None]:
    """Convert `bias_add` in NCHW format to a plain sum, because LiteRT does not support it.

    For one row `(1, steps, 1)` Keras mistakes the second operand of a sum for a bias.
    """
    import tensorflow as tf

    original_bias_add = tf.nn.bias_add

    def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Any:
        if data_format == "NCHW":
            return tf.add(value, tf.reshape(bias, [1, -1, *[1] * (len(value.shape) - 2)]))
        return original_bias_add(value, bias, data_format=data_format, name=name)

    with patch.object(tf.nn, "bias_add", bias_add):
        yield


CONVERTER_PATCHES = {"onnx": _convert_select_to_where, "litert": _convert_bias_add_to_add}


@contextmanager
def _silence_converter() -> Iterator[None]:
    """Suppress the output of converters, which users cannot act on."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow", "absl")]
    levels, handlers = [logger.level for logger in loggers], list(logging.root.handlers)
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with suppress_native_stderr(print_on_error=False), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for handler in set(logging.root.handlers) - set(handlers):  # by the logging functions of the root logger
            logging.root.removeHandler(handler)


def _summarize_error(error: Exception) -> str:
    """Select the line with the cause from a converter's message."""
    unsupported = re.search(r'fused\["(\w+):', str(error))
    if unsupported:
        return f"operation {unsupported[1]} is not supported for these types"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if "error:" in line or "not supported" in line or "Flex" in line]
    return f"{type(error).__name__}: {(causes or lines or [''])[0]}"[:MAX_MESSAGE_CHARACTERS]
