"""Prediction of large files in chunks: the next chunk is read while the current one is computed."""

import itertools
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.console import ProgressBar
from tfkit.datasets.batch_predict import compiled_predictor, squeeze_outputs

PREFETCH_CHUNKS = 2

DRIFT_STRIDE_ROWS = 64  # every 64th row is compared with training for drift


def predict_chunks(predictor: Any, chunks: Any, out: Path, join: Callable[[Any, np.ndarray], Any]) -> bool:
    """Predict a file chunk by chunk; the output file is written atomically.

    Args:
        predictor: The `Predictor` of the run.
        chunks: Raw rows and columns of the file, chunk by chunk; `chunks.fraction_read` is the part that has been read.
        out: The file to write.
        join: From columns and outputs of a chunk to the frame that is written.

    Returns:
        Whether the file was predicted: False if the type of a column is known only after reading the complete file.
    """
    from tfkit.data.files.formats.suffixes import file_format
    from tfkit.data.files.write import open_table_writer, text_format

    with prefetch((*chunk, chunks.fraction_read) for chunk in chunks) as rows, ProgressBar("Predicting") as bar:
        first = next(rows, None)
        if first is None:  # reading the complete file raises the error
            return False
        if file_format(out.name)[0] == "parquet" and any(_has_unclear_type(column) for _, column in first[1].items()):
            return False
        compute, samples = compiled_predictor(predictor.model, first[0]), []
        with open_table_writer(out, **text_format(first[1])) as write:
            for raw, columns, fraction_read in itertools.chain([first], rows):
                write(join(columns, squeeze_outputs(compute(raw))))
                samples.append({name: array[::DRIFT_STRIDE_ROWS] for name, array in raw.items()})
                bar.update(fraction_read)
    predictor.warn_of_drift({name: np.concatenate([sample[name] for sample in samples]) for name in samples[0]})
    return True


@contextmanager
def prefetch(items: Iterable[Any], size: int = PREFETCH_CHUNKS) -> Iterator[Iterator[Any]]:
    """The same items, produced by another thread up to `size` items ahead.

    Example:
        >>> with prefetch(range(3)) as numbers:
        ...     list(numbers)
        [0, 1, 2]
    """
    buffer: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(size)
    stopped, end = threading.Event(), StopIteration()

    def put(item: Any, error: BaseException | None = None) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                buffer.put((item, error), timeout=0.1)
                break

    def produce() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
            put(None, end)
        except BaseException as error:
            put(None, error)

    def consume() -> Iterator[Any]:
        while True:
            item, error = buffer.get()
            if error is end:
                return
            if error is not None:
                raise error
            yield item

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        stopped.set()
        thread.join()


def _has_unclear_type(column: Any) -> bool:
    """Whether later cells of a column may have another type: objects that are not booleans."""
    from pandas.api.types import infer_dtype

    return column.dtype == object and infer_dtype(column, skipna=True) != "boolean"
