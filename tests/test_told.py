"""Every searcher, in every wrapper and under every scheduler, is told how its trials ended."""

import itertools
import zlib
from dataclasses import dataclass, field

import numpy as np
import pytest
from contract import assessments
from local_runs import Run, stumble
from ray.tune.search import Searcher as TuneSearcher

from raynas.errors import ConfigError
from raynas.execution.plan import Plan
from raynas.execution.ray_tune.tune_searcher_adapter import TuneSearcherAdapter
from raynas.schedulers import SCHEDULERS, Director
from raynas.schedulers import make as make_scheduler
from raynas.searchers import SEARCHERS, Keeper, check, make
from raynas.searchers.inheriting import Inheriting
from raynas.searchers.requirements import Requirements
from raynas.searchers.screened import Screened, ScreeningOptions
from raynas.searchers.warm_start import WarmStart
from raynas.searchers.wrapper import keeper
from raynas.space import Choice, Space
from raynas.trial import Finished, History, Objective, Started

SPACE = Space({name: Choice(("a", "b", "c")) for name in "uvwxyz"})
EPOCHS = 9


def warm(searcher):
    rng = np.random.default_rng(7)
    return WarmStart(searcher, [SPACE.sample(rng) for _ in range(3)])


def screened(searcher):
    return Screened(searcher, assessments, ScreeningOptions(least=-1.0))


WRAPPERS = {
    "plain": lambda searcher: searcher,
    "warm start": warm,
    "screened": screened,
    "inheriting, then warm": lambda searcher: warm(Inheriting(searcher)),
    "screened, then warm": lambda searcher: warm(screened(searcher)),
}


class Recording(TuneSearcher):
    """A Ray Tune searcher that draws at random, and notes what it is asked and told."""

    def __init__(self):
        super().__init__()
        self.suggested, self.told, self.known = {}, [], []

    def set_search_properties(self, metric, mode, config, **_):
        assert (metric, mode) == ("loss", "min")
        return config is not None

    def suggest(self, trial_id):
        assert trial_id not in self.suggested
        rng = np.random.default_rng(zlib.crc32(trial_id.encode()))
        self.suggested[trial_id] = {path: str(rng.choice([*"abc"])) for path in SPACE.decisions}
        return self.suggested[trial_id]

    def on_trial_complete(self, trial_id, result=None, error=False):  # noqa: FBT002 - Tune's
        self.told.append((trial_id, result and result["loss"], error))

    def on_trial_result(self, trial_id, result): ...

    def add_evaluated_point(self, parameters, value, *_, **__):
        self.known.append((parameters, value))

    def save(self, checkpoint_path): ...

    def restore(self, checkpoint_path): ...


@dataclass(frozen=True)
class Spy:
    """Notes what the outermost searcher proposes, and the losses that it sees."""

    searcher: object
    proposed: list = field(default_factory=list)
    seen: list = field(default_factory=list)

    def __getattr__(self, name):
        return getattr(self.searcher, name)

    def propose(self, history, rng):
        self.seen.append(losses(history))
        proposal = self.searcher.propose(history, rng)
        self.proposed.append((len(history.trials), proposal.architecture))
        return proposal


def losses(history):
    return {n: trial.losses for n, trial in history.trials.items() if trial.outcome}


def played(searcher, scheduler, trials):
    spy = Spy(searcher)
    plan = Plan(SPACE, spy, scheduler, trials, EPOCHS, seed=3)
    order = np.random.default_rng(5)
    return spy, Run(plan).opened(2).to_end(workers=2, order=order, child=stumble)


def suited(made, wrapper, scheduler):
    """Return the searcher in its wrapper, or skip what raynas refuses before a run."""
    searcher = WRAPPERS[wrapper](made)
    paused = scheduler.keeps if isinstance(scheduler, Director) else (lambda _: ())
    try:
        scheduler.check(EPOCHS)
        check(searcher, Requirements((Objective(),), EPOCHS, paused))
    except ConfigError as error:
        pytest.skip(f"refused: {error}")
    return searcher


COMBINED = [*itertools.product(SEARCHERS, [*WRAPPERS][:4], SCHEDULERS)]


@pytest.mark.parametrize(("name", "wrapper", "scheduler"), COMBINED)
def test_what_is_proposed_is_trained_and_its_losses_are_those_of_the_journal(
    name, wrapper, scheduler
):
    decides = make_scheduler(scheduler)
    made = make(name, SPACE)
    searcher = suited(made, wrapper, decides)
    assert (keeper(searcher) is not None) == (isinstance(made, Keeper) or "inheriting" in wrapper)
    spy, run = played(searcher, decides, trials=10)
    replayed, asked = History(), iter(zip(spy.proposed, spy.seen, strict=True))
    proposed, seen = next(asked)
    for event in run.events:
        if isinstance(event, Started) and event.number == proposed[0]:
            assert event.architecture == proposed[1]  # each proposal once, under its own number
            assert losses(replayed) == seen
            proposed, seen = next(asked, ((None, None), None))
        replayed.apply(event)
    assert proposed[0] is None


@pytest.mark.parametrize(("wrapper", "scheduler"), [*itertools.product(WRAPPERS, SCHEDULERS)])
def test_a_tune_searcher_is_told_each_suggestion_once_with_its_final_loss(wrapper, scheduler):
    recording = Recording()
    decides = make_scheduler(scheduler)
    searcher = suited(TuneSearcherAdapter(SPACE, recording), wrapper, decides)
    _, run = played(searcher, decides, trials=16)
    final = {
        tuple(sorted(trial.architecture.items())): trial
        for trial in run.history.trials.values()
        if trial.trained
    }
    names = [name for name, *_ in recording.told]
    assert len(names) == len({*names})
    chosen = 0
    for name, loss, failed in recording.told:
        trial = final.get(tuple(sorted(recording.suggested[name].items())))
        ended = trial and isinstance(trial.outcome, Finished)
        chosen += trial is not None
        assert (loss, failed) == ((trial.loss, False) if ended else (None, True))
    assert chosen
    assert ("screened" in wrapper) == (chosen < len(names))
