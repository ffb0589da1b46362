"""A Ray Tune searcher inside raynas."""

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
    """What a searcher has suggested, and what it was told.

    Attributes:
        paused: As in ``Requirements``.
        asked: How many suggestions it was asked for.
        names: The names of its suggestions that became trials and have not ended, by number.
        told: The trials whose end it knows.
        open: Its suggestions of which it is not known whether they become trials.
    """

    paused: Callable[[History], Collection[int]] = lambda _: ()
    asked: int = 0
    names: dict[int, str] = field(default_factory=dict)
    told: set[int] = field(default_factory=set)
    open: list[tuple[str, Architecture, int]] = field(default_factory=list)

    def suggest(self, name: str, architecture: Architecture, trials: int) -> None:
        """Take note of a suggestion that was made when there were so many trials."""
        self.asked += 1
        self.open.append((name, architecture, trials))

    def assign(self, history: History) -> None:
        """Find out which suggestions became trials."""
        for suggestion in tuple(self.open):
            name, architecture, number = suggestion
            trial = history.trials.get(number)
            if trial and number not in self.names and trial.architecture == architecture:
                self.names[number] = name
                self.open.remove(suggestion)

    def drop(self, history: History, tell: Callable[[str], None]) -> None:
        """Tell of the suggestions for trials that begin with another one."""
        for suggestion in tuple(self.open):
            if suggestion[2] in history.trials:
                tell(suggestion[0])
                self.open.remove(suggestion)


@dataclass(frozen=True, slots=True)
class TuneSearcherAdapter:
    """Proposes what a Ray Tune searcher suggests, on the space's ``param_space``.

    Unlike raynas's own it has a state and a generator of its own: give it a seed to repeat a run.
    A resumed run tells a new instance all that is known, as far as it can be told
    (``add_evaluated_point``); its own state from before is lost.

    It is told the end of each of its suggestions once: the loss when a trial ends and will not
    continue; an error if the trial failed, or if proxies chose another suggestion.

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
            SearcherError: The searcher has one already.
            SpaceError: Ray Tune cannot express something in the space.
        """
        taken = self.searcher.set_search_properties("loss", "min", param_space(self.space))
        if not taken:
            raise SearcherError(
                f"{type(self.searcher).__name__} must be made without space, metric and mode: "
                "raynas hands over its own"
            )

    def check(self, requirements: Requirements) -> None:
        """Refuse several objectives; warn of what the searcher ignores.

        Raises:
            ConfigError: There are several objectives.
        """
        self._memo.paused = requirements.paused
        name = type(self.searcher).__name__
        requirements.require_one_objective(name)
        tell_of_weights(self.space, name)

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Tell the searcher what has ended since, and ask it.

        Raises:
            SearcherError: It suggests nothing now, for example because of a ConcurrencyLimiter.
        """
        del rng  # it has a generator of its own
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
        """Tell the searcher of the trials that have ended for good since it was last told."""
        memo, paused = self._memo, None
        for trial in (*history.finished, *history.failed):
            number = trial.number
            outcome = history.trials[number].outcome  # it may have been resumed since
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
