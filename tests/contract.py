"""What every searcher must keep to: the checks, and the searchers and spaces they are made on.

A check takes what makes a searcher from a space, the space, and a seed; it fails by an assertion.
"""

import copy
import random  # noqa: TID251 - to see that nobody uses it
import zlib
from functools import lru_cache, partial

import numpy as np
import pytest
import strategies
import torch

from raynas.errors import ConfigError, SpaceError
from raynas.rng import proposal_rng
from raynas.searchers import SEARCHERS, check, make, recommended
from raynas.searchers.inheriting import Inheriting
from raynas.searchers.requirements import Requirements
from raynas.searchers.screened import Assessment, Screened, ScreeningOptions
from raynas.space import Choice, Float, Int, Repeat, Space
from raynas.trial import Finished, Objective, Started

# Every searcher with its defaults, and settings in which its other sides show in a short search.
VARIANTS = {name: partial(make, name) for name in SEARCHERS}


def variant(name, **options):
    return lambda space: make(name, space, options)


def sampler(name, **options):
    return variant("optuna", sampler=name, sampler_options=options)


def assessments(architectures):
    """Proxies of a kind: how much is decided, and chance; some have no value, some are broken."""
    said = [zlib.crc32(one.to_json().encode()) for one in architectures]
    return [
        Assessment({"decisions": float(len(one)), "chance": float(chance)})
        if chance % 7 > 1
        else (Assessment(faults={"chance": "it raised"}), Assessment())[chance % 7]
        for one, chance in zip(architectures, said, strict=True)
    ]


def screened(**options):
    screening = ScreeningOptions(**options)
    return lambda space: Screened(SMALL_EVOLUTION(space), assessments, screening)


SMALL_EVOLUTION = variant("evolution", population_size=4, tournament_size=2)
VARIANTS |= {
    "evolution, inheriting": lambda space: Inheriting(SMALL_EVOLUTION(space)),
    "evolution, screened": screened(least=-1.0),
    "evolution, screened for a while": screened(keep=0.5, least=1.0, trials=4),
    "evolution, small": variant("evolution", population_size=4, tournament_size=2),
    "evolution, mixing": variant("evolution", population_size=4, tournament_size=2, crossover=0.5),
    "local_search, slow": variant("local_search", starts=3),
    "nsga2, small": variant("nsga2", population_size=4),
    "ehvi, soon": variant("ehvi", random_first=1),
    "reinforce, eager": variant("reinforce", batch_size=1, tanh_constant=None),
    "ppo, small": variant("ppo", batch_size=3),
    "optuna, tpe": sampler("tpe", n_startup_trials=4, multivariate=True, group=True),
    "optuna, nsgaii": sampler("nsgaii", population_size=4),
    "optuna, nsgaiii": sampler("NSGAIIISampler", population_size=4),
    "optuna, cmaes": sampler("cmaes", n_startup_trials=2, popsize=4),
    "optuna, gp": sampler("gp", n_startup_trials=7),
    "optuna, random": sampler("random"),
}

PLAIN = Space({name: Choice(("a", "b", "c")) for name in "uvwxy"})
SPACES = {
    "plain": PLAIN,
    "numbers": Space(
        {
            "lr": Float(1e-4, 1, log=True),
            "n": Int(-3, 9),
            "m": Int(1, 99, log=True),
            "width": Int(8, 512, step=8),
        }
    ),
    "conditional": Space(
        {
            "op": Choice({"conv": {"k": Choice((3, 5)), "g": Int(1, 4)}, "pool": None, "id": {}}),
            "stages": Repeat({"width": Choice((8, 16)), "deep": Repeat(Int(0, 2), 0, 2)}, 1, 3),
            "act": Choice(("relu", None, True, 0)),
            "fixed": Choice((1,)),
        }
    ),
    "mixed": Space(
        {
            "a": PLAIN.tree,
            "lr": Float(0, 1),
            "b": Choice({"x": Float(0, 1), "y": None}),
            "rate": Choice(np.linspace(0.1, 0.5, 5)),
        }
    ),
    "weighted": Space(
        {"a": Choice((1, 2), (1, 5)), "b": Choice({"x": Int(0, 3), "y": None}, (2, 1))}
    ),
    "tiny": Space({"a": Choice((1, 2))}),
    "single": Space({"a": Choice((1,))}),
}
SHIPPED = strategies.shipped_spaces()

# What takes a third of a second to propose is tried on the space that holds a bit of everything.
SLOW = {"optuna, gp"}
CASES = [(name, at) for name in VARIANTS for at in SPACES if name not in SLOW or at == "mixed"]


@lru_cache(maxsize=8)
def search(maker, space, **options):
    """Run a search that ends early, late, not at all and in failure, out of order.

    The checks of one searcher on one space look at the same run.
    """
    options = {"scheduler": "asha", "epochs": 4, "trials": 12, "workers": 3, **options}
    run = strategies.Search(maker(space), **options)
    run.run()
    return run


