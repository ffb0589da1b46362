"""A controller trained by proximal policy optimisation, as in NASNet (Zoph et al., 2018).

Learning Transferable Architectures, arXiv:1707.07012, appendix A; the clipped objective is that of
Schulman et al., 2017, arXiv:1707.06347, section 3. If the controller was updated between the
start and the end of a trial, the trial is weighted by the ratio of the new to the old probability.

Differs from the papers: an architecture is one action, not a sequence of actions, so the ratio is
one of whole architectures; the reward is the rank of a trial's score among all scores before it,
plus an entropy term relative to the same batch (``reinforce`` explains both); size, batch and
learning rate suit budgets of a hundred trials, not of twenty thousand. A network is drawn a second
time only if a few draws bring nothing new; the journal then answers it, and it counts like any
other draw. If a scheduler stops trials, longer trained trials are better; a resumed trial counts
with its last score, at the place where it finished first. Failed trials and scores that are not
finite are in no batch, and are not drawn again while there are new networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice, takewhile
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from raynas.errors import ConfigError
from raynas.searchers.controller.learning import Array, Learnt, Score, rewarded
from raynas.searchers.controller.search import ControllerSearch, scored
from raynas.trial import History, Trial


class _State(NamedTuple):
    """The state of learning.

    Attributes:
        learnt: The controller.
        scores: The scores that were used so far, sorted.
        waiting: Finished trials that were not used yet.
        finished: How many trials have finished.
        drawn: How many trials the controllers before this one have drawn.
        log_probs: By trial number: the log-probability of drawing it, for those of the drawn
            trials that had not finished when the controller last changed.
    """

    learnt: Learnt
    scores: tuple[Score, ...] = ()
    waiting: tuple[Trial, ...] = ()
    finished: int = 0
    drawn: int = 0
    log_probs: Mapping[int, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PPO(ControllerSearch):
    """Draw from a controller; raise the probability of architectures that were better.

    Attributes:
        passes: Gradient steps per update.
        clip: How far the ratio of probabilities may move from 1 before its gradient becomes 0.

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
        if scored(trial):
            state = state._replace(waiting=(*state.waiting, trial))
        return state if len(state.waiting) < self.batch_size else self._updated(state, history)

    def _updated(self, state: _State, history: History) -> _State:
        scores = [self._score(trial) for trial in state.waiting]
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
        """Store the log-probabilities of the trials that were drawn and have not been used yet."""
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
    """Return the entries of trials that finish after the first ``known`` ones, or may do so yet.

    Entries of failed trials and of scores that are not finite are dropped; otherwise their number
    would grow without limit. A trial may have ended since; then it is among those that finish
    later, or its entry is never needed.
    """
    ahead = {trial.number for trial in history.finished[known:]}
    return {
        number: log_prob
        for number, log_prob in log_probs.items()
        if number in ahead or history.trials[number].outcome is None
    }


def clipped(ratio: Array, advantage: Array, clip: float) -> Array:
    """Return the gradient of the clipped objective with respect to each log-probability.

    Args:
        ratio: ``[rows]`` the probability of an action now, divided by that when it was drawn.
        advantage: ``[rows]`` how much better it was than expected.
        clip: How far the ratio may move from 1 in the direction of the advantage.
    """
    beyond = np.where(advantage > 0, ratio > 1 + clip, ratio < 1 - clip)
    return np.where(beyond, 0.0, ratio * advantage)
