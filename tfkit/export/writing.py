"""A model written in each format, by that format's own converter."""

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

from tfkit.display import held_back
from tfkit.errors import UserError

# What writing and checking a format needs beside TensorFlow: the module, and the extra that installs it.
NEEDS = {"onnx": ("tf2onnx", "onnx", "onnxruntime"), "litert": ("ai_edge_litert",)}
OPSET = 18  # the newest that tf2onnx writes; n-grams need operations that 15 has not


def check_installed(format: str) -> None:
    """Refuse a format whose packages are not there.

    Raises:
        UserError: With the command that installs them.
    """
    lacking = [name for name in NEEDS.get(format, ()) if importlib.util.find_spec(name) is None]
    if lacking:
        raise UserError(
            f"`format={format}` needs packages that are not installed: pip install 'tfkit[{format}]'. "
            f"Received: no {', '.join(lacking)}"
        )


def copy(source: Path, path: Path) -> None:
    """The `.keras` file as it is."""
    shutil.copyfile(source, path)


def write(format: str, model: Any, path: Path, *, one_row: bool = False) -> None:
    """Convert a model on a dictionary of tensors.

    Args:
        format: savedmodel, onnx or litert.
        model: What is written; it answers as outside training.
        path: The file or folder.
        one_row: Whether the file takes a row at a time; some layers need that in LiteRT.

    Raises:
        UserError: With what the converter says, if it cannot.
    """
    import tensorflow as tf

    from tfkit.export.halves import Answering

    answering = Answering(model)
    rows = 1 if one_row else None
    specs = {t.name: tf.TensorSpec((rows, *t.shape[1:]), t.dtype, name=t.name) for t in model.inputs}
    how: Any = {
        "savedmodel": {"format": "tf_saved_model"},
        "onnx": {"format": "onnx", "opset_version": OPSET},
        "litert": {"format": "litert"},
    }[format]
    try:
        with _silent(), MENDED.get(format, nullcontext)():
            answering(model.input)  # or it is not built
            answering.export(str(path), input_signature=[specs], verbose=False, **how)
    except OSError:
        raise
    except Exception as error:  # whatever a converter does not know
        raise UserError(
            f"A model can only be exported to {format} where every layer can be. Received: {path.name}, of "
            f"which the converter says: {_said(error)}"
        ) from error


@contextmanager
def _exact_choices() -> Iterator[None]:
    """Let tf2onnx write a choice as one: it writes `x * yes + y * no`, which is NaN wherever either of them is."""
    from tf2onnx.onnx_opset.controlflow import Select

    as_product = Select.version_7

    def version_7(cls: Any, context: Any, node: Any, **options: Any) -> None:
        if node.type == "SelectV2":
            node.type = "Where"
        else:
            as_product(context, node, **options)

    with patch.object(Select, "version_7", classmethod(version_7)):
        yield


@contextmanager
def _plain_sums() -> Iterator[None]:
    """Let a sum be one: of one row `(1, steps, 1)` Keras takes the second part for a bias, which LiteRT refuses."""
    import tensorflow as tf

    real = tf.nn.bias_add

    def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Any:
        if data_format == "NCHW":
            return tf.add(value, tf.reshape(bias, [1, -1, *[1] * (len(value.shape) - 2)]))
        return real(value, bias, data_format=data_format, name=name)

    with patch.object(tf.nn, "bias_add", bias_add):
        yield


MENDED = {"onnx": _exact_choices, "litert": _plain_sums}


@contextmanager
def _silent() -> Iterator[None]:
    """Converters say much that nobody can mend; an error lets it out."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow", "absl")]
    levels, handlers = [logger.level for logger in loggers], list(logging.root.handlers)
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with held_back(aloud=False), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for added in set(logging.root.handlers) - set(handlers):  # by what logs without a logger
            logging.root.removeHandler(added)


def _said(error: Exception) -> str:
    """The line of a converter's message that says what is wrong, in one line."""
    unknown = re.search(r'fused\["(\w+):', str(error))
    if unknown:
        return f"it cannot do the operation {unknown[1]} with these types"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line or "not supported" in line or "Flex" in line]
    return f"{type(error).__name__}: {(telling or lines or [''])[0]}"[:400]
