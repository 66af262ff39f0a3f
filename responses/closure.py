"""The concave envelope of a layer's profile, by minimum cuts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import maximum_flow

from ..problem.instance import BoolArray, FloatArray, IntArray

#: All weights together in units: SciPy's capacities are whole numbers of 32 bits.
_UNITS = 2**30


def concave_envelope(
    experts: npt.NDArray[np.int64], weight: FloatArray, count: int
) -> tuple[FloatArray, IntArray]:
    """Bound the gain of every k experts, and find the experts of the exact points.

    For one price an expert, the best ``gain - price * k`` is a maximum closure: a term is chosen
    only with all its experts. Its minimum cut (Picard 1976, doi:10.1287/mnsc.22.11.1268) gives a
    line above the profile. The best sets are nested over the prices, since the gain is supermodular
    (Topkis 1978, doi:10.1287/opre.26.2.305); splitting at the price between two known points
    finds them all.

    Parameters
    ----------
    experts : int array [T, K]
        Experts of each term, padded with E.
    weight : float array [T]
        > 0.
    count : int
        Number of experts E.

    Returns
    -------
    upper : float array [E + 1]
        At least the gain of every k experts; above the envelope only by rounding weights up to
        2**-30 of their sum.
    entry : int array [E]
        The count of the smallest best set that holds each expert.
    """
    upper = np.full(count + 1, weight.sum())
    entry = np.full(count, count)
    if not len(weight):
        return np.zeros(count + 1), entry
    network = _Network(experts, weight, count)
    gain = {0: 0, count: network.total}
    open_ = [(0, count)]
    ks = np.arange(count + 1)
    while open_:
        a, b = open_.pop()
        price = (gain[b] - gain[a]) // (b - a)
        chosen, most = network.best(price)
        k = int(chosen.sum())
        upper = np.minimum(upper, (most + price * ks) / network.scale)
        if a < k < b:
            gain[k] = most + price * k
            entry[chosen] = np.minimum(entry[chosen], k)
            open_ += [(a, k), (k, b)]
    upper[0] = 0.0
    return upper, entry


def best_set(
    experts: npt.NDArray[np.int64], weight: FloatArray, count: int, price: float
) -> BoolArray:
    """Smallest set [E] with the largest gain minus price times count, up to rounding.

    Parameters
    ----------
    experts : int array [T, K]
        Experts of each term, padded with E.
    weight : float array [T]
        > 0.
    count : int
        Number of experts E.
    price : float
        Of each expert, in the unit of the weights.
    """
    if price >= weight.sum():
        return np.zeros(count, dtype=np.bool_)
    network = _Network(experts, weight, count)
    return network.best(round(price * network.scale))[0]


class _Network:
    """Source to terms by weight, terms to their experts, experts to the sink by price."""

    def __init__(self, experts: npt.NDArray[np.int64], weight: FloatArray, count: int) -> None:
        T = len(weight)
        self.scale = _UNITS / max(float(weight.sum()), 1e-290)
        # Rounded up, so that bounds stay bounds.
        units = np.ceil(weight * self.scale)
        self.total = int(units.sum())
        self._count, self._nodes = count, T + count + 2
        term, column = np.nonzero(experts < count)
        expert = 1 + T + experts[term, column]
        last = np.full(count, self._nodes - 1)
        tail = np.concatenate([np.zeros(T, np.int64), 1 + term, 1 + T + np.arange(count)])
        head = np.concatenate([1 + np.arange(T), expert, last])
        size = np.concatenate([units, np.full(len(term), 2 * _UNITS - 1), np.ones(count)])
        shape = (self._nodes, self._nodes)
        self._graph = sp.csr_array((size.astype(np.int32), (tail, head)), shape)
        # Rows are sorted: the experts' are the last entries.
        self._price = slice(len(self._graph.data) - count, None)
        self._units, self._term, self._expert = units.astype(np.int64), term, experts[term, column]
        # Keys of the edges, and where a flow has them: its pattern is always the same.
        self._edges = tail[: T + len(term)] * self._nodes + head[: T + len(term)]
        self._places: IntArray | None = None

    def best(self, price: int) -> tuple[BoolArray, int]:
        """Smallest set [E] of the largest gain minus price times count, and that largest value."""
        self._graph.data[self._price] = price
        flow = maximum_flow(self._graph, 0, self._nodes - 1)
        if self._places is None:
            rows = np.repeat(np.arange(self._nodes), np.diff(flow.flow.indptr))
            self._places = np.searchsorted(rows * self._nodes + flow.flow.indices, self._edges)
        sent = flow.flow.data[self._places]
        # What the source still reaches: terms that are not paid in full, their experts, and terms
        # that pay for these.
        T = len(self._units)
        reached, chosen = sent[:T] < self._units, np.zeros(self._count, dtype=np.bool_)
        pays = sent[T:] > 0
        size = -1
        while size < reached.sum():
            size = int(reached.sum())
            chosen[self._expert[reached[self._term]]] = True
            reached[self._term[pays & chosen[self._expert]]] = True
        return chosen, self.total - int(flow.flow_value)
