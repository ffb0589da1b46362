"""Single path one-shot (Guo et al., 2020, arXiv:1904.00420), with the settings of the authors.

Differs from the authors' code: parents are the best of all architectures so far instead of the
best of the last generations, which is the same if scores do not change. Constraints are those
of the evolution; paths of the whole space are trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final

import numpy as np

from raynas.errors import ConfigError
from raynas.oneshot.candidate import Candidate
from raynas.oneshot.methods.method import ranked
from raynas.oneshot.methods.uniform import UniformPaths
from raynas.oneshot.relaxation import Relaxation
from raynas.oneshot.scoring import Scorer
from raynas.space import Architecture, Decision, Space, Value

Losses = Callable[[Sequence[Architecture]], list[float]]
"""Returns the loss of each architecture."""

_TRIES: Final = 10  # per architecture of a generation; small spaces have no others left


@dataclass(slots=True)
class SPOS(UniformPaths):
    """Train uniformly drawn paths; search by evolution on the shared scores.

    Attributes:
        population: Architectures of a generation.
        generations: How many generations there are.
        parents: The best architectures, from which others are made.
        mutation: The probability with which a decision of a mutant is drawn anew.

    Raises:
        ConfigError: An option is out of range.
    """

    name: ClassVar[str] = "spos"
    population: int = 50
    generations: int = 20
    parents: int = 10
    mutation: float = 0.1

    def __post_init__(self) -> None:
        """Check the options."""
        UniformPaths.__post_init__(self)
        if min(self.population, self.generations, self.parents) < 1 or not 0 < self.mutation <= 1:
            raise ConfigError(
                "the evolution needs population, generations and parents of at least 1 and "
                f"0 < mutation <= 1, got {self.population}, {self.generations}, {self.parents} "
                f"and {self.mutation}"
            )

    def candidates(
        self, scorer: Scorer, relaxation: Relaxation, count: int, rng: np.random.Generator
    ) -> list[Candidate]:
        """Return the best architectures that the evolution found."""
        del relaxation

        def losses(architectures: Sequence[Architecture]) -> list[float]:
            scores = scorer.many(architectures)
            return [math.inf if score is None else scorer.loss(score) for score in scores]

        return ranked(self.name, scorer, self.evolved(scorer.space, losses, rng))[:count]

    def evolved(
        self, space: Space, losses: Losses, rng: np.random.Generator
    ) -> list[Architecture]:
        """Return all architectures that the evolution looked at (the paper's Algorithm 1).

        Half of a generation are mutants, half are crossovers of two parents; what is missing is
        drawn at random. What breaks a constraint is drawn anew.
        """
        seen: dict[str, Architecture] = {}
        known: list[float] = []
        best: list[Architecture] = []
        half = self.population // 2
        for _ in range(self.generations):
            made = len(seen)
            if best:
                self._add(seen, made + half, space, partial(self._mutant, space, best, rng))
                self._add(seen, made + 2 * half, space, partial(_crossover, space, best, rng))
            self._add(seen, made + self.population, space, partial(space.sample, rng))
            every = [*seen.values()]
            if len(every) == made:
                break
            known += losses(every[made:])
            best = [every[at] for at in np.argsort(known, kind="stable")[: self.parents]]
        return [*seen.values()]

    def _add(
        self,
        seen: dict[str, Architecture],
        size: int,
        space: Space,
        make: Callable[[], Architecture],
    ) -> None:
        """Add new architectures until there are ``size``, or none is found any more."""
        for _ in range(_TRIES * max(0, size - len(seen))):
            if len(seen) >= size or (made := self.within(make)) is None:
                return
            seen.setdefault(space.identity(made), made)

    def _mutant(
        self, space: Space, parents: list[Architecture], rng: np.random.Generator
    ) -> Architecture:
        parent = parents[rng.integers(len(parents))]

        def decide(decision: Decision) -> Value:
            if decision.path in parent and rng.random() >= self.mutation:
                return parent[decision.path]
            return decision.domain.sample(rng)

        return space.walk(decide)


def _crossover(
    space: Space, parents: list[Architecture], rng: np.random.Generator
) -> Architecture:
    one, other = (parents[rng.integers(len(parents))] for _ in range(2))
    return space.crossover(one, other, rng)
