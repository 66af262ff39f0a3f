"""A process of its own for cells, so that limits hold whatever a solver does."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

from ..problem.errors import InputError
from .cell import Answer, Cell, perform


class Worker:
    """Runs cells one after another in one child process; a new one after a failure.

    Parameters
    ----------
    grace_s : float
        Seconds beyond twice a cell's time limit after which the process is killed.
    memory_mb : int, optional
        MiB that the process may take beyond what it has when it begins.
    """

    def __init__(self, grace_s: float, memory_mb: int | None = None) -> None:
        self._grace_s, self._memory_mb = grace_s, memory_mb
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe: Connection[Cell, Answer] | None = None

    def run(self, cell: Cell) -> Answer:
        """Solve a cell; any failure is an answer with an error."""
        pipe = self._begin()
        limit = 2 * cell.time_limit_s + self._grace_s
        try:
            pipe.send(cell)
            if pipe.poll(limit):
                return pipe.recv()
            error = f"killed: no answer after {limit:g} s"
        except (EOFError, OSError):
            code = self._child.wait(10) if self._child else None
            hint = " (out of memory?)" if code in (-9, -6, 134, 137) else ""
            error = f"the process died with status {code}{hint}"
        self.close()
        return Answer(None, {}, error=error)

    def close(self) -> None:
        """Kill the process."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        if self._pipe is not None:
            self._pipe.close()
        self._child = self._pipe = None

    def _begin(self) -> Connection[Cell, Answer]:
        if self._child is not None and self._pipe is not None and self._child.poll() is None:
            return self._pipe
        self.close()
        ours, theirs = Pipe()
        numbers = [theirs.fileno(), os.getpid()]
        numbers += [] if self._memory_mb is None else [self._memory_mb]
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.worker", *map(str, numbers)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self._pipe = ours
        return ours


def serve(descriptor: int, parent: int, memory_mb: int | None) -> None:
    """Answer cells until the parent is gone."""
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    if memory_mb is not None:
        _limit_memory(memory_mb)
    with Connection(descriptor) as pipe:
        while True:
            try:
                cell = pipe.recv()
            except (EOFError, OSError):
                return
            try:
                answer = perform(cell)
            except InputError as error:
                answer = Answer(None, {}, error=str(error))
            except MemoryError:
                answer = Answer(None, {}, error="out of memory")
            except Exception as error:
                answer = Answer(None, {}, error=f"{type(error).__name__}: {error}")
            with contextlib.suppress(OSError):  # nobody is there any more
                pipe.send(answer)


def _follow(parent: int) -> None:
    """End this process when its parent has ended, even in the middle of a cell."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _limit_memory(memory_mb: int) -> None:
    # Data, not address space: threads and libraries reserve much that they never use.
    has = 0
    if sys.platform == "linux":
        has = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    most = has + memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


if __name__ == "__main__":
    _, descriptor_, parent_, *memory_ = sys.argv
    serve(int(descriptor_), int(parent_), int(memory_[0]) if memory_ else None)
