"""A large file is predicted a block of rows at a time: the next is read while this one is computed."""

import itertools
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

AHEAD = 2  # blocks that are read beside the one that is computed
EVERY = 64  # rows, of which one is held against training for drift


def predict_blocks(run: Any, blocks: Any, out: Path, joined: Callable[[Any, Any], Any]) -> bool:
    """Predict a file a block at a time, and write own columns and answers whole or not at all.

    Args:
        run: The run.
        blocks: Raw rows and own columns, block by block; `blocks.done` is the share that has been read.
        out: Where the answers go.
        joined: From own columns and answers of a block to the frame that is written.

    Returns:
        Whether it was done: it cannot be where the type of a column shows only when all of it has been read.
    """
    from tfkit.answers import one_a_row
    from tfkit.data.files import kind_of, writing
    from tfkit.loop import predictor

    with ahead((*block, blocks.done) for block in blocks) as rows, bar("Predicting") as moved:
        first = next(rows, None)
        if first is None:  # what is wrong with it is said by who reads it whole
            return False
        if kind_of(out.name)[0] == "parquet" and any(_unclear(column) for _, column in first[1].items()):
            return False
        says, some = predictor(run.model, first[0]), []
        with writing(out) as write:
            for raw, own, done in itertools.chain([first], rows):
                write(joined(own, one_a_row(says(raw))))
                some.append({name: array[::EVERY] for name, array in raw.items()})
                moved(done)
    run.warn_of_drift(_together(some))
    return True


@contextmanager
def ahead(items: Iterable[Any], most: int = AHEAD) -> Iterator[Iterator[Any]]:
    """The same items, made by another thread before they are asked for, at most so many of them.

    Example:
        >>> with ahead(range(3)) as numbers:
        ...     list(numbers)
        [0, 1, 2]
    """
    made: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(most)
    stopped, end = threading.Event(), StopIteration()

    def put(item: Any, error: BaseException | None = None) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                made.put((item, error), timeout=0.1)
                break

    def work() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
            put(None, end)
        except BaseException as error:
            put(None, error)

    def taken() -> Iterator[Any]:
        while True:
            item, error = made.get()
            if error is end:
                return
            if error is not None:
                raise error
            yield item

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stopped.set()
        thread.join()


@contextmanager
def bar(words: str) -> Iterator[Callable[[float], None]]:
    """A bar with the time that is left, for a person at a terminal; told the share that is done."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(file=sys.stderr)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(words, total=1.0)
        yield lambda share: shown.update(task, completed=share)


def _unclear(column: Any) -> bool:
    """Whether other cells of a column may have another type: objects that are not yes or no."""
    from pandas.api.types import infer_dtype

    return column.dtype == object and infer_dtype(column, skipna=True) != "boolean"


def _together(some: list[dict[str, Any]]) -> dict[str, Any]:
    import numpy as np

    return {name: np.concatenate([one[name] for one in some]) for name in some[0]}
