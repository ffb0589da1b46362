"""NPENAS: how it draws parents, and that it follows its predictor."""

import numpy as np
import strategies
from scipy.stats import chisquare

from raynas.searchers import make
from raynas.searchers.mutants import candidates
from raynas.searchers.predictor.surrogate import learn
from raynas.searchers.training_set import due, training_set
from raynas.space import Choice, Space

LETTERS = Space({name: Choice(("a", "b", "c", "d")) for name in "uvwxyz"})


def searched(trials=24, **options):
    run = strategies.Search(make("random", LETTERS), trials=trials, workers=1, failing=0)
    run.run()
    return run.history, make("npenas", LETTERS, options)


def test_parents_win_tournaments():
    """The k-th best wins when nobody better is drawn: ((n-k+1)^S - (n-k)^S) / n^S of the time."""
    history, searcher = searched(parents=4000, tournament_size=3)
    known = training_set(history.finished)
    rng = strategies.generator(3)
    winners = [trial.number for trial in searcher._parents(known, rng)]
    count = len(known.trials)
    left = np.arange(count, -1, -1) / count
    expected = 4000 * -np.diff(left**3)
    numbers = [known.trials[row].number for row in known.best(count)]
    seen = np.array([winners.count(number) for number in numbers])
    few = expected < 5  # too few for the test of their own
    observed = [*seen[~few], seen[few].sum()]
    assert chisquare(observed, [*expected[~few], expected[few].sum()]).pvalue > 0.01


def test_it_proposes_what_is_predicted_to_be_best():
    history, searcher = searched()
    proposal = searcher.propose(history, strategies.generator(8))
    rng = strategies.generator(8)
    parents = searcher._parents(training_set(history.finished), rng)
    found = candidates(LETTERS, history, parents, rng, searcher.candidates)
    prefix = history.finished[: due(len(history.finished), searcher.random_first)]
    surrogate = learn(LETTERS, prefix, searcher.members)
    predicted = surrogate.predict([one.architecture for one in found]).mean(0)
    assert proposal == found[int(predicted.argmin())]
    toy = strategies.Toy(LETTERS)
    qualities = [toy.quality(one.architecture) for one in found]
    assert toy.quality(proposal.architecture) > np.quantile(qualities, 0.9)
