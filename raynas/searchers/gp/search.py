"""Bayesian optimisation with a Gaussian process over decisions.

The acquisition function is the expected improvement for noisy trainings that can be repeated
(Huang et al., 2006). The kernel of the process learns how much each decision and each option
matters, its target enlarges differences among the best networks, and its parameters are fitted by
maximum a posteriori; see ``kernel``, ``model`` and ``acquisition``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from raynas.errors import ConfigError
from raynas.searchers.blas import on_one_thread
from raynas.searchers.gp.acquisition import Acquisition, best_of, best_several
from raynas.searchers.gp.candidates import anywhere, around
from raynas.searchers.gp.climb import climb
from raynas.searchers.gp.handover import better, expected, handed_over
from raynas.searchers.gp.kernel import Points
from raynas.searchers.gp.layout import Floats
from raynas.searchers.gp.lengths import Lengths
from raynas.searchers.gp.rows import Features, Rows
from raynas.searchers.gp.surrogate import FittedSurrogate, Surrogate
from raynas.searchers.mutants import anything
from raynas.searchers.recommendation import Recommendation
from raynas.searchers.requirements import Requirements
from raynas.searchers.selection import check_mutable, untried
from raynas.space import Architecture, Space
from raynas.trial import History, Proposal, Trial

_PARENTS: Final = 8
_EXPLORE: Final = 8  # every eighth proposal predictions elsewhere
_OPTIMISM: Final = 3.0  # deviations, when it does
_TO_HAND_OVER: Final = 2  # trainings of a new network before it can be: one score may be luck


@dataclass(frozen=True, slots=True)
class GaussianProcess:
    """Train the network with the best acquisition value; repeat a known one if that tells more.

    Failed networks are not proposed again; trials that were stopped early count as shorter
    trainings.

    Attributes:
        space: The search space.
        random_first: How many trials must finish before the model is used.
        trainings: The largest number of trainings of one network.
        features: Computes numbers about an untrained architecture, such as zero-cost proxies; the
            first networks to train are chosen by their mean rank.
        pool: How many random architectures a feature is compared with, to scale it.
        shortlist: For how many networks features are computed before each training: those with
            the best values without features; none for all candidates, some hundred.
        fidelities: Epochs of short and of full trainings, if most networks shall be trained only
            for a short time; a network is trained at most once at each length. The full length
            must be the run's epochs.
        full_share: The share of all training time for full trainings, with ``fidelities``.

    Raises:
        SpaceError: The space holds a single architecture.
        ConfigError: An option is out of range.
    """

    space: Space
    random_first: int = 5
    trainings: int = 3
    features: Features | None = None
    pool: int = 1000
    shortlist: int | None = None
    fidelities: tuple[int, int] | None = None
    full_share: float = 1 / 3
    _lengths: Lengths | None = field(init=False, repr=False, compare=False)
    _rows: Rows = field(init=False, repr=False, compare=False)
    _surrogate: Surrogate = field(init=False, repr=False, compare=False)
    _without_features: Surrogate | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the options and that there is something to choose from."""
        least = self.random_first, self.trainings, self.pool, self.shortlist or 1
        if min(least) < 1 or self.shortlist == 0:
            raise ConfigError(
                "gp needs random_first, trainings, pool and shortlist >= 1, got "
                f"{self.random_first}, {self.trainings}, {self.pool} and {self.shortlist}"
            )
        check_mutable(self.space, "gp")
        lengths = Lengths(*self.fidelities, self.full_share) if self.fidelities else None
        object.__setattr__(self, "_lengths", lengths)
        object.__setattr__(self, "_rows", Rows(self.space, self.features, self.pool))
        object.__setattr__(self, "_surrogate", Surrogate(self._rows))
        cheap = Surrogate(Rows(self.space, None, self.pool)) if self.shortlist else None
        object.__setattr__(self, "_without_features", cheap)

    def check(self, requirements: Requirements) -> None:
        """Refuse several objectives, and fidelities that do not end at the run's epochs.

        Raises:
            ConfigError: The run does not suit this searcher.
        """
        requirements.require_one_objective("gp")
        if self._lengths and self._lengths.full != requirements.epochs:
            raise ConfigError(
                "the last of gp's fidelities must be the run's number of epochs: got "
                f"fidelities {list(self.fidelities or ())} and {requirements.epochs} epochs"
            )

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Sample at first, then propose the network with the best acquisition value."""
        return next(iter(self.propose_several(history, rng, 1)), None)

    @on_one_thread
    def propose_several(
        self, history: History, rng: np.random.Generator, count: int
    ) -> list[Proposal]:
        """Return that proposal, then the untried networks with the next best values."""
        if not self._informed(history):
            drawn = (self._first(history, rng) for _ in range(count))
            return [self._short(one) for one in drawn if one]
        fitted = self._surrogate.fit(history, self._full(history))
        if promoted := self._promoted(fitted, history):
            return [promoted]
        near, far = self._fresh(fitted, history, rng)
        cheap = (
            self._without_features.fit(history, self._full(history))
            if self._without_features
            else fitted
        )
        if far and len(history.trials) % _EXPLORE == _EXPLORE - 1:
            points = _points(far, cheap)
            prediction = cheap.posterior.predict(points)
            hopes = prediction.mean + _OPTIMISM * (
                np.sqrt(prediction.variance) + cheap.feasible(points) - 1
            )
            return [self._short(far[at]) for at in best_several(hopes, count)]
        fresh, values = self._climbed(cheap, history, [*near, *far], rng)
        if cheap is not fitted and fresh:
            values = self._value(fitted, fresh)
        return self._most_worth(fitted, history, fresh, values, count)

    @on_one_thread
    def recommendation(self, history: History) -> Recommendation | None:
        """Return the trial expected to be best on new data; at first, the best measured one."""
        if not self._informed(history):
            return Recommendation(history.best) if history.best else None
        fitted = self._surrogate.fit(history, self._full(history))
        return handed_over(history, fitted)

    def recommend(self, history: History) -> Trial | None:
        """Return the trial of ``recommendation``."""
        chosen = self.recommendation(history)
        return chosen.trial if chosen else None

    def _informed(self, history: History) -> bool:
        trained = (trial for trial in history.finished if trial.trained)
        return len([*islice(trained, self.random_first)]) == self.random_first

    def _full(self, history: History) -> int:
        """Return the epochs of full training, as far as is known."""
        return max(history.longest, self._lengths.full) if self._lengths else history.longest

    def _short(self, proposal: Proposal) -> Proposal:
        if self._lengths is None:
            return proposal
        return replace(proposal, epochs=self._lengths.short)

    def _first(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Return a random network; with features, of many the one with the highest mean place."""
        if self.features is not None:
            drawn = (self.space.sample(rng) for _ in range(-(-self.pool // self.random_first)))
            if new := list(untried(self.space, history, drawn)):
                return Proposal(max(new, key=lambda one: self._rows.places(one).mean()))
        return anything(self.space, history, rng)

    def _promoted(self, fitted: FittedSurrogate, history: History) -> Proposal | None:
        """Return the network most worth a full training, if there is one and it is due."""
        lengths = self._lengths
        if lengths is None or not lengths.full_is_due(history):
            return None
        allowed = [lengths.promotable(trial, history) for trial in fitted.trials]
        if not any(allowed):
            return None
        values = Acquisition(fitted.posterior, fitted.known).of_repeats()
        chosen = fitted.trials[best_of(np.where(allowed, values, -np.inf))]
        return Proposal(chosen.architecture, epochs=lengths.full, parent=chosen.number)

    def _fresh(
        self, fitted: FittedSurrogate, history: History, rng: np.random.Generator
    ) -> tuple[list[Proposal], list[Proposal]]:
        """Return untried networks near the best and anywhere; none if the space has no more."""
        near = around(self.space, history, fitted.trials[:_PARENTS], rng)
        far = anywhere(self.space, history, rng)
        if not (near or far) and (last := anything(self.space, history, rng)):
            far = [last]
        return near, far

    def _climbed(
        self,
        fitted: FittedSurrogate,
        history: History,
        fresh: Sequence[Proposal],
        rng: np.random.Generator,
    ) -> tuple[Sequence[Proposal], Floats]:
        """Return untried networks, these and others nearby, and what they are worth, best first.

        They are no more than are asked for.
        """
        if not fresh:
            return (), np.array([])
        fresh, values = climb(self.space, history, fresh, partial(self._value, fitted), rng)
        order = np.argsort(-values, kind="stable")[: self.shortlist]
        return [fresh[at] for at in order], values[order]

    def _value(self, fitted: FittedSurrogate, fresh: Sequence[Proposal]) -> Floats:
        """Return ``[fresh]`` what they are worth, as likely as they can be trained."""
        lacking = self._lengths.lacking if self._lengths else 0.0
        points = _points(fresh, fitted)
        kept = fitted.known.take(np.arange(fitted.kept))
        values = Acquisition(fitted.posterior, kept, lacking).of_new(points)
        return values * fitted.feasible(points)

    def _most_worth(
        self,
        fitted: FittedSurrogate,
        history: History,
        fresh: Sequence[Proposal],
        first: Floats,
        count: int,
    ) -> list[Proposal]:
        """Return the repeat that is worth most, or else the new networks that are.

        There is none if neither is left.

        A new network can be handed over once repeats have confirmed its score, so its worth is
        that of ``_TO_HAND_OVER`` trainings.
        """
        lacking = self._lengths.lacking if self._lengths else 0.0
        allowed = np.array([self._repeatable(trial, history) for trial in fitted.trials])
        if not (fresh or allowed.any()):
            return []
        again = Acquisition(fitted.posterior, fitted.known, lacking).of_repeats()
        values = np.concatenate([np.where(allowed, again, -np.inf), first / _TO_HAND_OVER])
        chosen = best_of(values) - len(again)
        if chosen >= 0:
            return [self._short(fresh[at]) for at in best_several(first, count)]
        return [Proposal(self._repeated(fitted, history, allowed, chosen), repeat=True)]

    def _repeated(
        self, fitted: FittedSurrogate, history: History, allowed: NDArray[np.bool_], at: int
    ) -> Architecture:
        """Return the network whose next training says most about which to hand over."""
        rows = better(fitted)
        _, worth = expected(history, fitted, rows)
        values = np.where(allowed[rows], worth.of_repeats(), -np.inf)
        at = rows[best_of(values)] if allowed[rows].any() else at
        return fitted.trials[at].architecture

    def _repeatable(self, trial: Trial, history: History) -> bool:
        """Say whether a network may be trained once more; not if it failed or was stopped."""
        if self._lengths or trial.stopped or trial.violation:
            return False
        same = [other for other in history.same(trial.identity) if other.trained]
        failed = any(other.infeasible for other in same)
        return not failed and len(same) < self.trainings


def _points(proposals: Sequence[Proposal], fitted: FittedSurrogate) -> Points:
    """Return proposals of untried networks as the kernel compares them."""
    return fitted.untried([proposal.architecture for proposal in proposals])
