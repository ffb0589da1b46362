"""Population based training (Jaderberg et al., 2017, arXiv:1711.09846), also for architectures.

Every ``interval`` epochs, children of the strongest members replace the weakest members. A child
inherits its parent's weights, as far as they fit, and its training hyper-parameters, with changes
(exploit by truncation, explore by resampling or perturbing; section 4.1.1).

Differs from the paper: a child may also differ in architecture; the whole population is ranked at
once, when its last member has reached the interval. So the result depends only on the scores, not
on the speed of workers, and a killed run can be resumed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar, Final

import numpy as np

from raynas.errors import ConfigError
from raynas.schedulers.memo import Memo
from raynas.schedulers.rungs import best_first
from raynas.schedulers.verdict import Begin, Directive, Hold, Resume, Verdict
from raynas.space import Architecture, Choice, Decision, Domain, Float, Int, Space, Value
from raynas.trial import Failed, History, Proposal, Report, Trial

_TRAINING: Final = "training."  # decisions below this are hyper-parameters of training
_FACTORS: Final = (0.8, 1.2)


_Step = tuple[list[Trial], int | None]


class PopulationProgress:
    """The progress of a population."""

    def __init__(self) -> None:
        """Begin before the first barrier."""
        self._numbers: list[int] = []
        self._barrier: int | None = None

    def here(self, history: History, pbt: PBT) -> _Step:
        """Return the members and their next barrier, or the one where they are; none at the end.

        A barrier is passed once a member has continued from it: no more children begin there,
        because the weights of that epoch no longer exist.
        """
        step: _Step | None = (pbt.founders(history), pbt.interval)
        if self._numbers:
            step = [history.trials[number] for number in self._numbers], self._barrier
        while step is not None:
            members, barrier = step
            step = None if barrier is None else pbt.onwards(members, barrier, history)
        if barrier != pbt.interval:
            self._numbers, self._barrier = [trial.number for trial in members], barrier
        return members, barrier


@dataclass(frozen=True, slots=True)
class PBT:
    """Train a population in which children replace weak members; the searcher proposes the first.

    If one of the first members fails, the next proposal replaces it. A proposal of a known
    network is trained, too. The run ends when the population has trained to its full length. Once
    no more trials may begin, weak members are not replaced.

    Attributes:
        population_size: How many members there are.
        interval: Epochs between two rankings.
        quantile: The share of the population that is replaced, and the share of parents.
        resample: The probability that a hyper-parameter is drawn again instead of perturbed.
        architecture_rate: The probability that a child's architecture differs from its parent's.

    Raises:
        ConfigError: An option is out of range.
    """

    one_length: ClassVar = True
    population_size: int = 8
    interval: int = 2
    quantile: float = 0.25
    resample: float = 0.25
    architecture_rate: float = 0.5
    _progress: Memo[PopulationProgress] = field(
        default_factory=lambda: Memo(PopulationProgress), init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Check the options."""
        if self.population_size < 2 or self.interval < 1:
            raise ConfigError(
                "pbt needs population_size >= 2 and interval >= 1, "
                f"got {self.population_size} and {self.interval}"
            )
        if not 0 < self.quantile <= 0.5:
            raise ConfigError(f"pbt needs 0 < quantile <= 0.5, got {self.quantile}")
        if not (0 <= self.resample <= 1 and 0 <= self.architecture_rate <= 1):
            raise ConfigError(
                "pbt needs resample and architecture_rate from 0 to 1, "
                f"got {self.resample} and {self.architecture_rate}"
            )

    def check(self, epochs: int) -> None:
        """Refuse runs that would end before the first ranking."""
        if self.interval >= epochs:
            raise ConfigError(
                f"pbt needs interval < epochs, got an interval of {self.interval} for trials of "
                f"{epochs} epochs: lower interval, or raise epochs"
            )

    def check_trials(self, trials: float) -> None:
        """Refuse runs in which no child could begin after the first members."""
        if trials <= self.population_size:
            raise ConfigError(
                f"pbt needs trials > population_size, got {trials:g} trials for a population of "
                f"{self.population_size}: raise trials, or lower population_size"
            )

    def decide(self, report: Report, history: History) -> Verdict:
        """Pause a member at every barrier."""
        epochs = history.trials[report.number].started.epochs
        judged = report.epoch % self.interval == 0 and report.epoch < epochs
        return Verdict.STOP if judged else Verdict.GO

    def direct(
        self, history: History, space: Space, rng: np.random.Generator, *, closed: bool
    ) -> Directive:
        """Begin children for the weak members, then continue the other members."""
        members, barrier = self._progress.of(history).here(history, self)
        if barrier == self.interval and len(members) < self.population_size and not closed:
            return Begin.TRAINED  # a trial answered from the journal has no weights to inherit
        if barrier is None or any(_below(trial, barrier, history) for trial in members):
            return _onwards(members, barrier, history)
        ranked, heirs = judged(members, barrier, history)
        if ranked and not closed and len(heirs) < self._wanted(ranked):
            parent = ranked[int(rng.integers(min(self._replaced, len(ranked))))]
            child = self._explored(parent.architecture, space, rng)
            weak = ranked[self.population_size - len(heirs) - 1 :][:1]  # none: of one that failed
            return Proposal(
                child,
                repeat=True,
                parent=parent.number,
                inherits=True,
                begin=barrier,
                replaces=weak[0].number if weak else None,
            )
        members = [*ranked[: self.population_size - len(heirs)], *heirs]
        return _onwards(members, self._after(barrier, members), history)

    def keeps(self, history: History) -> Collection[int]:
        """Return the paused members: they continue, or a child inherits their weights."""
        members, barrier = self._progress.of(history).here(history, self)
        if barrier is not None and not any(_below(one, barrier, history) for one in members):
            ranked, heirs = judged(members, barrier, history)
            members = [*ranked, *heirs]
        return [trial.number for trial in members if trial.resumable]

    def founders(self, history: History) -> list[Trial]:
        """Return the first members that were trained and did not fail before the first barrier."""
        reached = history.at(self.interval)
        founders = (
            trial
            for trial in history.trials.values()
            if trial.trained and not trial.started.begin
            if trial.number in reached or not isinstance(trial.outcome, Failed)
        )
        return list(islice(founders, self.population_size))

    def onwards(self, members: Sequence[Trial], barrier: int, history: History) -> _Step | None:
        """Return the members and the barrier after a barrier that is passed; none before."""
        if any(_below(trial, barrier, history) for trial in members):
            return None
        ranked, heirs = judged(members, barrier, history)
        if all(trial.resumable and trial.epoch == barrier for trial in ranked):
            return None
        members = [*ranked[: self.population_size - len(heirs)], *heirs]
        return members, self._after(barrier, members)

    def _after(self, barrier: int, members: Sequence[Trial]) -> int | None:
        following = barrier + self.interval
        return following if members and following < members[0].started.epochs else None

    def _wanted(self, ranked: Sequence[Trial]) -> int:
        """Return how many children are to begin: for weak and for failed members."""
        return max(self._replaced, self.population_size - len(ranked))

    @property
    def _replaced(self) -> int:
        return max(1, int(self.quantile * self.population_size))

    def _explored(
        self, parent: Architecture, space: Space, rng: np.random.Generator
    ) -> Architecture:
        """Return a child: perturbed hyper-parameters and, sometimes, a mutated architecture."""

        def decide(decision: Decision) -> Value:
            path = decision.path
            if path not in parent:
                return decision.domain.sample(rng)
            if path.startswith(_TRAINING):
                return self._perturbed(decision.domain, parent[path], rng)
            return parent[path]

        child = space.walk(decide)
        training = any(path.startswith(_TRAINING) for path in child)
        structure = [path for path in child if _is_structure(space.decisions[path])]
        if structure and (not training or rng.random() < self.architecture_rate):
            child = space.mutate(child, rng, among=structure)
        return child

    def _perturbed(self, domain: Domain, value: Value, rng: np.random.Generator) -> Value:
        """Return a hyper-parameter: drawn again, moved to a neighbour, or times a factor."""
        if rng.random() < self.resample:
            return domain.sample(rng)
        if isinstance(domain, Choice):
            options = domain.values()
            place = options.index(value) + int(rng.choice([-1, 1]))
            return options[min(max(place, 0), len(options) - 1)]
        factor = _FACTORS[int(rng.integers(len(_FACTORS)))]
        return _within(domain, float(value) * factor)  # type: ignore[arg-type]  # it is a number


