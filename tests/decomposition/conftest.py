"""A dual and its column generation, run to the end."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest
from expertcache.decomposition.column_generation import ColumnGeneration
from expertcache.decomposition.dual import Dual
from expertcache.decomposition.master import RestrictedMaster
from expertcache.decomposition.parameters import DEFAULTS
from expertcache.decomposition.pool import LayerPool
from expertcache.method import Limits
from expertcache.problem.layers import split_layers
from expertcache.problem.terms import coverage_terms


@pytest.fixture
def solved_dual() -> Callable[..., Dual]:
    """Make the dual of an instance, let its master know a placement, and run all rounds."""
    with ExitStack() as stack:

        def make(instance, cached=None, limits=Limits(), run=True):  # noqa: B008
            layers = split_layers(instance, coverage_terms(instance))
            pool = stack.enter_context(LayerPool(layers, limits, DEFAULTS))
            dual = Dual(RestrictedMaster(instance, layers), pool)
            if cached is not None:
                dual.master.add_placement(cached)
            for _ in ColumnGeneration(dual).rounds(limits.deadline()) if run else ():
                pass
            return dual

        yield make
