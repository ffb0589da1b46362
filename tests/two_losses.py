"""Two contrary losses on a space small enough to know its whole Pareto front."""

from itertools import pairwise

import numpy as np
import strategies

from raynas.searchers import make
from raynas.space import Choice, Space
from raynas.trial import Finished, History, Objective, Report, Started

LETTERS = Space({name: Choice(("a", "b", "c", "d")) for name in "uvwxyz"})
BOTH = (Objective("up", "min"), Objective("down", "min"))


def dominates(one, other):
    (epochs, losses), (others, worse) = one, other
    if epochs != others:
        return epochs > others
    return losses != worse and all(a <= b for a, b in zip(losses, worse, strict=True))


def covered(name, trials, seeds):
    """Return, for each seed, the share of the front's area that a searcher has come to.

    4,096 architectures; either loss has good options that few would draw.
    """
    rng = strategies.generator(0)
    effects = {path: {value: rng.random(2) for value in "abcd"} for path in LETTERS.decisions}

    def losses_of(architecture):
        up, down = sum(effects[path][value] for path, value in architecture.items()) / 6
        return float(up), float(down)

    best = hypervolume([losses_of(architecture) for architecture in LETTERS])
    runs = [told(make(name, LETTERS), losses_of, trials, seed) for seed in range(seeds)]
    return [hypervolume([one.losses for one in run.finished]) / best for run in runs]


def told(searcher, losses_of, trials, seed):
    """Run a search without delays; return its history."""
    history, space = History(BOTH), searcher.space
    for number in range(trials):
        rng = np.random.default_rng((seed, number))
        drawn = searcher.propose(history, rng).architecture
        history.apply(Started(number, drawn, space.identity(drawn), 1, seed=0))
        losses = dict(zip(("up", "down"), losses_of(drawn), strict=True))
        history.apply(Report(number, 1, losses))
        history.apply(Finished(number))
    return history


def hypervolume(losses):
    """The area that two losses below 1 dominate."""
    front = sorted({one for one in losses if not any(dominates((1, x), (1, one)) for x in losses)})
    ends = [*front, (1.0, front[-1][1])]
    return sum((after[0] - here[0]) * (1 - here[1]) for here, after in pairwise(ends))