def _is_structure(decision: Decision) -> bool:
    return not decision.path.startswith(_TRAINING) and decision.domain.count > 1


def _within(domain: Int | Float, value: float) -> Value:
    if isinstance(domain, Int):
        return domain.nearest(value)
    return min(max(value, domain.low), domain.high)


def judged(
    members: Sequence[Trial], barrier: int, history: History
) -> tuple[list[Trial], list[Trial]]:
    """Return the members that have reached a barrier, best first, and the children from there.

    Children begin after all members of that barrier, so they have higher numbers.
    """
    reached = history.at(barrier)
    scores = {one.number: reached[one.number] for one in members if one.number in reached}
    ranked = [history.trials[number] for number in best_first(scores)]
    latest = max((trial.number for trial in members), default=-1)
    younger = (history.trials[number] for number in range(latest + 1, len(history.trials)))
    return ranked, [trial for trial in younger if trial.started.begin == barrier]


def _below(trial: Trial, barrier: int, history: History) -> bool:
    """Return whether a member has still to reach a barrier."""
    alive = trial.outcome is None or trial.resumable
    return alive and trial.number not in history.at(barrier)


def _onwards(members: Sequence[Trial], barrier: int | None, history: History) -> Resume | Hold:
    """Continue a paused member to the barrier or to its end; else wait for running members."""
    for trial in members:
        if trial.resumable and (barrier is None or _below(trial, barrier, history)):
            return Resume(trial.number)
    running = any(trial.outcome is None for trial in members)
    return Hold.WAIT if running else Hold.END
