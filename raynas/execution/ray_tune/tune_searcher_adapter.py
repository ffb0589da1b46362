"""A Ray Tune searcher inside raynas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from ray.tune.search import Searcher as TuneSearcher

from raynas.errors import SearcherError
from raynas.execution.ray_tune.param_space import from_config, param_space
from raynas.searchers.foreign import tell_of_weights, told
from raynas.searchers.requirements import Requirements
from raynas.space import Space
from raynas.trial import Finished, History, Proposal, Trial


@dataclass(frozen=True, slots=True)
class TuneSearcherAdapter:
    """Proposes what a Ray Tune searcher suggests, on the space's ``param_space``.

    Unlike raynas's own it has a state and a generator of its own: give it a seed to repeat a run.
    A resumed run tells a fresh one all that is known, as far as it can be told
    (``add_evaluated_point``); what it had in mind before is gone.

    Attributes:
        space: Where architectures live.
        searcher: The Ray Tune searcher, made without a space, metric and mode.
    """

    breeds: ClassVar = False
    space: Space
    searcher: TuneSearcher
    _told: dict[int, bool] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Hand over the space.

        Raises:
            SearcherError: The searcher has one already.
            SpaceError: Ray Tune has no words for something in the space.
        """
        taken = self.searcher.set_search_properties("loss", "min", param_space(self.space))
        if not taken:
            raise SearcherError(
                f"{type(self.searcher).__name__} must be made without space, metric and mode: "
                "raynas hands over its own"
            )

    def check(self, requirements: Requirements) -> None:
        """Refuse several objectives: it is told one. Say what it does not heed.

        Raises:
            ConfigError: There are some.
        """
        name = type(self.searcher).__name__
        requirements.require_one_objective(name)
        tell_of_weights(self.space, name)

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Tell the searcher what has ended since, and ask it.

        Raises:
            SearcherError: It has nothing to suggest just now, as behind a ConcurrencyLimiter.
        """
        del rng  # it draws from its own
        for trial in (*history.finished, *history.failed):
            if self._told.get(trial.number) is not True:
                self._tell(trial)
        number = len(history.trials)
        config = self.searcher.suggest(_id(number))
        if config == TuneSearcher.FINISHED:
            return None
        if not isinstance(config, Mapping):
            raise SearcherError(
                f"{type(self.searcher).__name__} suggests nothing while trials run: take its "
                "limiter off, raynas keeps to --max-concurrent itself"
            )
        self._told[number] = False
        return Proposal(from_config(self.space, config))

    def _tell(self, trial: Trial) -> None:
        finished = isinstance(trial.outcome, Finished)
        if trial.number in self._told:
            result: dict[str, Any] | None = {"loss": trial.loss} if finished else None
            self.searcher.on_trial_complete(_id(trial.number), result, error=not finished)
        elif finished:
            self._tell_of_before(trial)
        self._told[trial.number] = True

    def _tell_of_before(self, trial: Trial) -> None:
        """Tell of a trial that another process proposed; inactive decisions need some value."""
        rng = np.random.default_rng(trial.number)
        decided = {
            path: told(
                decision.domain,
                trial.architecture[path]
                if path in trial.architecture
                else decision.domain.sample(rng),
            )
            for path, decision in self.space.decisions.items()
        }
        try:
            self.searcher.add_evaluated_point(decided, trial.loss)
        except NotImplementedError as error:
            raise SearcherError(
                f"{type(self.searcher).__name__} cannot be told of earlier trials, so the run "
                "cannot be taken up with it"
            ) from error


def _id(number: int) -> str:
    return f"raynas-{number}"
