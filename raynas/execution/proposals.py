"""A proposal on its way to a trial, whoever runs trials: asked for, begun, answered if known."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterable, Mapping
from itertools import islice, takewhile
from typing import Final

from raynas.errors import RaynasError, SearcherError
from raynas.rng import proposal_rng, training_seed
from raynas.searchers import Searcher
from raynas.space import Space
from raynas.trial import Failed, Finished, History, Objective, Proposal, Started

# Proposals in a row, all answered by the history, after which a search is over.
_PATIENCE: Final = 500
_KNOWN: Final = 20  # where the history holds every network of the space


def ask(searcher: Searcher, space: Space, history: History, seed: int) -> Proposal | None:
    """Return what a searcher proposes as the next trial; none if it has nothing more.

    Args:
        searcher: Who is asked.
        space: Where architectures live.
        history: What happened so far.
        seed: The seed of the run.

    Raises:
        SearcherError: The searcher raised, or proposed what is not in the space.
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


def _check(proposal: object, space: Space) -> None:
    if not isinstance(proposal, Proposal):
        raise SearcherError(f"it must return a raynas.trial.Proposal or None, got {proposal!r}")
    space.architecture(proposal.architecture)


def exhausted(history: History, space: Space) -> bool:
    """Say whether nothing new is to be expected.

    That is so when the last proposals, one after the other, were all answered from the history,
    and it holds every network there is or they were many.
    """
    patience = _KNOWN if history.networks >= space.networks else _PATIENCE
    last = islice(reversed(history.trials.values()), patience)
    return sum(1 for _ in takewhile(lambda trial: not trial.trained, last)) == patience


def begin(
    proposal: Proposal, number: int, space: Space, *, epochs: int, seed: int, at: float = 0.0
) -> Started:
    """Return how a proposal begins as a trial.

    Args:
        proposal: What was proposed.
        number: The trial's number.
        space: Where architectures live.
        epochs: The full length of a trial.
        seed: The seed of the run.
        at: When.
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
    )


def answer(
    started: Started, history: History, proposal: Proposal | None = None
) -> Finished | Failed | None:
    """Return how a trial ends that need not be run; none if it must be.

    Its own proposal may say that it is not worth trying; or an ended trial of the same network,
    that was to train at least as long, has shown what becomes of it. One that failed for no fault
    of its network says nothing.
    """
    if proposal is not None and proposal.fault:
        why = proposal.fault
        return Failed(started.number, why.reason, why.detail, at=started.at, fault=True)
    if started.repeat:
        return None
    for trial in history.same(started.identity):
        if trial.started.epochs < started.epochs or not trial.trained:
            continue
        match trial.outcome:
            case Finished():
                return Finished(started.number, trial.stopped, trial.number, started.at)
            case Failed(blames_architecture=True, reason=reason, out_of_memory=full):
                number, by, at = started.number, trial.number, started.at
                return Failed(number, reason, answered_by=by, out_of_memory=full, at=at)
    return None


def unscored(objectives: Iterable[Objective], metrics: Mapping[str, float], epoch: int) -> str:
    """Return why metrics are no score, in one sentence; nothing if they are one.

    A metric that is not there is another matter.
    """
    for objective in objectives:
        value = metrics.get(objective.metric, 0.0)
        if not math.isfinite(value):
            return f"{objective.metric} is {value} after epoch {epoch}, but must be finite"
    return ""
