"""The searcher for whoever does not want to choose one: whom it asks."""

import pytest
import strategies
from contract import PLAIN, SPACES, search

from raynas.rng import proposal_rng
from raynas.searchers import make, recommended
from raynas.trial import History


@pytest.mark.parametrize("space", [name for name in SPACES if name != "single"])
def test_with_one_objective_it_is_the_gaussian_process(space):
    auto, gp = make("auto", SPACES[space]), make("gp", SPACES[space])
    run = search(lambda _: auto, SPACES[space])
    number = len(run.history.trials)
    proposals = [one.propose(run.history, proposal_rng(0, number)) for one in (auto, gp)]
    assert proposals[0] == proposals[1]
    assert recommended(auto, run.history) is recommended(gp, run.history)


def test_with_several_it_is_nsga2():
    run = search(
        lambda space: make("auto", space),
        PLAIN,
        objectives=strategies.ACCURACY_AND_SIZE,
        trials=30,
    )
    proposals = [
        make(name, PLAIN).propose(run.history, proposal_rng(0, 30)) for name in ("auto", "nsga2")
    ]
    assert proposals[0] == proposals[1]
    assert recommended(make("auto", PLAIN), run.history) is run.history.best


def test_a_space_of_one_architecture_is_no_mistake():
    space = SPACES["single"]
    proposal = make("auto", space).propose(History(), strategies.generator(0))
    assert dict(proposal.architecture) == {"a": 1}


def test_features_and_fidelities_reach_the_gaussian_process():
    auto = make("auto", PLAIN, {"fidelities": (3, 9), "features": lambda one: [one["u"] == "b"]})
    proposal = auto.propose(History(), strategies.generator(0))
    assert (proposal.epochs, proposal.architecture["u"]) == (3, "b")
