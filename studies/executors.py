"""Where cells run: processes of this machine, or a Dask cluster."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from functools import partial
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from ..problem.errors import InputError
from ..watch import Watch
from .cell import Answer, Cell
from .worker import Worker

K = TypeVar("K")

#: Seconds between two looks at the watch.
_LOOK_S = 0.2


class CellExecutor(NamedTuple):
    """Runs cells, several at a time.

    Attributes
    ----------
    executor : concurrent.futures.Executor
    slots : int
        Cells that run at the same time.
    run : callable
        Runs one cell in a worker process.
    """

    executor: Executor
    slots: int
    run: Callable[[Cell], Answer]

    def answers(self, cells: Mapping[K, Cell], watch: Watch) -> Iterator[tuple[K, Answer]]:
        """Run cells, begun in their order, until all have answered or the watch wants to stop."""
        waiting = iter(cells.items())
        pending: dict[Future[Answer], K] = {}
        while True:
            # Not all at once: a cluster would keep thousands in memory.
            for key, cell in itertools.islice(waiting, 2 * self.slots - len(pending)):
                pending[self.executor.submit(self.run, cell)] = key
            if not pending:
                return
            done = wait(pending, timeout=_LOOK_S, return_when=FIRST_COMPLETED).done
            if watch.stopped:
                return
            for future in done:
                yield pending.pop(future), _answer(future)


def _answer(future: Future[Answer]) -> Answer:
    try:
        return future.result()
    except CancelledError:
        raise InputError("the cluster is gone: the same command goes on with another") from None
    except Exception as error:  # a cell that takes down one machine of a cluster after the other
        return Answer(None, {}, error=f"{type(error).__name__}: {error}")


@contextlib.contextmanager
def local(jobs: int, grace_s: float, memory_mb: int | None) -> Iterator[CellExecutor]:
    """Processes of this machine; cells that still run at the end are killed."""
    if not 1 <= jobs <= 1024:
        raise InputError(f"jobs: must be between 1 and 1024, got {jobs}")
    workers = [Worker(grace_s, memory_mb) for _ in range(jobs)]
    free: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        free.put(worker)

    def run(cell: Cell) -> Answer:
        worker = free.get()
        try:
            return worker.run(cell)
        finally:
            free.put(worker)

    executor = ThreadPoolExecutor(jobs)
    try:
        yield CellExecutor(executor, jobs, run)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        # Threads that still wait for an answer get an error and end.
        for worker in workers:
            worker.close()


@contextlib.contextmanager
def dask(address: str, grace_s: float, memory_mb: int | None) -> Iterator[CellExecutor]:
    """Workers of a Dask cluster; cells of one that is lost run again on another.

    Cells that wait at the end are dropped; those that run go on to their own end.
    """
    try:
        import distributed
    except ImportError:
        raise InputError("--scheduler needs the extra expertcache[dask]") from None
    try:
        client: Any = distributed.Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(f"--scheduler {address}: {error}") from None
    with client:
        slots = sum(client.nthreads().values())
        if slots == 0:
            raise InputError(f"--scheduler {address}: the cluster has no workers")
        executor = client.get_executor(pure=False)
        try:
            yield CellExecutor(executor, slots, partial(_run_on_cluster, grace_s, memory_mb))
        finally:
            executor.shutdown(wait=False)


_mine = threading.local()


def _run_on_cluster(grace_s: float, memory_mb: int | None, cell: Cell) -> Answer:
    """Run a cell in the worker process of this thread of a machine of the cluster."""
    limits = (grace_s, memory_mb)
    if getattr(_mine, "limits", None) != limits:
        if hasattr(_mine, "worker"):
            _mine.worker.close()
        _mine.worker, _mine.limits = Worker(grace_s, memory_mb), limits
    worker: Worker = _mine.worker
    return worker.run(cell)
