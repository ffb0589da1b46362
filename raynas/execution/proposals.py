"""From a proposal to a trial: ask the searcher, begin the trial, answer known networks."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice, takewhile
from typing import Final

from raynas.errors import ConfigError, RaynasError, SearcherError
from raynas.execution.guarded_scheduler import GuardedScheduler
from raynas.execution.plan import Plan
from raynas.rng import proposal_rng, training_seed
from raynas.searchers import Searcher
from raynas.space import Space
from raynas.trial import Failed, Finished, History, Objective, Proposal, Started

# A search ends after so many successive proposals that the history answered.
_PATIENCE: Final = 500
_KNOWN: Final = 20  # if the history holds every network of the space


def ask(searcher: Searcher, space: Space, history: History, seed: int) -> Proposal | None:
    """Return the searcher's proposal for the next trial; none if it has no more proposals.

    Args:
        searcher: The searcher.
        space: The search space.
        history: What happened so far.
        seed: The seed of the run.

    Raises:
        SearcherError: The searcher raised, or its proposal is not in the space.
    """
    number = len(history.trials)
    try:
        proposal = searcher.propose(history, proposal_rng(seed, number))
        if proposal is not None:
            _check(proposal, space)
    except RaynasError as error:
        raise SearcherError(f"{searcher!r} could not propose trial {number}: {error}") from error
    except (Exception, SystemExit) as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise SearcherError(
            f"{searcher!r} could not propose trial {number}: it raised {type(error).__name__}: "
            f"{error} ({where.filename}, line {where.lineno}: {where.line})"
        ) from error
    return proposal


def suitable(
    plan: Plan, scheduler: GuardedScheduler, history: History, *, surely: bool
) -> Proposal | None:
    """Return the searcher's proposal, which suits the scheduler; none if it has no more.

    Args:
        plan: The plan of the search.
        scheduler: The scheduler.
        history: What happened so far.
        surely: Whether it must be trained, even if the history holds its network. Then a sampled
            network replaces a proposal that the searcher does not have.

    Raises:
        SearcherError: As for ``ask``, or the proposal does not suit the scheduler.
    """
    number = len(history.trials)
    proposal = ask(plan.searcher, plan.space, history, plan.seed)
    if proposal is not None:
        try:
            scheduler.check(proposal, plan.epochs)
        except ConfigError as error:
            raise SearcherError(
                f"{plan.searcher!r} could not propose trial {number}: {error}"
            ) from error
    if not surely:
        return proposal
    sampled = plan.space.sample(proposal_rng(plan.seed, number))
    drawn = proposal or Proposal(sampled, random=True)
    return replace(drawn, repeat=True)


def _check(proposal: object, space: Space) -> None:
    if not isinstance(proposal, Proposal):
        raise SearcherError(f"it must return a raynas.trial.Proposal or None, got {proposal!r}")
    space.architecture(proposal.architecture)


def exhausted(history: History, space: Space) -> bool:
    """Return whether the searcher will probably propose nothing new.

    This is so if the last proposals were all answered from the history: 500 of them, or 20 if the
    history holds every network of the space.
    """
    patience = _KNOWN if history.networks >= space.networks else _PATIENCE
    last = islice(reversed(history.trials.values()), patience)
    return sum(1 for _ in takewhile(lambda trial: not trial.trained, last)) == patience


def begin(
    proposal: Proposal, number: int, space: Space, *, epochs: int, seed: int, at: float = 0.0
) -> Started:
    """Return the event with which a proposal begins as a trial.

    Args:
        proposal: The proposal.
        number: The trial's number.
        space: The search space.
        epochs: The full length of a trial.
        seed: The seed of the run.
        at: The time.
    """
    return Started(
        number,
        proposal.architecture,
        identity=space.identity(proposal.architecture),
        epochs=min(proposal.epochs or epochs, epochs),
        seed=training_seed(seed, number),
        parent=proposal.parent,
        repeat=proposal.repeat,
        inherits=proposal.inherits,
        begin=proposal.begin,
        replaces=proposal.replaces,
        screening=proposal.screening,
        at=at,
        fault=proposal.fault,
        division=proposal.division,
        random=proposal.random,
    )


def answer(started: Started, history: History) -> Finished | Failed | None:
    """Return the end of a trial that need not be trained; none if it must be trained.

    A trial need not be trained if it has a fault, or if an earlier trial of the same
    network, planned for at least as many epochs, has ended. An earlier failure counts only if the
    network was its cause.
    """
    if fault := started.fault:
        return Failed(started.number, fault.reason, fault.detail, "part", at=started.at)
    if started.repeat:
        return None
    for trial in history.same(started.identity):
        if isinstance(trial.outcome, Failed) and trial.refused:
            if trial.architecture == started.architecture:
                same = replace(trial.outcome, number=started.number, at=started.at, seconds=0.0)
                return replace(same, answered_by=trial.number)
            continue  # equal networks may be built with layers that do nothing, or without
        if trial.started.epochs < started.epochs or not trial.trained:
            continue
        match trial.outcome:
            case Finished():
                return Finished(started.number, trial.stopped, trial.number, started.at)
            case Failed(cause="architecture", reason=reason, out_of_memory=full):
                number, by, at = started.number, trial.number, started.at
                return Failed(number, reason, answered_by=by, out_of_memory=full, at=at)
    return None


def unscored(objectives: Iterable[Objective], metrics: Mapping[str, float], epoch: int) -> str:
    """Return in one sentence why metrics are not a score; empty if they are a score.

    A missing metric is not checked here.
    """
    for objective in objectives:
        value = metrics.get(objective.metric, 0.0)
        if not math.isfinite(value):
            return f"{objective.metric} is {value} after epoch {epoch}, but must be finite"
    return ""
