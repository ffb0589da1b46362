"""Linear algebra on one thread: while a searcher decides, and not afterwards."""

import pytest
import strategies
from contract import PLAIN, VARIANTS, search
from scipy.linalg import cho_solve
from threadpoolctl import threadpool_info, threadpool_limits

from raynas.rng import proposal_rng
from raynas.searchers import make
from raynas.searchers.blas import on_one_thread


def threads():
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def test_it_lasts_as_long_as_the_function_whatever_it_raises():
    @on_one_thread
    def decide(fault=None):
        seen.append(threads())
        if fault:
            raise fault

    seen = []
    decide()
    with threadpool_limits(2, user_api="blas"):
        decide()
        with pytest.raises(OSError, match="no"):
            decide(OSError("no"))
        assert threads() == {2}
    assert seen == [{1}] * 3


@pytest.mark.parametrize("name", ["auto", "gp", "ehvi", "nasbot"])
def test_whoever_solves_systems_does_it_on_one_thread(name, monkeypatch):
    run = search(VARIANTS[name], PLAIN, objectives=strategies.ACCURACY, trials=16)
    searcher, seen = make(name, PLAIN), []
    monkeypatch.setattr("scipy.linalg.cho_solve", spied(seen))
    with threadpool_limits(2, user_api="blas"):
        assert searcher.propose(run.history, proposal_rng(0, 16))
    assert seen
    assert set(map(tuple, seen)) == {(1,)}


def spied(seen):
    def solve(*args, **options):
        seen.append(threads())
        return cho_solve(*args, **options)

    return solve
