"""A controller trained by proximal policy optimisation, as in NASNet (Zoph et al., 2018).

Learning Transferable Architectures, arXiv:1707.07012, appendix A; the clipped objective is that of
Schulman et al., 2017, arXiv:1707.06347, section 3. Trials that finish after the controller has
moved on are weighed by how likely it has become to draw them.

Differs from the papers: an architecture is one action, not a sequence of them, so that the ratio
is one of whole architectures; a reward is where a trial's score stands among all before it, and
the entropy is in it, compared with that of the same batch (both as in ``reinforce``, which says
why); size, batch and learning rate suit budgets of a hundred trials rather than twenty thousand.
What was tried before is drawn again only if a few draws bring nothing new; it is answered from the
journal then, and counts like any other draw. Where a scheduler stops trials, those that went on
longer are better; one that it takes up again counts with what it reached last, in the place where
it finished first. Failed trials and scores that are no number teach nothing: they are in no batch,
and are not drawn again as long as there is something new.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice, takewhile
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from raynas.errors import ConfigError
from raynas.searchers.controller.learning import Array, Learnt, Score, rewarded
from raynas.searchers.controller.search import ControllerSearch
from raynas.searchers.selection import rank
from raynas.trial import History, Trial


class _State(NamedTuple):
    """What is learnt so far.

    Attributes:
        learnt: The controller.
        scores: Those from which it is learnt, sorted.
        waiting: Finished trials from which nothing is learnt yet.
        finished: How many trials have finished.
        drawn: How many trials the controllers before this one have drawn.
        log_probs: With which log-probability those of them were drawn that had not finished when
            the controller last changed.
    """

    learnt: Learnt
    scores: tuple[Score, ...] = ()
    waiting: tuple[Trial, ...] = ()
    finished: int = 0
    drawn: int = 0
    log_probs: Mapping[int, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PPO(ControllerSearch):
    """Draw from a controller; make it likelier to draw what was better than the rest.

    Attributes:
        passes: Steps uphill per update.
        clip: How far the ratio of probabilities may move from 1 to be rewarded for it.

    Raises:
        ConfigError: An option is out of range.
    """

    entropy_weight: float = 0.15
    passes: int = 2
    clip: float = 0.2

    def __post_init__(self) -> None:
        """Check the options and make the controller."""
        ControllerSearch.__post_init__(self)
        if self.passes < 1 or self.clip <= 0:
            raise ConfigError(
                f"PPO needs passes >= 1 and clip > 0, got {self.passes} and {self.clip}"
            )

    def _begin(self) -> _State:
        return _State(self._untrained())

    def _step(self, state: _State, trial: Trial, history: History) -> _State:
        state = state._replace(finished=state.finished + 1)
        if math.isfinite(trial.loss):
            state = state._replace(waiting=(*state.waiting, trial))
        return state if len(state.waiting) < self.batch_size else self._updated(state, history)

    def _updated(self, state: _State, history: History) -> _State:
        scores = [rank(trial) for trial in state.waiting]
        batch = self._policy.vocabulary.batch([trial.architecture for trial in state.waiting])
        passed = self._policy.forward(state.learnt.parameters, batch)
        drawn = np.array(
            [
                state.log_probs.get(trial.number, now)
                for trial, now in zip(state.waiting, passed.log_probs.tolist(), strict=True)
            ]
        )
        advantage = rewarded(scores, drawn, self.entropy_weight, state.scores)
        learnt = state.learnt
        for i in range(self.passes):
            if i:
                passed = self._policy.forward(learnt.parameters, batch)
            credit = clipped(np.exp(passed.log_probs - drawn), advantage, self.clip)
            gradient = self._policy.gradient(
                learnt.parameters, batch, passed, credit / len(credit)
            )
            learnt = learnt.uphill(gradient, self.learning_rate)
        left = self._noted(state, history)
        scores = sorted((*state.scores, *scores))
        return left._replace(learnt=learnt, scores=tuple(scores), waiting=())

    def _noted(self, state: _State, history: History) -> _State:
        """Take note of how likely the controller made what it drew and what is still running."""
        since = islice(history.trials.values(), state.drawn, None)
        own = list(takewhile(lambda trial: trial.known < state.finished, since))
        waiting = {trial.number for trial in state.waiting}
        log_probs = dict(state.log_probs)
        if late := [trial for trial in own if trial.number not in waiting]:
            batch = self._policy.vocabulary.batch([trial.architecture for trial in late])
            found = self._policy.forward(state.learnt.parameters, batch).log_probs.tolist()
            log_probs.update(zip((trial.number for trial in late), found, strict=True))
        to_come = _to_come(log_probs, history, state.finished)
        return state._replace(drawn=state.drawn + len(own), log_probs=to_come)


def _to_come(log_probs: Mapping[int, float], history: History, known: int) -> Mapping[int, float]:
    """Return those of trials that finish after the first ``known`` ones, or may do so yet.

    Of trials that failed, and of scores that are no number, there would be ever more. That a
    trial has ended since is known only now, but changes nothing: it is among those that finish
    after them, or it is never asked for.
    """
    ahead = {trial.number for trial in history.finished[known:]}
    return {
        number: log_prob
        for number, log_prob in log_probs.items()
        if number in ahead or history.trials[number].outcome is None
    }


def clipped(ratio: Array, advantage: Array, clip: float) -> Array:
    """Return the gradient of the clipped objective with regard to each log-probability.

    Args:
        ratio: ``[rows]`` how many times likelier an action is now than when it was drawn.
        advantage: ``[rows]`` how much better it was than expected.
        clip: How far the ratio may move from 1, in the direction that the advantage wants.
    """
    beyond = np.where(advantage > 0, ratio > 1 + clip, ratio < 1 - clip)
    return np.where(beyond, 0.0, ratio * advantage)
