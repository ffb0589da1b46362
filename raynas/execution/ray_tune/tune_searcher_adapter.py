"""Use a Ray Tune searcher in raynas."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from ray.tune.search import Searcher as TuneSearcher

from raynas.errors import SearcherError
from raynas.execution.ray_tune.param_space import from_config, param_space
from raynas.searchers.foreign import tell_of_weights, told
from raynas.searchers.requirements import Requirements
from raynas.space import Architecture, Space
from raynas.trial import Finished, History, Proposal, Trial


@dataclass(slots=True)
class _Memo:
    """The suggestions of a searcher, and the results that it has received.

    Attributes:
        paused: As in ``Requirements``.
        asked: The number of suggestions so far.
        names: The names of the suggestions whose trials have not ended, by trial number.
        told: The numbers of the trials whose end was reported to the searcher.
        open: The suggestions that may still become trials: name, architecture, and the number
            that the trial would have.
    """

    paused: Callable[[History], Collection[int]] = lambda _: ()
    asked: int = 0
    names: dict[int, str] = field(default_factory=dict)
    told: set[int] = field(default_factory=set)
    open: list[tuple[str, Architecture, int]] = field(default_factory=list)

    def suggest(self, name: str, architecture: Architecture, trials: int) -> None:
        """Record a suggestion.

        Args:
            name: Its name.
            architecture: The suggested architecture.
            trials: How many trials there were at that time.
        """
        self.asked += 1
        self.open.append((name, architecture, trials))

    def assign(self, history: History) -> None:
        """Record which suggestions became trials."""
        for suggestion in tuple(self.open):
            name, architecture, number = suggestion
            trial = history.trials.get(number)
            if trial and number not in self.names and trial.architecture == architecture:
                self.names[number] = name
                self.open.remove(suggestion)

    def drop(self, history: History, tell: Callable[[str], None]) -> None:
        """Remove the suggestions in whose place another one became a trial.

        Args:
            history: All trials so far.
            tell: Is called with the name of each removed suggestion.
        """
        for suggestion in tuple(self.open):
            if suggestion[2] in history.trials:
                tell(suggestion[0])
                self.open.remove(suggestion)


@dataclass(frozen=True, slots=True)
class TuneSearcherAdapter:
    """Proposes the suggestions of a Ray Tune searcher, for the ``param_space`` of the space.

    Unlike raynas's own searchers, a Ray Tune searcher has a state and a random generator: give it
    a seed to make a run repeatable. A resumed run gives the earlier results to a new instance
    with ``add_evaluated_point``; the rest of the earlier state is lost.

    The searcher receives the end of each of its suggestions once: the loss when a trial ends and
    will not continue; an error if the trial failed, or if proxies chose another suggestion.

    Attributes:
        space: The search space.
        searcher: The Ray Tune searcher, made without a space, metric and mode.
    """

    breeds: ClassVar = False
    space: Space
    searcher: TuneSearcher
    _memo: _Memo = field(default_factory=_Memo, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Give the space to the searcher.

        Raises:
            SearcherError: The searcher has a space already.
            SpaceError: Ray Tune cannot represent a part of the space.
        """
        taken = self.searcher.set_search_properties("loss", "min", param_space(self.space))
        if not taken:
            raise SearcherError(
                f"{type(self.searcher).__name__} must be made without space, metric and mode, "
                "because raynas sets them"
            )

    def check(self, requirements: Requirements) -> None:
        """Check the objectives and constraints; warn about prior weights, which are ignored.

        Raises:
            ConfigError: There are several objectives, or constraints that only training shows.
        """
        self._memo.paused = requirements.paused
        name = type(self.searcher).__name__
        requirements.require_one_objective(name)
        requirements.refuse_constraints(name)
        tell_of_weights(self.space, name)

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Report the ended trials to the searcher, then return its next suggestion.

        Raises:
            SearcherError: It suggests nothing now, for example because of a ConcurrencyLimiter.
        """
        del rng  # the searcher has its own random generator
        memo = self._memo
        memo.assign(history)
        memo.drop(history, lambda name: self.searcher.on_trial_complete(name, error=True))
        self._tell_ends(history)
        name = f"raynas-{memo.asked}"
        config = self.searcher.suggest(name)
        if config == TuneSearcher.FINISHED:
            return None
        if not isinstance(config, Mapping):
            raise SearcherError(
                f"{type(self.searcher).__name__} suggests nothing while trials run: remove its "
                "ConcurrencyLimiter, because --max-concurrent limits the trials that run at once"
            )
        proposal = Proposal(from_config(self.space, config))
        memo.suggest(name, proposal.architecture, len(history.trials))
        return proposal

    def _tell_ends(self, history: History) -> None:
        """Report to the searcher the trials that have ended since the last call and stay ended."""
        memo, paused = self._memo, None
        for trial in (*history.finished, *history.failed):
            number = trial.number
            outcome = history.trials[number].outcome  # none if the trial was resumed
            if outcome is None or number in memo.told:
                continue
            if paused is None:
                paused = set(memo.paused(history))
            if number in paused:
                continue
            memo.told.add(number)
            finished = isinstance(outcome, Finished)
            if name := memo.names.pop(number, None):
                loss = {"loss": history.trials[number].loss} if finished else None
                self.searcher.on_trial_complete(name, loss, error=not finished)
            elif finished:
                self._tell_of_before(history.trials[number])

    def _tell_of_before(self, trial: Trial) -> None:
        """Report a trial of an earlier process; inactive decisions get a random value.

        Raises:
            SearcherError: The searcher accepts no earlier results.
        """
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
                f"{type(self.searcher).__name__} accepts no results of earlier trials, so the run "
                "cannot be resumed with it"
            ) from error
