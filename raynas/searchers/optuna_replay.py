"""A history as an Optuna study, to which a sampler can be asked what comes next.

Only ``raynas.searchers.optuna`` uses this, and only when it is needed: importing it loads Optuna.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import is_
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from raynas.searchers.foreign import offered, taken, told
from raynas.space import Architecture, Choice, Decision, Domain, Float, Int, Space, Value
from raynas.trial import History, Trial


class Replay:
    """Replays a history into a study, and asks a sampler what comes next.

    The study holds what has finished, in the order it finished, as a memo; it is started anew when
    another history comes. Failed and running trials, and the trial that is asked for, are only
    added to a copy, so that a warm study equals one rebuilt from the history.
    """

    def __init__(
        self, space: Space, sampler: Callable[[int], BaseSampler], *, relives: bool
    ) -> None:
        """Begin with an empty history.

        Args:
            space: Where architectures live.
            sampler: Makes the sampler from a seed.
            relives: Whether the sampler keeps notes in the study (its generations, say) as it
                samples, so that replaying must let it sample for every finished trial.
        """
        self._space = space
        self._sampler = sampler
        self._relives = relives
        self._distributions = {
            path: _distribution(decision.domain) for path, decision in space.decisions.items()
        }
        self._begin(objectives=1)

    def propose(self, history: History, seed: int) -> Architecture:
        """Return what the sampler, seeded so, asks for after this history."""
        with quiet():
            self._fold(history)
            study = _fork(self._study)
            for trial in history.failed:
                # From a failed trial no sampler learns; one pruned before its first report, TPE
                # takes to be worse than all that reported. Only its own failure says so much.
                if trial.infeasible:
                    study.add_trial(self._frozen(trial, TrialState.PRUNED))
            for trial in history.running:
                study.add_trial(self._frozen(trial, TrialState.RUNNING))
            study.sampler = self._sampler(seed)
            asked = study.ask()
            return self._space.walk(partial(_suggest, asked))

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
                self._tell_stopped(trial)
            elif self._relives:
                self._relive(trial)
            else:
                done = self._frozen(trial, TrialState.COMPLETE, values=trial.losses)
                self._study.add_trial(done)
            self._folded.append(trial)

    def _tell_stopped(self, trial: Trial) -> None:
        """Tell how far it got; of several objectives Optuna takes no reports, so only that."""
        reports = {trial.epoch: trial.loss} if len(trial.losses) == 1 else None
        stopped = self._frozen(trial, TrialState.PRUNED, intermediate_values=reports)
        self._study.add_trial(stopped)

    def _relive(self, trial: Trial) -> None:
        """Let the sampler make its notes, then tell it what was really trained."""
        self._study.enqueue_trial(self._params(trial))
        asked = self._study.ask()
        _ = asked.relative_params  # of its own accord, Optuna does not sample for enqueued trials
        self._space.walk(partial(_suggest, asked))
        self._study.tell(asked, trial.losses)

    def _frozen(self, trial: Trial, state: TrialState, **more: Any) -> optuna.trial.FrozenTrial:
        return optuna.trial.create_trial(
            state=state,
            params=self._params(trial),
            distributions={path: self._distributions[path] for path in trial.architecture},
            **more,
        )

    def _params(self, trial: Trial) -> dict[str, Value]:
        """Return what was decided, in Optuna's words."""
        return {
            path: told(self._space.decisions[path].domain, value)
            for path, value in trial.architecture.items()
        }


def _fork(study: optuna.Study) -> optuna.Study:
    """Return a copy that shares the trials, which Optuna replaces rather than changes."""
    return copy.deepcopy(study, {id(trial): trial for trial in study.get_trials(deepcopy=False)})


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's log and its notes on experimental features from the terminal."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def _distribution(domain: Domain) -> BaseDistribution:
    match offered(domain):
        case Choice() as choice:
            return CategoricalDistribution(_words(choice))
        case Int(low, high, log):
            return IntDistribution(low, high, log=log)
        case Float(low, high, log):
            return FloatDistribution(low, high, log=log)


def _words(choice: Choice) -> Any:
    """Return the options of a choice as ``offered`` made them: Optuna takes no tuples."""
    return choice.values()


def _suggest(trial: optuna.Trial, decision: Decision) -> Value:
    value: Any
    match offered(decision.domain):
        case Choice() as choice:
            value = trial.suggest_categorical(decision.path, _words(choice))
        case Int(low, high, log):
            value = trial.suggest_int(decision.path, low, high, log=log)
        case Float(low, high, log):
            value = trial.suggest_float(decision.path, low, high, log=log)
    decided: Value = taken(decision.domain, value)
    return decided
