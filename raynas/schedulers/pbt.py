"""Population based training (Jaderberg et al., 2017, arXiv:1711.09846) over architectures too.

Every so many epochs the weakest members give their place to children of the strongest: a child
takes over weights, as far as they fit, and training hyper-parameters, some of them changed
(exploit by truncation, explore by resampling or perturbing; section 4.1.1).

Differs from the paper: a child may differ in architecture as well; and the whole population is
judged at once, when its last member has come so far. What a population becomes then depends on
its scores alone, not on which worker was faster, and survives any kill.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from raynas.errors import ConfigError
from raynas.schedulers.rungs import best_first
from raynas.schedulers.verdict import Directive, Hold, Resume, Verdict
from raynas.space import Architecture, Choice, Decision, Domain, Float, Int, Space, Value
from raynas.trial import History, Proposal, Report, Trial

_TRAINING: Final = "training."  # decisions below this are hyper-parameters of training
_FACTORS: Final = (0.8, 1.2)


@dataclass(frozen=True, slots=True)
class PBT:
    """Train a population, members of which replace each other; the searcher begins it.

    The run ends when the population has trained to its full length.

    Attributes:
        population_size: How many members there are.
        interval: Epochs between judgements.
        quantile: Share of the population that is replaced, and of the strong that replace it.
        resample: How often a hyper-parameter is drawn anew rather than perturbed.
        architecture_rate: How often a child's architecture differs from its parent's.

    Raises:
        ConfigError: An option is out of range.
    """

    population_size: int = 8
    interval: int = 2
    quantile: float = 0.25
    resample: float = 0.25
    architecture_rate: float = 0.5

    def __post_init__(self) -> None:
        """Check the options."""
        if self.population_size < 2 or self.interval < 1:
            raise ConfigError(
                "pbt needs population_size >= 2, so that there is somebody to learn from, and "
                f"interval >= 1, got {self.population_size} and {self.interval}"
            )
        if not 0 < self.quantile <= 0.5:
            raise ConfigError(f"pbt needs 0 < quantile <= 0.5, got {self.quantile}")
        if not (0 <= self.resample <= 1 and 0 <= self.architecture_rate <= 1):
            raise ConfigError(
                "pbt needs resample and architecture_rate from 0 to 1, "
                f"got {self.resample} and {self.architecture_rate}"
            )

    def check(self, epochs: int) -> None:
        """Refuse runs that would end before the first judgement."""
        if self.interval >= epochs:
            raise ConfigError(
                f"pbt needs interval < epochs, got an interval of {self.interval} for trials of "
                f"{epochs}: lower the one or raise the other"
            )

    def decide(self, report: Report, history: History) -> Verdict:
        """Pause a member whenever it is to be judged."""
        epochs = history.trials[report.number].started.epochs
        judged = report.epoch % self.interval == 0 and report.epoch < epochs
        return Verdict.STOP if judged else Verdict.GO

    def direct(
        self, history: History, space: Space, rng: np.random.Generator, *, closed: bool
    ) -> Directive:
        """Let children take the places of the weak, then the others go on."""
        members = self._founders(history)
        if len(members) < self.population_size and not closed:
            return None
        for barrier in self._barriers(members):
            if any(_below(trial, barrier, history) for trial in members):
                return _onwards(members, barrier, history)
            ranked, members = self._judged(members, barrier, history)
            if ranked and not closed and len(members) < self.population_size:
                parent = ranked[int(rng.integers(min(self._replaced, len(ranked))))]
                child = self._explored(parent.architecture, space, rng)
                return Proposal(
                    child, repeat=True, parent=parent.number, inherits=True, begin=barrier
                )
        return _onwards(members, None, history)

    def keeps(self, history: History) -> Collection[int]:
        """Return the paused members: they go on, or a child takes over from them."""
        members = self._founders(history)
        for barrier in self._barriers(members):
            if any(_below(trial, barrier, history) for trial in members):
                break
            ranked, survivors = self._judged(members, barrier, history)
            if len(survivors) < self.population_size:  # more children may come from the strong
                members = [*ranked, *survivors]
                break
            members = survivors
        return [trial.number for trial in members if trial.resumable]

    def _founders(self, history: History) -> list[Trial]:
        """Return the first that were trained; what the journal answered has no weights."""
        founders = (t for t in history.trials.values() if t.trained and not t.started.begin)
        return [trial for trial, _ in zip(founders, range(self.population_size), strict=False)]

    def _barriers(self, members: Sequence[Trial]) -> range:
        return range(self.interval, members[0].started.epochs if members else 0, self.interval)

    def _judged(
        self, members: Sequence[Trial], barrier: int, history: History
    ) -> tuple[list[Trial], list[Trial]]:
        """Return who has reached a barrier, best first, and the members from there on so far."""
        reached = history.at(barrier)
        losses = {t.number: reached[t.number] for t in members if t.number in reached}
        ranked = [history.trials[number] for number in best_first(losses)]
        children = [t for t in history.trials.values() if t.started.begin == barrier]
        return ranked, [*ranked[: self.population_size - self._replaced], *children]

    @property
    def _replaced(self) -> int:
        return max(1, int(self.quantile * self.population_size))

    def _explored(
        self, parent: Architecture, space: Space, rng: np.random.Generator
    ) -> Architecture:
        """Return a child: its training perturbed and, at times, its architecture mutated."""

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
        """Return a hyper-parameter, drawn anew, moved to a neighbour, or times a factor."""
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
        return min(max(round(value), domain.low), domain.high)
    return min(max(value, domain.low), domain.high)


def _below(trial: Trial, barrier: int, history: History) -> bool:
    """Say whether a member is still on its way to a barrier."""
    alive = trial.outcome is None or trial.resumable
    return alive and trial.number not in history.at(barrier)


def _onwards(members: Sequence[Trial], barrier: int | None, history: History) -> Resume | Hold:
    """Let a paused member go on to the barrier, or to its end; else wait for those who run."""
    for trial in members:
        if trial.resumable and (barrier is None or _below(trial, barrier, history)):
            return Resume(trial.number)
    running = any(trial.outcome is None for trial in members)
    return Hold.WAIT if running else Hold.END
