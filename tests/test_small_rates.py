"""Rates that floating point hardly holds: a right answer or one line, whatever the method."""

from dataclasses import replace

import numpy as np
import pytest
from expertcache.problem.errors import InputError, UnsupportedError
from expertcache.solver import METHODS, solve

SMALL = [1e-320, 1e-300, 1e-240]


def with_rates(instance, rate):
    return instance.replace(requests=replace(instance.requests, rate=rate))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("top_k", [1, 2])
@pytest.mark.parametrize("small", SMALL)
def test_a_layer_that_is_hardly_requested(small, top_k, method, random_instance):
    instance = random_instance(7, top_k=top_k, equal_sizes=True, rows=20)
    rate = instance.requests.rate
    first = instance.requests.layer == 0
    try:
        mixed = solve(with_rates(instance, np.where(first, small * rate, rate)), method)
        without = solve(with_rates(instance, np.where(first, 0.0, rate)), method)
    except UnsupportedError:
        pytest.skip("not for this K")
    assert mixed.status == without.status
    if mixed.status == "optimal":
        assert mixed.saving_s == pytest.approx(without.saving_s, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("top_k", [1, 2])
@pytest.mark.parametrize("small", SMALL)
def test_a_saving_that_is_hardly_there(small, top_k, method, random_instance):
    instance = random_instance(7, top_k=top_k, equal_sizes=True, rows=20)
    server = instance.server_latency_s.copy()
    server[1:] = np.inf
    rate = instance.requests.rate
    rate = np.where(instance.requests.user == 0, small * rate, rate)
    instance = with_rates(instance.replace(server_latency_s=server), rate)
    saving, refusal = 0.0, "too little to compute with"
    try:
        saving = solve(instance, method).saving_s or 0.0
    except UnsupportedError:
        pytest.skip("not for this K")
    except InputError as error:
        refusal = str(error)
    assert saving == pytest.approx(0.0, abs=1e-200)
    assert "too little to compute with" in refusal
