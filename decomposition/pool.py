"""The layers' pricing, here or in processes that hold them."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from typing import Any, Self, TypeVar

from threadpoolctl import threadpool_limits

from ..linear.quiet import discard_stdout
from ..method import Limits
from ..problem.instance import FloatArray
from ..problem.layers import Layer
from ..splitting.layer_path import Paths
from .layer_tree import small_enough
from .parameters import Parameters
from .pricing import LayerPricing

_T = TypeVar("_T")

#: The layers of a worker process.
_HELD: dict[int, LayerPricing] = {}


#: Seconds between two looks at whether the run is to stop.
_LOOK_S = 0.1


#: What is told of a process that has died.
_DIED = (
    "a pricing process has died: out of memory, or the script that started it has no "
    'if __name__ == "__main__"'
)


class Stopped(Exception):  # noqa: N818 - no error
    """The run ends, as somebody wishes or as a process has died: nobody waits for the others."""


class LayerPool:
    """A `LayerPricing` for each layer, and jobs on them.

    A context manager: it may hold processes. It ends with them, without an error, when the run is
    to stop or one of them has died. Every layer stays with one process: what its relaxation has
    learnt stays, too, and does not depend on which process is free.

    Parameters
    ----------
    layers : sequence of Layer
    limits : Limits
        Threads are processes, at most one for each layer; one works here.
    parameters : Parameters

    Attributes
    ----------
    error : str or None
        That a process has died.
    """

    def __init__(self, layers: Sequence[Layer], limits: Limits, parameters: Parameters) -> None:
        self.layers, self.parameters, self._watch = layers, parameters, limits.watch
        #: Numbers of the layers that are too large for their trees.
        self.large = [n for n, layer in enumerate(layers) if not small_enough(layer, parameters)]
        self.processes = min(limits.threads, max(1, len(layers)))
        self._held: dict[int, LayerPricing] = {}
        self._workers: list[ProcessPoolExecutor] = []
        self._running = ExitStack()
        self.error: str | None = None

    def __enter__(self) -> Self:
        numbered = dict(enumerate(self.layers))
        if self.processes == 1:
            self._held = _pricing(numbered, self.parameters)
            return self
        # Not forked: HiGHS' threads do not survive that.
        context = multiprocessing.get_context("spawn")
        # Ctrl-C reaches all processes of a terminal; the main one knows what to do. Processes
        # inherit what is blocked, and begin with their first job. The tracker, where it begins,
        # unblocks.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        for k in range(self.processes):
            own = {number: numbered[number] for number in range(k, len(numbered), self.processes)}
            worker = ProcessPoolExecutor(1, context, _begin, (own, self.parameters))
            self._workers.append(self._running.enter_context(worker))
            worker.submit(int)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> bool:
        self._running.close()
        return kind is Stopped

    def run(self, job: Callable[..., _T], tasks: Mapping[int, tuple[Any, ...]]) -> list[_T]:
        """Run a method of `LayerPricing` on some layers.

        Parameters
        ----------
        job : callable
            ``job(pricing, *task)``.
        tasks : mapping
            The arguments for each layer, by its number.

        Raises
        ------
        Stopped
            If the run is to stop, or a process has died.
        """
        if self.processes == 1:
            return [job(self._held[number], *task) for number, task in tasks.items()]
        with self._alive():
            jobs = [
                self._workers[number % self.processes].submit(_perform, job, number, task)
                for number, task in tasks.items()
            ]
            return [self._result(each) for each in jobs]

    def each(self, job: Callable[..., _T], *arguments: Any) -> list[_T]:
        """Run a method of `LayerPricing` on every layer; every process is asked once.

        Raises as `run` does.

        Parameters
        ----------
        job : callable
            ``job(pricing, *arguments)``.
        *arguments
            The same for all.
        """
        if self.processes == 1:
            return [job(self._held[number], *arguments) for number in range(len(self.layers))]
        with self._alive():
            jobs = [worker.submit(_perform_all, job, arguments) for worker in self._workers]
            parts = [self._result(each) for each in jobs]
        count = self.processes
        return [parts[number % count][number // count] for number in range(len(self.layers))]

    @contextmanager
    def _alive(self) -> Iterator[None]:
        try:
            yield
        except BrokenProcessPool:
            self.error = None if self._watch.stopped else _DIED
            self._kill()
            raise Stopped from None

    def _result(self, job: Future[_T]) -> _T:
        while True:
            try:
                return job.result(_LOOK_S)
            except TimeoutError:
                if self._watch.stopped:
                    self._kill()
                    raise Stopped from None

    def _kill(self) -> None:
        for worker in self._workers:
            for process in list((worker._processes or {}).values()):
                process.kill()


class PooledPaths(Paths):
    """The paths of a pool's layers, each where its pricing is."""

    def __init__(self, pool: LayerPool) -> None:
        super().__init__(pool.layers)
        self._pool = pool

    def begin(self, weight: FloatArray, limit_unit: FloatArray) -> None:
        """See `Paths`."""
        columns = enumerate(zip(weight.T, limit_unit.T, strict=True))
        self._pool.run(LayerPricing.set_out, dict(columns))

    def each(self, job: Callable[..., _T], *arguments: Any) -> list[_T]:
        """See `Paths`."""
        return self._pool.each(LayerPricing.on_path, job, *arguments)


def _pricing(layers: Mapping[int, Layer], parameters: Parameters) -> dict[int, LayerPricing]:
    return {number: LayerPricing(layer, parameters) for number, layer in layers.items()}


def _begin(layers: Mapping[int, Layer], parameters: Parameters) -> None:
    discard_stdout()
    # As many processes as there are threads: those of the linear algebra would be too many.
    threadpool_limits(1, "blas")
    _HELD.update(_pricing(layers, parameters))


def _perform(job: Callable[..., _T], number: int, task: tuple[Any, ...]) -> _T:
    return job(_HELD[number], *task)


def _perform_all(job: Callable[..., _T], arguments: tuple[Any, ...]) -> list[_T]:
    return [job(_HELD[number], *arguments) for number in sorted(_HELD)]
