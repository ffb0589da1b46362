"""What the methods of uniform paths propose keeps the constraints."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from raynas.costs import measure
from raynas.costs.device import Device
from raynas.errors import ConfigError
from raynas.oneshot.feasibility import Feasibility, costs_of
from raynas.oneshot.latency import LatencyTable
from raynas.oneshot.loop import method_of
from raynas.oneshot.relaxation import plain
from raynas.space import Choice, Space
from raynas.trial import Constraint
from search_spaces import mobile, nasbench201
from search_spaces.mobile import proxyless

BITS = Space({f"bit_{at}": Choice((0, 1)) for at in range(12)})
FEW = {
    "spos": {"population": 20, "generations": 6},
    "fairnas": {"population": 20, "generations": 6},
    "random-ws": {"samples": 60},
}


def ones(architecture):
    return float(sum(architecture.values()))


def bits(architecture):
    """Costs of a network: a parameter per one, and ten multiply-adds per one of the first half."""
    first = sum(architecture[f"bit_{at}"] for at in range(6))
    return {"params": ones(architecture), "flops": 10.0 * first}


class MoreOnes:
    """A scorer that likes ones; it remembers what it scored."""

    space = BITS

    def __init__(self):
        self.scored = []

    def many(self, architectures):
        self.scored += architectures
        return [ones(one) for one in architectures]

    def loss(self, score):
        return -score


def told(name, *constraints, costs=bits, **options):
    method = method_of(name, {**FEW[name], **options})
    method.told(plain(BITS), Feasibility(BITS, constraints, costs))
    return method


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize(
    ("limits", "best"),
    [({"params": 5}, 5), ({"flops": 30}, 9), ({"params": 8, "flops": 20.0}, 8)],
)
def test_nothing_above_a_limit_is_scored_or_proposed(name, limits, best):
    method, scorer = told(name, *(Constraint(*one) for one in limits.items())), MoreOnes()
    found = method.candidates(scorer, plain(BITS), 8, np.random.default_rng(0))
    assert scorer.scored
    for one in (*scorer.scored, *(candidate.architecture for candidate in found)):
        assert bits(one)["params"] <= limits.get("params", 12)
        assert bits(one)["flops"] <= limits.get("flops", 60)
    if name != "random-ws":
        assert found[0].shared_score == best


@given(st.integers(0, 2**32))
def test_without_a_limit_nothing_is_counted(seed):
    method = told("spos", costs=lambda _: pytest.fail("it is counted"))
    method.check(None, None)
    rng, same = np.random.default_rng(seed), np.random.default_rng(seed)
    assert method.within(lambda: BITS.sample(rng)) == BITS.sample(same)


@pytest.mark.parametrize("name", [name for name in FEW if name != "fairnas"])
def test_constraints_that_no_network_keeps_are_refused_with_the_nearest(name):
    method = told(
        name,
        Constraint("params", 9.0),
        Constraint("flops", 1e6),
        costs=lambda one: {"params": 10 + ones(one), "flops": 5.0},
    )
    message = (
        r"must have params at most 9 and flops at most 1000000: of 1000 random ones none has, and "
        r"the nearest one has params 1\d and flops 5"
    )
    with pytest.raises(ConfigError, match=message):
        method.check(None, None)


def test_networks_that_cannot_be_built_are_outside():
    limits = Feasibility(BITS, (Constraint("params", 1.0),), lambda _: None)
    assert not limits.keeps(BITS.sample(np.random.default_rng(0)))
    with pytest.raises(ConfigError, match="params nan"):
        limits.check(np.random.default_rng(0))


IMAGE = torch.zeros(1, 1, 8, 8)
BUILDS = {
    "nasbench201": (partial(nasbench201.build, input_shape=(1, 8, 8), outputs=5, cells=1)),
    "mobile": partial(mobile.build, input_shape=(1, 8, 8), outputs=5, width=0.1),
    "proxyless": partial(proxyless.build, input_shape=(1, 8, 8), outputs=5, width=0.1),
}
SPACES = {"nasbench201": nasbench201.SPACE, "mobile": mobile.SPACE, "proxyless": proxyless.SPACE}


@pytest.mark.parametrize("name", BUILDS)
def test_costs_are_those_that_a_trial_measures(name):
    build, rng = BUILDS[name], np.random.default_rng(0)
    count = costs_of(build, IMAGE)
    for architecture in (SPACES[name].sample(rng) for _ in range(4)):
        assert count(architecture) == measure(build(architecture), IMAGE).known


def lazy(_):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(3))


def test_lazy_layers_are_counted():
    assert costs_of(lazy, IMAGE)({}) == {"params": 195.0, "flops": 195.0}


def refuse(_):
    raise ValueError("no such network")


def test_a_network_that_cannot_be_built_has_no_costs():
    assert costs_of(refuse, IMAGE)({}) is None


def test_a_latency_is_limited_by_a_table(tmp_path):
    options = {path: {"0": 0.5, "1": 1.0 + at} for at, path in enumerate(BITS.decisions)}
    table = LatencyTable(Device("Pixel 1", 4), 1, 2.0, options)
    table.save(tmp_path / "table.json")
    limits = {"max_latency_ms": 20.0, "latency_table": str(tmp_path / "table.json")}
    method, scorer = told("spos", **limits), MoreOnes()
    found = method.candidates(scorer, plain(BITS), 8, np.random.default_rng(0))
    assert max(table.of(one) for one in scorer.scored) <= 20.0
    assert found[0].shared_score == 4  # 2 + 8 * 0.5 + 1 + 2 + 3 + 4
    short = LatencyTable(table.device, 1, 2.0, {"bit_0": options["bit_0"]})
    with pytest.raises(ConfigError, match="it lacks 'bit_1'"):
        told("spos", max_latency_ms=20.0, latency_table=short)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_latency_ms": 0}, "needs max_latency_ms > 0, got 0"),
        ({"max_latency_ms": 3.0}, "give both or neither"),
        ({"max_latency_ms": 3.0, "latency_table": "none.json"}, "No such file"),
    ],
)
@pytest.mark.parametrize("name", FEW)
def test_limits_that_do_not_fit_are_refused(name, options, message):
    with pytest.raises(ConfigError, match=message):
        method_of(name, options)
