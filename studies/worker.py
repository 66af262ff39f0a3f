"""A process of its own for cells, so that limits hold whatever a solver does."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import IO, NamedTuple

from ..problem.errors import InputError
from ..problem.solution import StoppedBy
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
        self._child: _Child | None = None
        self._closed = False
        # A second thread may close the worker while the first one begins, or waits for an answer.
        self._begins, self._runs = threading.Lock(), threading.Lock()

    def run(self, cell: Cell) -> Answer:
        """Solve a cell; any failure is an answer with an error."""
        limit = 2 * cell.time_limit_s + self._grace_s
        with self._runs:
            try:
                child = self._begin()
            except OSError as error:
                return Answer(None, {}, error=f"no process: {error}")
            reason, stopped_by = f"killed: no answer after {limit:g} s", StoppedBy.TIME
            try:
                child.pipe.send(cell)
                if child.pipe.poll(limit):
                    return child.pipe.recv()
            except (EOFError, OSError):
                reason, stopped_by = child.how_it_died(), StoppedBy.ERROR
            self._end()
            return Answer(None, {}, error=reason, stopped_by=stopped_by)

    def close(self) -> None:
        """Kill the process; whoever waits for its answer gets an error."""
        with self._begins:
            self._closed = True
            if (child := self._child) is not None:
                child.kill()
        with self._runs:
            self._end()

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None

    def _begin(self) -> _Child:
        if self._child is not None and self._child.process.poll() is None:
            return self._child
        self._end()
        with self._begins:
            if self._closed:
                raise OSError("the worker is closed")
            self._child = _Child.begin(self._memory_mb)
        return self._child


class _Child(NamedTuple):
    """The process, the way to it, and what it writes to standard error."""

    process: subprocess.Popen[bytes]
    pipe: Connection[Cell, Answer]
    complaints: IO[bytes]

    @classmethod
    def begin(cls, memory_mb: int | None) -> _Child:
        ours, theirs = Pipe()
        numbers = [theirs.fileno(), os.getpid(), *([] if memory_mb is None else [memory_mb])]
        complaints = tempfile.TemporaryFile()  # noqa: SIM115 - `end` closes it
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.worker", *map(str, numbers)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                # It finds every module that this process finds: methods of one's own may be there.
                env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
                # Ctrl-C goes to all processes of a terminal: this one is ended by its parent alone.
                start_new_session=True,
            )
        return cls(process, ours, complaints)

    def kill(self) -> None:
        """Kill the process and those that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def end(self) -> None:
        self.kill()
        self.process.wait()
        self.pipe.close()
        self.complaints.close()

    def how_it_died(self) -> str:
        """Exit status and the last line that it wrote."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        code = self.process.poll()
        hint = " (out of memory?)" if code in (-9, -6, 134, 137) else ""
        self.complaints.seek(0)
        last = self.complaints.read().decode(errors="replace").strip().splitlines()[-1:]
        return ": ".join([f"the process died with status {code}{hint}", *last])


def serve(descriptor: int, parent: int, memory_mb: int | None) -> None:
    """Answer cells until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
    """End this process and its own when its parent has ended, even in the middle of a cell."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.killpg(0, signal.SIGKILL)


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
