"""A history as an Optuna study, for which a sampler proposes the next trial.

Only ``raynas.searchers.optuna`` uses this, and only when it is needed: importing it loads Optuna.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import is_
from typing import Protocol

import optuna
from optuna.samplers import BaseSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from raynas.searchers.optuna_trials import CONSTRAINT, OptunaTrials
from raynas.space import Architecture, Space
from raynas.trial import History, Trial

MakeSampler = Callable[[int], BaseSampler]


class _Studies(Protocol):
    """Makes studies of a history; what it keeps is a cache."""

    def study(
        self, history: History, more: Sequence[FrozenTrial], sampler: BaseSampler
    ) -> optuna.Study:
        """Return a study of the finished trials and of ``more``, for one proposal."""


class Replay:
    """Replays a history into a study, and asks a sampler for the next trial."""

    def __init__(self, space: Space, sampler: MakeSampler, *, relives: bool) -> None:
        """Begin with an empty history.

        Args:
            space: The search space.
            sampler: Makes the sampler from a seed.
            relives: Whether the sampler stores data in the study (such as its generations) while
                it samples, so that the replay must let it sample for every finished trial.
        """
        self._sampler = sampler
        self._form = OptunaTrials(space)
        self._studies: _Studies = Relived(self._form, sampler) if relives else Kept(self._form)

    def propose(self, history: History, seed: int) -> Architecture:
        """Return the proposal of the sampler with this seed after this history."""
        with quiet():
            # No sampler learns from a failed trial. TPE ranks a trial that was pruned before its
            # first report below all others; so only failures of the network count so.
            failed = (trial for trial in history.failed if trial.infeasible)
            more = [self._form.as_told(trial, TrialState.PRUNED) for trial in failed]
            more += [self._form.as_told(trial, TrialState.RUNNING) for trial in history.running]
            study = self._studies.study(history, more, self._sampler(seed))
            return self._form.asked(study.ask())


class Kept:
    """Keeps the finished trials in Optuna's form, and translates only those that have changed."""

    def __init__(self, form: OptunaTrials) -> None:
        """Begin with an empty history.

        Args:
            form: Translates.
        """
        self._form = form
        self._seen: list[Trial] = []
        self._told: list[FrozenTrial] = []
        self._common: dict[str, IntersectionSearchSpace] = {}  # by the sampler's attribute

    def study(
        self, history: History, more: Sequence[FrozenTrial], sampler: BaseSampler
    ) -> optuna.Study:
        """Return a study of the finished trials and of ``more``, for one proposal."""
        self._take_in(history.finished, constrained=bool(history.constraints))
        objectives = len(history.objectives)
        self._spare(sampler, _holding(self._told, sampler, objectives))
        trials = [
            *self._told,
            *(_at(place, one) for place, one in enumerate(more, len(self._told))),
        ]
        return _holding(trials, sampler, objectives)

    def _take_in(self, finished: Sequence[Trial], *, constrained: bool) -> None:
        known = len(self._seen)
        networks = [trial.started for trial in finished[:known]]
        if not (
            len(networks) == known and all(map(is_, networks, (t.started for t in self._seen)))
        ):
            self._seen, self._told, self._common = [], [], {}  # another history
        for place, trial in enumerate(finished):
            if place >= len(self._seen):
                self._seen.append(trial)
                told = self._form.finished(trial, constrained=constrained)
                self._told.append(_at(place, told))
            elif trial is not self._seen[place]:  # it was resumed
                self._seen[place] = trial
                told = self._form.finished(trial, constrained=constrained)
                self._told[place] = _at(place, told)

    def _spare(self, sampler: BaseSampler, study: optuna.Study) -> None:
        """Tell a new sampler which decisions all trials have in common.

        Otherwise it would compare the decisions of all trials, one by one.
        """
        for name, space in [*vars(sampler).items()]:
            if isinstance(space, IntersectionSearchSpace):
                common = self._common.setdefault(name, space)
                common.calculate(study)
                setattr(sampler, name, copy.copy(common))


class Relived:
    """Lets a sampler sample for every finished trial, so that it stores its data in the study.

    For another history, or if a trial has changed, a new study begins.
    """

    def __init__(self, form: OptunaTrials, sampler: MakeSampler) -> None:
        """Begin with an empty history.

        Args:
            form: Translates.
            sampler: Makes the sampler from a seed.
        """
        self._form = form
        self._sampler = sampler
        self._begin(objectives=1)

    def study(
        self, history: History, more: Sequence[FrozenTrial], sampler: BaseSampler
    ) -> optuna.Study:
        """Return a study of the finished trials and of ``more``, for one proposal."""
        self._fold(history)
        trials = self._study.get_trials(deepcopy=False)
        # The copy shares the trials, which Optuna replaces rather than changes.
        study = copy.deepcopy(self._study, {id(trial): trial for trial in trials})
        for trial in more:
            study.add_trial(trial)
        study.sampler = sampler
        return study

    def _begin(self, objectives: int) -> None:
        self._folded: list[Trial] = []
        with quiet():
            self._study = optuna.create_study(
                sampler=self._sampler(0), directions=["minimize"] * objectives
            )

    def _fold(self, history: History) -> None:
        objectives = len(history.objectives)
        known = len(self._folded)
        if (
            objectives != len(self._study.directions)
            or known > len(history.finished)
            or not all(map(is_, self._folded, history.finished))
        ):
            self._begin(objectives)
            known = 0
        for trial in history.finished[known:]:
            if trial.epoch < trial.started.epochs:
                self._study.add_trial(self._form.finished(trial, constrained=False))
            else:
                self._relive(trial, constrained=bool(history.constraints))
            self._folded.append(trial)

    def _relive(self, trial: Trial, *, constrained: bool) -> None:
        """Let the sampler store its data, then tell it what was really trained."""
        self._study.enqueue_trial(self._form.params(trial))
        asked = self._study.ask()
        _ = asked.relative_params  # without this, Optuna does not sample for enqueued trials
        self._form.asked(asked)
        if constrained:
            asked.set_constraint(CONSTRAINT, trial.violation)
        self._study.tell(asked, trial.losses)


class _Holding(InMemoryStorage):
    """A storage of one study, to which trials are given in their final form."""

    def hold(self, study: int, trials: list[FrozenTrial]) -> None:
        """Hold trials, each numbered by its place; the list is taken over."""
        self._studies[study].trials = trials
        self._max_trial_id = len(trials) - 1


def _holding(trials: Sequence[FrozenTrial], sampler: BaseSampler, objectives: int) -> optuna.Study:
    """Return a study of these trials; adding them one by one would copy each."""
    storage = _Holding()
    study = optuna.create_study(
        storage=storage, sampler=sampler, directions=["minimize"] * objectives
    )
    storage.hold(study._study_id, [*trials])  # noqa: SLF001 - there is no public name for it
    return study


def _at(place: int, trial: FrozenTrial) -> FrozenTrial:
    """Return the trial, numbered by its place."""
    trial.number = trial._trial_id = place  # noqa: SLF001 - likewise
    return trial


@contextmanager
def quiet() -> Iterator[None]:
    """Hide Optuna's log and its warnings about experimental features."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)
