"""Hill climbing, told from the history alone."""

import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from raynas.errors import ConfigError
from raynas.searchers import make
from raynas.searchers.selection import rank, tried
from raynas.space import Choice, Space
from raynas.trial import Finished, Report, Started

LETTERS = Space({name: Choice(("a", "b", "c")) for name in "uvwxyz"})
LINE = Space({name: Choice((0, 1)) for name in "uvwxy"})


def climb(seed=0, space=LETTERS, starts=1, **options):
    run = strategies.Search(make("local_search", space, {"starts": starts}), seed=seed, **options)
    run.run()
    return run


def starts_of(run):
    """Every start of a run with the history before it."""
    for i, event in enumerate(run.events):
        if isinstance(event, Started):
            yield event, strategies.replay(run.events[:i])


@settings(max_examples=20)
@given(strategies.seeds(), st.integers(1, 3), st.integers(1, 5))
def test_it_tries_neighbours_of_the_best_and_nothing_twice(seed, starts, workers):
    run = climb(seed, starts=starts, workers=workers, trials=40)
    for event, history in starts_of(run):
        assert not tried(LETTERS, history, event.architecture)
        if event.parent is not None:
            centre = history.trials[event.parent].architecture
            assert sum(centre[path] != event.architecture[path] for path in centre) == 1


@settings(max_examples=20)
@given(strategies.seeds(), st.integers(1, 3))
def test_it_climbs_from_the_best_until_all_its_neighbours_are_tried(seed, starts):
    """With one worker, beside a climb that is led the usual way, step by step."""
    run = climb(seed, starts=starts, workers=1, trials=60)
    foot, climbed = 0, []
    for event, history in starts_of(run):
        ended = [history.trials[n] for n in climbed if history.trials[n] in history.finished]
        centre = min(ended, key=rank, default=None)
        exhausted = centre is not None and all(
            tried(LETTERS, history, near)
            for near in LETTERS.neighbours(centre.architecture, strategies.generator(0))
        )
        if exhausted and foot >= starts:
            foot, climbed = 0, []
        if foot < starts or centre is None:
            assert event.parent is None
            foot += 1
        else:
            assert event.parent == centre.number
        climbed.append(event.number)


def test_it_finds_the_top_of_a_hill():
    """Where decisions do not depend on each other, there is one top and every climb ends there."""
    for seed in range(5):
        run = climb(seed, failing=0, workers=1, trials=25)
        quality = run.toy.quality
        assert quality(run.history.best.architecture) == max(map(quality, LETTERS))


def test_a_space_with_nothing_left_in_it_is_no_trouble():
    run = climb(space=LINE, trials=60)
    assert len({trial.identity for trial in run.history.trials.values()}) == LINE.size


def started(number, text, parent=None):
    architecture = LINE.architecture(dict(zip("uvwxy", map(int, text), strict=True)))
    return Started(number, architecture, LINE.identity(architecture), 1, seed=0, parent=parent)


def ended(number, accuracy):
    return Report(number, 1, {"val_accuracy": accuracy}), Finished(number)


def proposed(events):
    searcher = make("local_search", LINE)
    return searcher.propose(strategies.replay(events), strategies.generator(0)).parent


@pytest.mark.parametrize(("accuracy", "centre"), [(0.9, 5), (0.1, None)])
def test_a_climb_goes_on_if_its_last_neighbour_was_better_after_all(accuracy, centre):
    """The fifth neighbour still trains when a free worker begins anew; then it ends."""
    events = [started(0, "00000"), *ended(0, 0.5)]
    for i in range(4):
        events += [started(1 + i, "0" * i + "1" + "0" * (4 - i), parent=0), *ended(1 + i, 0.2)]
    events += [started(5, "00001", parent=0)]
    assert proposed(events) is None, "nothing is left but to begin anew"
    events += [started(6, "11111"), *ended(5, accuracy)]
    assert proposed(events) == centre


def test_a_stopped_trial_is_no_centre_while_there_is_one_that_went_on():
    lucky = [Report(0, 1, {"val_accuracy": 0.9}), Finished(0, stopped=True)]
    steady = [Report(1, 3, {"val_accuracy": 0.5}), Finished(1)]
    assert proposed([started(0, "00000"), started(1, "00110"), *lucky, *steady]) == 1


def test_no_start_is_refused():
    with pytest.raises(ConfigError, match="starts >= 1, got 0"):
        make("local_search", LINE, {"starts": 0})
