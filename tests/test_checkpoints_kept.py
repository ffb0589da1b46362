"""What goes on finds the checkpoint it needs, whoever waits, and few are kept; no Ray in sight."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from raynas.execution.admission import Admission
from raynas.execution.conductor import Conductor
from raynas.execution.packing import FreeResources, Resources
from raynas.execution.plan import Plan
from raynas.experiment.run.checkpoints import Checkpoints
from raynas.schedulers import Verdict
from raynas.schedulers.asha import PromotingASHA
from raynas.schedulers.brackets import Hyperband
from raynas.schedulers.pbt import PBT
from raynas.searchers.evolution import RegularizedEvolution
from raynas.searchers.inheriting import Inheriting
from raynas.searchers.random import RandomSearch
from raynas.space import Choice, Float, Space
from raynas.trial import Report, Started

SPACE = Space({"big": Choice((0, 1)), "n": Choice(range(60)), "training": {"lr": Float(0.01, 1)}})


@dataclass
class Site:
    """Workers that leave checkpoints, which hold but the epoch, and find them or do not."""

    plan: Plan
    files: Checkpoints
    rng: object
    drift: float = 0.0  # by how much each trial is worse than the one before
    gpus: object = lambda architecture: 0.25  # noqa: ARG005
    events: list = field(default_factory=list)
    promoted: int = 0
    begun_anew: int = 0
    heirs: list = field(default_factory=list)  # the epochs of what they got and should have got
    most_files: int = 0

    def conductor(self):
        """Lead the run from what was written down, as a new process does."""
        history, clock = strategies.replay(self.events), itertools.count()
        for trial in history.running:
            self.files.endow(trial, history)

        def record(event):
            history.apply(event)
            self.events.append(event)
            if isinstance(event, Started):
                self.files.endow(history.trials[event.number], history)

        return Conductor(self.plan, history, record, lambda: next(clock))

    def to_end(self, kills=0):
        """Search; a process dies every so many reports, if at all."""
        while self._sitting(kills):
            pass
        return self

    def _sitting(self, kills):
        conductor = self.conductor()
        admission = Admission(FreeResources([Resources(64.0, 2.0)]), Resources(1.0, 0.25))
        live = {}
        for reports in itertools.count(1):
            while trial := admission.next(lambda: self._asked(conductor)):
                live[trial.number] = self._begin(conductor, trial)
            if not live:
                return False
            number = int(self.rng.choice([*live]))
            live[number] += 1
            if self._told(conductor, number, live[number]) is Verdict.STOP:
                del live[number]
                admission.room.free(number)
            if reports == kills:
                return True
        return False

    def _asked(self, conductor):
        trial = conductor.next()
        return trial and (trial, Resources(1.0, self.gpus(trial.architecture)))

    def _begin(self, conductor, trial):
        self.files.sweep(lambda: conductor.needed)
        self.most_files = max(self.most_files, len([*self.files.folder.iterdir()]))
        own = self.files.of(trial.number)
        if own.exists():
            self.promoted += 1
            return int(own.read_text())
        self.begun_anew += bool(trial.reports)
        if not trial.started.inherits:
            return 0
        weights = self.files.bequeathed(trial.number)
        assert weights.exists(), f"trial {trial.number} finds no weights to inherit"
        self.heirs.append((int(weights.read_text()), trial.started.begin))
        return trial.started.begin

    def _told(self, conductor, number, epoch):
        partial = self.files.folder / "partial"
        partial.write_text(str(epoch))
        partial.replace(self.files.of(number))  # a worker's file is replaced, never written into
        if epoch <= conductor.history.trials[number].epoch:
            return Verdict.GO
        score = float(self.rng.random()) - self.drift * number
        return conductor.report(Report(number, epoch, {"val_accuracy": score}))


def site(scheduler, searcher=None, *, trials, epochs, seed, folder, **more):
    searcher = searcher or RandomSearch(SPACE)
    plan = Plan(SPACE, searcher, scheduler, trials, epochs, seed)
    return Site(plan, Checkpoints(Path(folder)), strategies.generator(seed), **more)


DIRECTORS = {
    "promotion": PromotingASHA,
    "promotion, few spare": lambda: PromotingASHA(spare=1),
    "promotion of every second": lambda: PromotingASHA(eta=2, spare=3),
    "hyperband": Hyperband,
    "pbt": PBT,
}


@pytest.mark.parametrize("name", DIRECTORS)
@pytest.mark.parametrize("inherit", [False, True])
@settings(max_examples=4, deadline=None)
@given(seed=strategies.seeds(), drift=st.sampled_from([0.0, 0.01, -0.01, 1.0]))
def test_who_goes_on_has_its_checkpoint_and_who_inherits_its_parents(name, inherit, seed, drift):
    searcher = RegularizedEvolution(SPACE, population_size=8, tournament_size=3)
    searcher = Inheriting(searcher) if inherit else searcher
    with TemporaryDirectory() as folder:
        todo = {"trials": 80, "epochs": 9, "seed": seed, "folder": folder, "drift": drift}
        run = site(DIRECTORS[name](), searcher, **todo).to_end()
    assert run.promoted or drift == 1.0  # then the first is the best for good
    assert not run.begun_anew


class Fickle(RandomSearch):
    """Would hand over now this one, now that: the middle one of those that ended."""

    def recommend(self, history):
        ended = [trial for trial in history.finished if not trial.stopped] or history.finished
        return ended[len(ended) // 2] if ended else None


@settings(max_examples=20, deadline=None)
@given(seed=strategies.seeds())
def test_what_is_handed_over_still_has_the_weights_it_inherited(seed):
    with TemporaryDirectory() as folder:
        todo = {"trials": 40, "epochs": 9, "seed": seed, "folder": folder}
        run = site(PBT(), Fickle(SPACE), gpus=lambda _: 2.0, **todo).to_end()
        conductor = run.conductor()
        run.files.sweep(lambda: conductor.needed)
        chosen = conductor.recommended
        assert not chosen.started.inherits or run.files.of(chosen.number).exists()


@settings(max_examples=8, deadline=None)
@given(seed=strategies.seeds(), kills=st.integers(5, 60), spare=st.integers(0, 9))
def test_killed_anywhere_promotion_still_finds_all_it_needs(seed, kills, spare):
    with TemporaryDirectory() as folder:
        todo = {"trials": 40, "epochs": 9, "seed": seed, "folder": folder, "drift": 0.01}
        run = site(PromotingASHA(spare=spare), **todo).to_end(kills)
    history = strategies.replay(run.events)
    assert len(history.trials) == 40
    assert not run.begun_anew


@pytest.mark.parametrize("spare", [0, 4, 16])
@pytest.mark.parametrize("drift", [0.0, 0.02, -0.02])
def test_promotion_keeps_few_checkpoints_however_many_trials_there_were(spare, drift, tmp_path):
    todo = {"trials": 300, "epochs": 9, "seed": 1, "folder": tmp_path, "drift": drift}
    run = site(PromotingASHA(spare=spare), **todo).to_end()
    workers, rungs = 8, 2
    assert run.most_files <= rungs * spare + 3 * workers


# Weights of a parent that goes on


@settings(max_examples=6, deadline=None)
@given(seed=strategies.seeds(), kills=st.sampled_from([0, 7, 23]))
def test_an_heir_that_waits_for_room_has_its_parents_weights_of_when_it_began(seed, kills):
    """Half the children want a device to themselves, so that they wait while others go on."""
    with TemporaryDirectory() as folder:
        run = site(
            PBT(),
            trials=40,
            epochs=8,
            seed=seed,
            folder=folder,
            gpus=lambda architecture: 1.0 if architecture["big"] else 0.25,
        ).to_end(kills)
    assert run.heirs
    assert all(got == due for got, due in run.heirs)


def test_a_process_that_died_as_an_heir_began_leaves_its_weights_to_the_next(tmp_path):
    whole = site(PBT(), trials=20, epochs=8, seed=3, folder=tmp_path).to_end()
    heir = next(event for event in whole.events if isinstance(event, Started) and event.inherits)
    cut = whole.events.index(heir) + 1
    files = Checkpoints(tmp_path / "again")
    files.folder.mkdir()
    files.of(heir.parent).write_text(str(heir.begin))  # what there was when it died
    again = Site(whole.plan, files, strategies.generator(0), events=whole.events[:cut])
    again.conductor()
    assert files.bequeathed(heir.number).read_text() == str(heir.begin)
