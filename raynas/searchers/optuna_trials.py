"""Architectures and trials in Optuna's form; importing it loads Optuna."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from raynas.searchers.foreign import offered, taken, told
from raynas.space import Architecture, Choice, Decision, Domain, Float, Int, Space, Value
from raynas.trial import Trial

CONSTRAINT: Final = "violation"
"""The name of the constraint that Optuna is told of: the violation of all, at most 0."""


class OptunaTrials:
    """Translates between the trials of a space and Optuna's."""

    def __init__(self, space: Space) -> None:
        """Translate for a space."""
        self._space = space
        self._distributions = {
            path: _distribution(decision.domain) for path, decision in space.decisions.items()
        }

    def asked(self, trial: optuna.Trial) -> Architecture:
        """Return the architecture that Optuna's trial suggests."""
        return self._space.walk(partial(_suggest, trial))

    def finished(self, trial: Trial, *, constrained: bool) -> FrozenTrial:
        """Return a finished trial; one that was stopped early is pruned.

        With several objectives Optuna takes no reports of it.

        Args:
            trial: The trial.
            constrained: Whether the run has constraints.
        """
        if trial.epoch >= trial.started.epochs:
            more: Any = {"constraints": {CONSTRAINT: trial.violation}} if constrained else {}
            return self.as_told(trial, TrialState.COMPLETE, values=trial.losses, **more)
        reports = {trial.epoch: trial.loss} if len(trial.losses) == 1 else None
        return self.as_told(trial, TrialState.PRUNED, intermediate_values=reports)

    def as_told(self, trial: Trial, state: TrialState, **more: Any) -> FrozenTrial:
        """Return a trial in a state."""
        return optuna.trial.create_trial(
            state=state,
            params=self.params(trial),
            distributions={path: self._distributions[path] for path in trial.architecture},
            **more,
        )

    def params(self, trial: Trial) -> dict[str, Value]:
        """Return the architecture of a trial."""
        return {
            path: told(self._space.decisions[path].domain, value)
            for path, value in trial.architecture.items()
        }


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
