"""Whether a search found better networks than random search.

The random trials of a run show what random search finds: those that the searcher drew from the
prior (``Started.random``), mostly at the beginning; beside a one-shot method the candidates of
the control ``random-ws``; or the trials of a second run, the control. The trials that the searcher
chose are compared with them by the expected best of as many trials (see ``expected_best``).

What random search would find with all the trials of the run cannot be told from a few random
trials: the best of many is decided by rare networks, of which a few trials say nothing. So the
comparison is made for a smaller number of trials, and beside it the verdict says how many random
trials reached the score of the winner.

Scores are compared after as many epochs as the winner has; if a scheduler stopped so many trials
that too few are left, after the largest number of epochs at which there are enough. A trial that
failed or was stopped before counts as the worst score that is known. If a scheduler compared
random trials with better, chosen ones, it stopped more of them than it would in a random search;
then random search looks worse than it is. Repeated trainings of a network are left out.

The p-value treats the trials of a group as independent, and speaks of this run. Another seed may
give another verdict; several runs of each searcher say more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from raynas.insight.expected_best import Contrast, contrast
from raynas.insight.wording import metric, plural
from raynas.rng import resampling_rng
from raynas.trial import Failed, History, Objective, Trial

LEAST: Final = 5  # trials with a comparable score on either side; with fewer, nothing can be said
_SURE: Final = 0.05
_CONTROL: Final = "shared by random-ws"  # the score of the control's candidates

Against = Literal["random", "control", "run"]
_FROM: Final[Mapping[Against, str]] = MappingProxyType(
    {
        "random": "random trials of this run",
        "control": "trials of the control random-ws",
        "run": "trials of the control",
    }
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The comparison of a search with random search.

    Attributes:
        sentence: The verdict in plain words.
        better: Whether the search is better than random search; false if a random trial reached
            the winner's score after as many epochs, or if random trials are better; none if that
            is not sure.
        against: What random search is known from: the ``random`` trials of the run, its
            ``control`` arm, or another ``run``.
        contrast: The expected best of chosen trials (``first``) and of random trials, as gains
            (a metric that is minimised has the opposite sign); none if nothing can be said.
        random: The number of random trials.
        reached: The number of random trials that reached the winner's score.
        epoch: The number of epochs after which scores are compared; 0 if nothing can be said.
    """

    sentence: str
    better: bool | None = None
    against: Against = "random"
    contrast: Contrast | None = None
    random: int = 0
    reached: int = 0
    epoch: int = 0


def verdict(history: History, control: History | None = None) -> Verdict:
    """Return whether the search is better than random search.

    With several objectives, the first one is compared.

    Args:
        history: All events of the run. Before there is a winner, its best trial is compared.
        control: All events of a run of random search with the same space, task and epochs.
    """
    winner = history.trials[history.winner.number] if history.winner else history.best
    if winner is None:
        return Verdict("Nothing can be said about random search: no trial has a score.")
    objective = history.objectives[0]
    if control and objective not in control.objectives:
        return Verdict(
            f"Nothing can be said about random search: the control must optimise "
            f"{objective.metric}, it optimises {control.objectives[0].metric}."
        )
    random, chosen, against = _arms(history, control)
    epoch = _compared_after(random, chosen, winner)
    first, second = (_gains(some, epoch, objective) for some in (chosen, random))
    if lacking := _lacking(first, second, against):
        return Verdict(lacking, against=against, random=len(random))
    floor = min(one for one in (*first, *second) if one is not None)
    sides = [np.array([floor if x is None else x for x in some]) for some in (first, second)]
    found = contrast(sides[0], sides[1], resampling_rng())
    own = _gains([winner], epoch, objective)[0]
    reached = 0 if own is None else int((sides[1] >= own).sum())
    as_good = bool(reached) and (epoch == winner.epoch or winner in random)
    better = None
    if as_good or (found.chance <= _SURE and found.high < 0):
        better = False
    elif not reached and found.chance <= _SURE and found.low > 0:
        better = True
    known = Verdict("", better, against, found, len(random), reached, epoch)
    return replace(known, sentence=_sentence(known, found, winner, objective))


def _compared_after(random: Sequence[Trial], chosen: Sequence[Trial], winner: Trial) -> int:
    """Return the largest number of epochs, up to the winner's, after which there are enough."""
    for epoch in range(winner.epoch, 0, -1):
        if all(
            sum(one.reports.after(epoch) is not None for one in some) >= LEAST
            for some in (random, chosen)
        ):
            return epoch
    return winner.epoch


def _arms(history: History, control: History | None) -> tuple[list[Trial], list[Trial], Against]:
    """Return the random trials, the chosen ones, and what the random ones belong to."""
    own = _ended(history.trials.values())
    if control is not None:
        return _ended(control.trials.values()), own, "run"
    if random := [one for one in own if _CONTROL in one.started.screening.scores]:
        against: Against = "control"
    else:
        random, against = [one for one in own if one.started.random], "random"
    numbers = {one.number for one in random}
    return random, [one for one in own if one.number not in numbers], against


def _ended(trials: Iterable[Trial]) -> list[Trial]:
    trained = (one for one in trials if one.trained and one.outcome is not None)
    return [one for one in trained if not one.started.repeat]


def _gains(trials: Sequence[Trial], epoch: int, objective: Objective) -> list[float | None]:
    """Return the score of each trial after an epoch, more is better; none for no finite score."""
    found: list[float | None] = []
    for trial in trials:
        value = trial.reports.value_after(epoch, objective.metric)
        gain = -np.inf if value is None else -objective.loss({objective.metric: value})
        usable = np.isfinite(gain) and not isinstance(trial.outcome, Failed)
        found.append(float(gain) if usable else None)
    return found


def _lacking(
    chosen: Sequence[float | None], random: Sequence[float | None], against: Against
) -> str:
    """Return in a sentence why nothing can be said; empty if something can be said."""
    if random and not chosen:
        return "There is nothing to compare with random search: all trials were drawn at random."
    for some, what in ((random, _FROM[against]), (chosen, "trials that the searcher chose")):
        count = sum(one is not None for one in some)
        if count < LEAST:
            advice = " Give a run of the searcher 'random' as the control." * (some is random)
            return (
                f"Nothing can be said about random search: it takes {LEAST} {what} with a score, "
                f"and there {'is' if count == 1 else 'are'} {count or 'none'}.{advice}"
            )
    return ""


def _sentence(one: Verdict, found: Contrast, winner: Trial, objective: Objective) -> str:
    name, sign = objective.metric, 1 if objective.direction == "max" else -1
    said = {
        True: "The search is better than random search",
        False: "The search is not better than random search",
        None: "It is not sure that the search is better than random search",
    }[one.better]
    short = one.epoch < winner.epoch
    when = f" after {one.epoch} of {winner.epoch} epochs" if short else ""
    own = metric(name, winner.reports.value_after(one.epoch, name) or 0.0)
    first, second = (metric(name, sign * mean) for mean in (found.first, found.second))
    ends = sorted((sign * found.low, sign * found.high))
    low, high = (("+" if end > 0 else "") + metric(name, end) for end in ends)
    return (
        f"{said}: {one.reached or 'none'} of the {one.random} {_FROM[one.against]} "
        f"{'reaches' if one.reached == 1 else 'reach'} the winner's {name} of {own}{when}, and "
        f"the best of {plural(found.count, 'trial')} has on average {first} if the searcher chose "
        f"them, and {second} if they were drawn at random (difference {low} to {high} with 95 % "
        f"confidence, p = {found.chance:.2g})."
    )
