"""Where cells run: processes of this machine, or a Dask cluster."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from ..problem.errors import InputError
from .cell import Answer, Cell
from .worker import Worker

_mine = threading.local()


class Place(NamedTuple):
    """Somewhere to run cells.

    Attributes
    ----------
    executor : concurrent.futures.Executor
    slots : int
        Cells that run at the same time.
    grace_s, memory_mb
        See `Worker`.
    """

    executor: Executor
    slots: int
    grace_s: float
    memory_mb: int | None

    def submit(self, cell: Cell) -> Future[Answer]:
        """Run a cell when there is a free slot."""
        return self.executor.submit(_run, cell, self.grace_s, self.memory_mb)


def _run(cell: Cell, grace_s: float, memory_mb: int | None) -> Answer:
    """Run a cell in this thread's worker process."""
    key = (grace_s, memory_mb)
    worker: Worker | None = getattr(_mine, "worker", None)
    if worker is None or _mine.key != key:
        if worker is not None:
            worker.close()
        worker, _mine.key = Worker(grace_s, memory_mb), key
        _mine.worker = worker
        _workers.append(worker)
    return worker.run(cell)


#: All worker processes of this process, to end them together.
_workers: list[Worker] = []


@contextlib.contextmanager
def local(jobs: int, grace_s: float, memory_mb: int | None) -> Iterator[Place]:
    """Processes of this machine."""
    if not 1 <= jobs <= 1024:
        raise InputError(f"jobs: must be between 1 and 1024, got {jobs}")
    executor = ThreadPoolExecutor(jobs)
    try:
        yield Place(executor, jobs, grace_s, memory_mb)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        # Threads that still wait for an answer get an error and end.
        while _workers:
            _workers.pop().close()


@contextlib.contextmanager
def dask(address: str, grace_s: float, memory_mb: int | None) -> Iterator[Place]:
    """Workers of a Dask cluster; cells of one that is lost run again on another."""
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
        yield Place(client.get_executor(pure=False), slots, grace_s, memory_mb)
