"""The searcher for whoever does not want to choose one: whom it asks."""

import zlib

import pytest
import strategies
from contract import PLAIN, SPACES, search

from raynas.errors import ConfigError
from raynas.rng import proposal_rng
from raynas.searchers import check, make, recommended
from raynas.searchers.requirements import Requirements
from raynas.trial import History


@pytest.mark.parametrize("space", [name for name in SPACES if name != "single"])
def test_with_one_objective_it_is_the_gaussian_process(space):
    auto, gp = make("auto", SPACES[space]), make("gp", SPACES[space])
    run = search(lambda _: auto, SPACES[space])
    number = len(run.history.trials)
    proposals = [one.propose(run.history, proposal_rng(0, number)) for one in (auto, gp)]
    assert proposals[0] == proposals[1]
    assert recommended(auto, run.history) is recommended(gp, run.history)


def test_with_several_it_is_the_hypervolume():
    run = search(
        lambda space: make("auto", space),
        PLAIN,
        objectives=strategies.ACCURACY_AND_SIZE,
        trials=30,
    )
    proposals = [
        make(name, PLAIN).propose(run.history, proposal_rng(0, 30)) for name in ("auto", "ehvi")
    ]
    assert proposals[0] == proposals[1]
    assert recommended(make("auto", PLAIN), run.history) is run.history.best


@pytest.mark.parametrize("options", [{"fidelities": (3, 9)}, {"shortlist": 9}])
def test_with_several_nothing_is_taken_that_is_not_heeded(options):
    with pytest.raises(ConfigError, match="shortlist and fidelities of auto need one objective"):
        check(make("auto", PLAIN, options), Requirements(strategies.ACCURACY_AND_SIZE, epochs=9))


def test_a_space_of_one_architecture_is_no_mistake():
    space = SPACES["single"]
    proposal = make("auto", space).propose(History(), strategies.generator(0))
    assert dict(proposal.architecture) == {"a": 1}


def test_features_and_fidelities_reach_the_gaussian_process():
    options = {"fidelities": (3, 9), "features": lambda one: [hash_of(one)], "pool": 40}
    proposals = [
        make(name, PLAIN, chosen).propose(History(), strategies.generator(0))
        for name, chosen in (("auto", options), ("gp", options), ("auto", options | {"pool": 400}))
    ]
    assert proposals[0] == proposals[1]
    assert proposals[0].epochs == 3
    assert hash_of(proposals[0].architecture) < hash_of(proposals[2].architecture)


def hash_of(architecture):
    """A feature that nearly no two architectures have in common."""
    return zlib.crc32(architecture.to_json().encode()) / 2**32
