"""A history as an Optuna study, for which a sampler proposes the next trial.

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
    """Replays a history into a study, and asks a sampler for the next trial.

    The study is a cache: it holds the finished trials, in the order they finished. For another
    history, a new study begins. Failed and running trials, and the new trial, are only added to a
    copy, so that a cached study equals one rebuilt from the history.
    """

    def __init__(
        self, space: Space, sampler: Callable[[int], BaseSampler], *, relives: bool
    ) -> None:
        """Begin with an empty history.

        Args:
            space: The search space.
            sampler: Makes the sampler from a seed.
            relives: Whether the sampler stores data in the study (such as its generations) while
                it samples, so that the replay must let it sample for every finished trial.
        """
        self._space = space
        self._sampler = sampler
        self._relives = relives
        self._distributions = {
            path: _distribution(decision.domain) for path, decision in space.decisions.items()
        }
        self._begin(objectives=1)

    def propose(self, history: History, seed: int) -> Architecture:
        """Return the proposal of the sampler with this seed after this history."""
        with quiet():
            self._fold(history)
            study = _fork(self._study)
            for trial in history.failed:
                # No sampler learns from a failed trial. TPE ranks a trial that was pruned before
                # its first report below all others; so only failures of the network count so.
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
        """Tell that a trial was pruned, with its report; with several objectives, without one."""
        reports = {trial.epoch: trial.loss} if len(trial.losses) == 1 else None
        stopped = self._frozen(trial, TrialState.PRUNED, intermediate_values=reports)
        self._study.add_trial(stopped)

    def _relive(self, trial: Trial) -> None:
        """Let the sampler store its data, then tell it what was really trained."""
        self._study.enqueue_trial(self._params(trial))
        asked = self._study.ask()
        _ = asked.relative_params  # without this, Optuna does not sample for enqueued trials
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
        """Return the architecture in Optuna's form."""
        return {
            path: told(self._space.decisions[path].domain, value)
            for path, value in trial.architecture.items()
        }


def _fork(study: optuna.Study) -> optuna.Study:
    """Return a copy that shares the trials, which Optuna replaces rather than changes."""
    return copy.deepcopy(study, {id(trial): trial for trial in study.get_trials(deepcopy=False)})


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


def _distribution(domain: Domain) -> BaseDistribution:
    match offered(domain):
        case Choice() as choice:
            return CategoricalDistribution(_words(choice))
        case Int(low, high, log, step):
            return IntDistribution(low, high, log=log, step=step)
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
        case Int(low, high, log, step):
            value = trial.suggest_int(decision.path, low, high, log=log, step=step)
        case Float(low, high, log):
            value = trial.suggest_float(decision.path, low, high, log=log)
    decided: Value = taken(decision.domain, value)
    return decided
