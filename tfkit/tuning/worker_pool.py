"""Executors that run trials in worker processes, each with a share of the machine's cores and GPUs.

The search submits `run(job)` to any `concurrent.futures.Executor`. On one machine that is a pool of threads, each of
which owns a process; on a cluster it is the executor of Dask, whose workers own the processes.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from tfkit.errors import UserError
from tfkit.python_process import JSONProcess, environment
from tfkit.recipe import Recipe

MAX_TRIALS_PER_PROCESS = 20  # then the process is restarted, which frees its memory

CONNECT_TIMEOUT_SECONDS = 10

Item = TypeVar("Item")

_thread_local = threading.local()

_workers: list["Worker"] = []


class Worker:
    """Worker process that trains trials, and is restarted if it dies.

    Args:
        share: Index of this worker and number of workers on this machine; the cores and GPUs are divided among them.
    """

    def __init__(self, share: tuple[int, int] = (0, 1)):
        self.share, self.trials = share, 0
        self._process: JSONProcess | None = None
        _workers.append(self)

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run a job and return its result; if the process dies the job has failed."""
        if self._process is not None and (not self._process.is_running() or self.trials >= MAX_TRIALS_PER_PROCESS):
            self.close()
        process = self._process = self._process or self._start()
        self.trials += 1
        result = process.send(job)
        if result is not None:
            if job["device"].startswith("mirrored") or len(visible_gpus()) > self.share[1]:
                self.close()  # a second model over several replicas may fail in the same process
            return result
        code = process.wait()
        self.close()
        status = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        hint = ": possibly out of memory" if code == -signal.SIGKILL else ""
        return {"state": "failed", "reason": f"its process ended with {status}{hint}"}

    def _start(self) -> JSONProcess:
        """Start the process, with its share of the cores."""
        index, count = self.share
        self.trials = 0
        process = JSONProcess(["-m", "tfkit.tuning.worker"], env=worker_environment(index, count), own_session=True)
        cores = share_of(sorted(os.sched_getaffinity(0)), index, count) if hasattr(os, "sched_setaffinity") else []
        if count > 1 and cores:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(process.pid, cores)
        return process

    def close(self) -> None:
        """Kill the process."""
        if self._process is not None:
            self._process.close()
            self._process = None


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Run a job in the worker process of this thread."""
    if not hasattr(_thread_local, "worker"):
        _thread_local.worker = Worker(getattr(_thread_local, "share", (0, 1)))
    return _thread_local.worker.run(job)


def share_of(items: Sequence[Item], index: int, count: int) -> list[Item]:
    """Select the items of one of several workers; if there are more workers than items they share them.

    Args:
        items: Items to divide, such as cores.
        index: Index of the worker.
        count: Number of workers.

    Example:
        >>> share_of([0, 1, 2, 3], 1, 2), share_of([0, 1], 2, 3)
        ([1, 3], [0])
    """
    return list(items[index::count]) or ([items[index % len(items)]] if items else [])


def worker_environment(index: int, count: int) -> dict[str, str]:
    """Environment variables of a worker process: its GPUs, and the path of this tfkit."""
    if count > 1 and visible_gpus():
        return environment(CUDA_VISIBLE_DEVICES=",".join(share_of(visible_gpus(), index, count)))
    return environment()


def visible_gpus() -> list[str]:
    """Indices of the GPUs that this process may use."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name]
    return [str(index) for index, _ in enumerate(Path("/proc/driver/nvidia/gpus").glob("*"))]


class InProcessExecutor(Executor):
    """Executor that trains in this process, for a recipe that exists only in memory.

    Args:
        recipe: The recipe to train.
    """

    def __init__(self, recipe: Recipe):
        from tfkit.tuning.data_cache import DataCache

        self.recipes = {True: recipe, False: recipe.replace(data=DataCache(recipe.data))}

    def submit(self, function: Callable[..., Any], job: dict[str, Any], /, *_: Any, **__: Any) -> Future[Any]:  # type: ignore[override]
        """Run the job now; `function` is ignored."""
        from tfkit.tuning.worker import run_job

        future: Future[Any] = Future()
        future.set_result(run_job(job, self.recipes[job["evaluate_test"]]))
        return future


@contextlib.contextmanager
def executor(workers: int, dask_address: str | None = None) -> Iterator[Executor]:
    """Open an executor with local workers, or those of a Dask cluster; all processes end with the block.

    Args:
        workers: Number of local workers.
        dask_address: Address of a Dask cluster; None for this machine.
    """
    if dask_address is not None:
        with _dask_executor(dask_address) as dask_executor:
            yield dask_executor
        return
    indices = iter(range(workers))
    lock = threading.Lock()

    def set_share() -> None:
        with lock:
            _thread_local.share = (next(indices), workers)

    pool = ThreadPoolExecutor(workers, initializer=set_share)
    try:
        yield pool
    finally:
        for worker in list(_workers):
            worker.close()
        _workers.clear()
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _dask_executor(address: str) -> Iterator[Executor]:
    """Open an executor on a Dask cluster."""
    try:
        from distributed import Client
    except ImportError:
        raise UserError(
            "Trials on a Dask cluster need the extra `cluster`: pip install 'keras-recipes[cluster]'"
        ) from None
    try:
        client = Client(address, timeout=CONNECT_TIMEOUT_SECONDS)
    except OSError as error:
        raise UserError(f"No Dask scheduler is reachable at {address}: {error}") from None
    with client:
        yield client.get_executor(pure=False)