_LOOKS = 5  # a searcher that is answered from what is known may start hundreds of trials


def started(run):
    """Every start of a run with the history before it."""
    for i, event in enumerate(run.events):
        if isinstance(event, Started):
            yield event, run.events[:i]


# The contract


def proposes_inside_the_space(maker, space, seed):
    for event, before in started(search(maker, space, seed=seed)):
        assert space.architecture(event.architecture) == event.architecture
        ended = {past.number for past in before if isinstance(past, Finished)}
        assert event.parent is None or event.parent in ended


def copes_with_whatever_happens(maker, space, seed):
    """All fail, all run at once, nothing is better, two objectives."""
    common = {"seed": seed, "trials": 12}
    for options in (
        {"failing": 1.0},
        {"workers": 12, "epochs": 1},
        {"objectives": (Objective("constant"),)},
        {"objectives": strategies.ACCURACY_AND_SIZE},
    ):
        if "objectives" in options and not several_objectives(maker, space, options["objectives"]):
            continue
        run = search(maker, space, **common, **options)
        seen = {trial.identity for trial in run.history.trials.values()}
        done = run.history.trained == 12 or len(seen) == space.size
        assert done or len(run.history.trials) > 500, "it waited"


def several_objectives(maker, space, objectives):
    """Whether the searcher takes them; it says so before anything starts otherwise."""
    try:
        check(maker(space), Requirements(objectives, epochs=4))
    except ConfigError:
        return False
    return True


def depends_on_history_and_generator_only(maker, space, seed):
    """A fresh instance proposes what the one that led the search proposed, and so again."""
    run = search(maker, space, seed=seed, **({} if seed % 2 else {"scheduler": "none"}))
    starts = [*started(run)]
    for event, before in starts[:: max(3, len(starts) // _LOOKS)]:
        history = strategies.replay(before)
        rng = partial(proposal_rng, seed, event.number)
        fresh = maker(space)
        first = fresh.propose(history, rng())
        assert (first.architecture, first.parent) == (event.architecture, event.parent)
        np.random.seed(event.number)  # noqa: NPY002 - to see that nobody uses it
        random.seed(event.number)
        torch.manual_seed(event.number)  # noqa: TID251 - likewise
        assert fresh.propose(history, rng()) == first, "the second time"
        assert run.searcher.propose(history, rng()) == first, "from a history seen before"
    foreign = search(VARIANTS["random"], space, seed=seed + 1).history
    rng = strategies.generator
    asked_first = maker(space).propose(foreign, rng(seed))
    assert run.searcher.propose(foreign, rng(seed)) == asked_first, "from a foreign history"


def leaves_everything_alone(maker, space, seed):
    run = search(maker, space, seed=seed)
    history, searcher = run.history, maker(space)
    before = copy.deepcopy(history), generators()
    searcher.propose(history, strategies.generator(seed))
    assert history == before[0]
    assert generators() == before[1]


def recommends_what_has_finished(maker, space, seed):
    run = search(maker, space, seed=seed)
    chosen = recommended(run.searcher, run.history)
    assert chosen == recommended(maker(space), strategies.replay(run.events))
    assert chosen is None or run.history.trials[chosen.number] is chosen
    assert (chosen is None) == (not run.history.finished)
    assert recommended(maker(space), strategies.replay(())) is None


def generators():
    """The states of all generators that are nobody's."""
    return (
        random.getstate(),
        repr(np.random.get_state()),  # noqa: NPY002 - to see that nobody uses it
        torch.get_rng_state().tolist(),
    )


CONTRACT = (
    proposes_inside_the_space,
    depends_on_history_and_generator_only,
    leaves_everything_alone,
    recommends_what_has_finished,
    copes_with_whatever_happens,
)


# What is refused, and nothing else: who mutates needs something else to mutate into; Optuna knows
# no prior; and CMA-ES moves along axes that are always there.
MUTATING = {"evolution", "nsga2", "ehvi", "gp", "bananas", "npenas", "nasbot"}


def refused(name, space):
    """Whether a searcher (by its name in ``VARIANTS``) is to refuse a space."""
    searcher, *_ = name.split(",")
    decisions = space.decisions.values()
    choices = [one.domain for one in decisions if isinstance(one.domain, Choice)]
    if searcher in MUTATING:
        return space.size < 2
    conditional = any(one.parent for one in decisions)
    return name == "optuna, cmaes" and bool(choices or conditional)


def accepted(name, space):
    """Whether there is anything to check, once a refusal has been seen to be due."""
    if not refused(name, space):
        VARIANTS[name](space)
        return True
    with pytest.raises(SpaceError):
        VARIANTS[name](space)
    return False
