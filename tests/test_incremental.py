"""What is learnt on the way, beside what is learnt anew."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from raynas.searchers import make
from raynas.searchers.incremental import Incremental
from raynas.space import Choice, Int, Space
from raynas.trial import Resumed, Started

SPACE = Space({"a": Choice({"x": Int(0, 9), "y": Choice((1, 2)), "z": None}), "b": Int(0, 9)})


class Trials:
    """A fold that remembers its order, counts its steps, and mistrusts equality."""

    def __init__(self):
        self.finished, self.steps = [], 0
        self.fold = Incremental(tuple, self._step)

    def _step(self, state, trial, _):
        self.steps += 1
        return (*state, id(trial))

    def finish(self, place=None):
        trial = SimpleNamespace()
        if place is None:
            self.finished.append(trial)
        else:
            self.finished[place] = trial

    def fold_in(self):
        """Return how many steps it took."""
        before = self.steps
        assert self.fold.after(self) == tuple(map(id, self.finished))
        return self.steps - before


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10**6), st.booleans()), max_size=200))
def test_it_is_a_function_of_the_history(events):
    """Whatever finishes anew in an old place, and however rarely anybody asks."""
    trials = Trials()
    for anew, place, ask in events:
        known = len(trials.finished)
        trials.finish(place % known if anew and known else None)
        if ask:
            trials.fold_in()
    trials.fold_in()
    assert trials.fold_in() == 0


def test_another_history_is_folded_anew():
    one, other = Trials(), Trials()
    for trials in (one, other):
        for _ in range(20):
            trials.finish()
    one.fold_in()
    assert one.fold.after(other) == tuple(map(id, other.finished))
    shorter = SimpleNamespace(finished=other.finished[:13])
    assert one.fold.after(shorter) == tuple(map(id, shorter.finished))
    one.fold_in()


def test_a_step_for_each_trial_and_a_third_more_for_those_that_finish_anew():
    trials, rng = Trials(), strategies.generator(0)
    for known in range(1, 1500):
        trials.finish()
        assert trials.fold_in() == 1
        if known % 10 == 0:
            age = int(min(known, rng.geometric(0.02)))
            trials.finish(known - age)
            assert age <= trials.fold_in() <= 4 / 3 * age + 1


def test_few_states_are_kept():
    trials, most = Trials(), 0
    for known in range(1, 4000):
        trials.finish()
        trials.fold_in()
        most = max(most, len(trials.fold._kept) - 4 * math.log2(1 + known))
    assert most < 9


@pytest.mark.parametrize("name", ["reinforce", "ppo", "nsga2"])
@pytest.mark.parametrize("scheduler", ["hyperband", "asha_promotion"])
def test_trials_that_are_taken_up_again_leave_no_trace_in_what_is_learnt(name, scheduler):
    """Down to the last bit, beside a fresh searcher at every proposal."""
    options = {} if name == "nsga2" else {"batch_size": 3, "units": 4}
    run = strategies.Search(
        make(name, SPACE, options), trials=60, workers=4, epochs=9, scheduler=scheduler
    )
    events = run.run()
    assert any(isinstance(event, Resumed) for event in events)
    led, history = make(name, SPACE, options), strategies.replay(())
    for event in events:
        if isinstance(event, Started):
            fresh = make(name, SPACE, options)
            assert same(state(led, history), state(fresh, history))
        history.apply(event)


def state(searcher, history):
    fold = searcher._alive if hasattr(searcher, "_alive") else searcher._state
    return fold.after(history)


def same(one, other):
    if hasattr(one, "learnt"):
        return np.array_equal(one.learnt.parameters, other.learnt.parameters)
    return one == other
