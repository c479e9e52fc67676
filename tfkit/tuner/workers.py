"""Where trials run: processes started afresh and used again, each with its share of the machine, behind an executor.

The search submits `run(job)` to any `concurrent.futures.Executor` and knows no more. Here that is a pool of threads,
each of which owns a process; on a cluster it is Dask's, whose workers then own the processes.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tfkit.errors import UserError

TRIALS = 20  # of a process, before it is started afresh: memory comes back

_own = threading.local()
_all: list["Worker"] = []


class Worker:
    """A process that trains, and that may die without taking anybody along.

    Args:
        share: Which of how many workers on this machine it is; it gets that part of the cores and of the GPUs.
    """

    def __init__(self, share: tuple[int, int] = (0, 1)):
        self.share, self.trials = share, 0
        self._process: subprocess.Popen[str] | None = None
        _all.append(self)

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Train, and say what came of it; a process that dies has failed, and the next job gets another."""
        if self._process is not None and (self._process.poll() is not None or self.trials >= TRIALS):
            self.close()
        process = self._process = self._process or self._start()
        self.trials += 1
        try:
            process.stdin.write(json.dumps(job) + "\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            line = process.stdout.readline()  # type: ignore[union-attr]
        except OSError:
            line = ""
        if line:
            if job["device"].startswith("mirrored") or len(gpus()) > self.share[1]:
                self.close()  # a process takes one model over several replicas: a second one may fail
            return dict(json.loads(line))
        code = process.wait()
        self.close()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        why = ": memory may have run out" if code == -signal.SIGKILL else ""
        return {"state": "failed", "reason": f"its process ended with {how}{why}"}

    def _start(self) -> subprocess.Popen[str]:
        number, of = self.share
        self.trials = 0
        command = [sys.executable, "-m", "tfkit.tuner.child"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        found = subprocess.Popen(command, text=True, start_new_session=True, env=environment(number, of), **pipes)  # type: ignore[call-overload]
        cores = share_of(sorted(os.sched_getaffinity(0)), number, of) if hasattr(os, "sched_setaffinity") else []
        if of > 1 and cores:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(found.pid, cores)
        return found

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
            self._process = None


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Do a job in the process that belongs to this thread."""
    if not hasattr(_own, "worker"):
        _own.worker = Worker(getattr(_own, "share", (0, 1)))
    return _own.worker.run(job)


def share_of(things: list[Any], number: int, of: int) -> list[Any]:
    """The part of some things that one of several workers gets; more workers than things share them.

    Example:
        >>> share_of([0, 1, 2, 3], 1, 2), share_of([0, 1], 2, 3)
        ([1, 3], [0])
    """
    return things[number::of] or ([things[number % len(things)]] if things else [])


def environment(number: int, of: int) -> dict[str, str]:
    """What a worker's process is told: its GPUs, and that this very tfkit is the one to import."""
    from tfkit import HERE

    found = dict(os.environ)
    found["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE.parent), found.get("PYTHONPATH"), os.getcwd()]))
    if of > 1 and gpus():
        found["CUDA_VISIBLE_DEVICES"] = ",".join(share_of(gpus(), number, of))
    return found


def gpus() -> list[str]:
    """The GPUs that this process may use, by number."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name]
    return [str(number) for number, _ in enumerate(Path("/proc/driver/nvidia/gpus").glob("*"))]


class Here(Executor):
    """Trains in this process, one job after the other: a recipe that exists in memory only cannot go elsewhere."""

    def __init__(self, recipe: Any):
        from tfkit.tuner.prepared import Prepared

        self.recipes = {True: recipe, False: recipe.replace(data=Prepared(recipe.data))}

    def submit(self, function: Any, job: dict[str, Any], /, *_: Any, **__: Any) -> Future[Any]:  # type: ignore[override]
        """Do the job now."""
        from tfkit.tuner.child import do

        found: Future[Any] = Future()
        found.set_result(do(job, self.recipes[job["test"]]))
        return found


@contextlib.contextmanager
def executor(jobs: int, scheduler: str | None = None) -> Iterator[Executor]:
    """So many workers of this machine, or those of a Dask cluster, as an executor; closed with all of its processes."""
    if scheduler is not None:
        with _cluster(scheduler) as found:
            yield found
        return
    numbers = iter(range(jobs))
    lock = threading.Lock()

    def begin() -> None:
        with lock:
            _own.share = (next(numbers), jobs)

    pool = ThreadPoolExecutor(jobs, initializer=begin)
    try:
        yield pool
    finally:
        for worker in list(_all):
            worker.close()
        _all.clear()
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ImportError:
        raise UserError("Trials on a Dask cluster need the extra `cluster`: pip install 'tfkit[cluster]'") from None
    try:
        client = Client(address, timeout=10)
    except OSError as error:
        raise UserError(f"No Dask scheduler answers at {address}: {error}") from None
    with client:
        yield client.get_executor(pure=False)
