"""BOHB: densities of good and of bad networks (Falkner et al., 2018, arXiv:1807.01774, section 3).

Use it with the scheduler ``hyperband``: the scheduler decides how long a network is trained, and
this searcher decides which network.

Differs from the paper: every epoch after which trials report is a budget, and the reports of
running trials count; a network is not proposed twice; if an observation lacks a conditional
decision, the prior is used for it instead of an imputed value; the bandwidth of a choice does not
depend on the order of its options; the densities use truncated kernels for numbers, too. As in
the authors' code, failed networks count as bad, unless something else than the network failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from raynas.errors import ConfigError
from raynas.searchers.density import Axes, Density
from raynas.searchers.mutants import anything
from raynas.searchers.requirements import OneObjective, Requirements
from raynas.searchers.selection import untried
from raynas.space import Architecture, Space
from raynas.trial import Failed, History, Proposal


@dataclass(frozen=True, slots=True)
class BOHB(OneObjective):
    """Draw from the density of good networks; train the draw with the best good-to-bad ratio.

    Attributes:
        space: The search space.
        min_points: The least number of networks for a density; none for the number of decisions
            plus one.
        top_share: The share of the networks trained long enough that counts as good.
        samples: How many draws from the density of good networks are compared.
        random_fraction: The share of all proposals that are drawn from the prior.
        bandwidth_factor: By how much the density is widened before drawing from it.

    Raises:
        ConfigError: An option is out of range.
    """

    breeds: ClassVar = False
    space: Space
    min_points: int | None = None
    top_share: float = 0.15
    samples: int = 64
    random_fraction: float = 1 / 3
    bandwidth_factor: float = 3.0
    _axes: Axes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the options."""
        if self.samples < 1 or (self.min_points is not None and self.min_points < 1):
            raise ConfigError(
                f"BOHB needs samples and min_points >= 1, got {self.samples} and {self.min_points}"
            )
        if not (0 < self.top_share < 1 and 0 <= self.random_fraction <= 1):
            raise ConfigError(
                "BOHB needs top_share between 0 and 1 and random_fraction in [0, 1], "
                f"got {self.top_share} and {self.random_fraction}"
            )
        if not 0 < self.bandwidth_factor < np.inf:
            raise ConfigError(
                f"BOHB needs a finite bandwidth_factor > 0, got {self.bandwidth_factor}"
            )
        object.__setattr__(self, "_axes", Axes(self.space))

    def check(self, requirements: Requirements) -> None:
        """Refuse several objectives, and constraints that only training shows.

        Raises:
            ConfigError: There are some.
        """
        OneObjective.check(self, requirements)
        requirements.refuse_constraints("BOHB")

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Draw from the prior at first and now and then, else what the densities promise."""
        ranked = self._ranked(history)
        if not ranked or rng.random() < self.random_fraction:
            return anything(self.space, history, rng)
        good, bad = (Density.around(self._axes, some) for some in self._split(ranked, history))
        wide = good.wider(self.bandwidth_factor)
        drawn = wide.draw(self.samples, rng)
        points = self._axes.rows(drawn)
        promise = good.log(points) - bad.log(points)
        order = np.argsort(-promise, kind="stable").tolist()
        best = next(untried(self.space, history, (drawn[i] for i in order)), None)
        return anything(self.space, history, rng) if best is None else Proposal(best)

    @property
    def _least(self) -> int:
        return len(self._axes.open) + 1 if self.min_points is None else self.min_points

    def _ranked(self, history: History) -> Sequence[Architecture]:
        """Return what was trained for the longest time that enough were, the best first."""
        longest = max((trial.epoch for trial in history.trials.values()), default=0)
        for epoch in range(longest, 0, -1):
            told = [
                (score.losses[0], number)
                for number, score in history.at(epoch).since(0)
                if not isinstance(history.trials[number].outcome, Failed)
            ]
            if len(told) >= self._least + 2:
                return [history.trials[number].architecture for _, number in sorted(told)]
        return []

    def _split(
        self, ranked: Sequence[Architecture], history: History
    ) -> tuple[Sequence[Architecture], Sequence[Architecture]]:
        """Return the good and the bad ones; they overlap while there are few (equation 3)."""
        good = max(self._least, int(self.top_share * len(ranked)))
        failed = [t.architecture for t in history.failed if t.infeasible]
        known = [*ranked, *failed]
        return ranked[:good], known[-max(self._least, len(known) - good) :]
