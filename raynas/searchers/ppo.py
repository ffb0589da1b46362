"""A controller trained by proximal policy optimisation, as in NASNet (Zoph et al., 2018).

Learning Transferable Architectures, arXiv:1707.07012, appendix A; the clipped objective is that of
Schulman et al., 2017, arXiv:1707.06347, section 3. Trials that finish after the controller has
moved on are weighed by how likely it has become to draw them.

Differs from the papers: an architecture is one action, not a sequence of them, so that the ratio
is one of whole architectures; what was tried before is drawn again only if a few draws bring
nothing new; the entropy is in the reward, as in ENAS; a trial that a scheduler stopped is rewarded
for what it had reached by then; from failed trials nothing is learnt; size, batch and learning
rate suit budgets of a hundred trials rather than twenty thousand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice, takewhile
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import numpy as np

from raynas.errors import ConfigError
from raynas.searchers.aim import Aim
from raynas.searchers.controller.learning import Array, Learnt, advantages, check_options
from raynas.searchers.controller.policy import Policy
from raynas.searchers.fold import Fold
from raynas.searchers.selection import draw_untried
from raynas.space import Space
from raynas.trial import History, Proposal, Trial


class _State(NamedTuple):
    """What is learnt so far.

    Attributes:
        learnt: The controller.
        baseline: The moving average of rewards; none before the first.
        waiting: Finished trials from which nothing is learnt yet.
        finished: How many trials have finished.
        drawn: How many trials the controllers before this one have drawn.
        log_probs: With which log-probability the waiting and the running ones of those were drawn.
    """

    learnt: Learnt
    baseline: float | None = None
    waiting: tuple[Trial, ...] = ()
    finished: int = 0
    drawn: int = 0
    log_probs: Mapping[int, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PPO:
    """Draw from an LSTM that makes decisions likelier the better the trials that had them.

    Attributes:
        space: Where architectures live.
        units: Of the LSTM (100 in NASNet).
        learning_rate: Of Adam (3.5e-4 in NASNet).
        batch_size: Finished trials per update (20 in NASNet).
        passes: Steps uphill per update.
        clip: How far the ratio of probabilities may move from 1 to be rewarded for it.
        baseline_decay: Of the moving average with which rewards are compared (0.95 in NASNet).
        entropy_weight: Of the entropy in the reward (1e-5 in NASNet).
        temperature: Divides the logits.
        tanh_constant: Keeps logits within plus and minus this; none for no bound.
        init_seed: Of the initial weights, which are the same in every run.

    Raises:
        SpaceError: The space holds a real number, or a decision with more options than can be
            learnt.
        ConfigError: An option is out of range.
    """

    breeds: ClassVar = False
    space: Space
    units: int = 64
    learning_rate: float = 0.01
    batch_size: int = 10
    passes: int = 4
    clip: float = 0.2
    baseline_decay: float = 0.95
    entropy_weight: float = 1e-5
    temperature: float = 1.0
    tanh_constant: float | None = 2.5
    init_seed: int = 0
    _policy: Policy = field(init=False, repr=False, compare=False)
    _state: Fold[_State] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the options and make the controller."""
        check_options(
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            baseline_decay=self.baseline_decay,
            entropy_weight=self.entropy_weight,
        )
        if self.passes < 1 or self.clip <= 0:
            raise ConfigError(
                f"PPO needs passes >= 1 and clip > 0, got {self.passes} and {self.clip}"
            )
        policy = Policy(self.space, self.units, self.temperature, self.tanh_constant)
        object.__setattr__(self, "_policy", policy)
        object.__setattr__(self, "_state", Fold(self._begin, self._step))

    def check(self, aim: Aim) -> None:
        """Refuse several objectives.

        Raises:
            ConfigError: There are some.
        """
        aim.require_one_objective("PPO")

    def propose(self, history: History, rng: np.random.Generator) -> Proposal:
        """Draw from the controller."""
        draw = self._policy.drawer(self._state.after(history).learnt.parameters)
        return Proposal(draw_untried(self.space, history, lambda: draw(rng)))

    def _begin(self) -> _State:
        return _State(Learnt.nothing(self._policy.initial(np.random.default_rng(self.init_seed))))

    def _step(self, state: _State, trial: Trial, history: History) -> _State:
        state = state._replace(finished=state.finished + 1)
        if math.isfinite(trial.loss):
            state = state._replace(waiting=(*state.waiting, trial))
        if len(state.waiting) < self.batch_size:
            return state
        return self._updated(self._accounted(state, history))

    def _accounted(self, state: _State, history: History) -> _State:
        """Take note of how likely the controller made what it drew, before it changes."""
        since = islice(history.trials.values(), state.drawn, None)
        own = list(takewhile(lambda trial: trial.known < state.finished, since))
        if not own:
            return state
        batch = self._policy.vocabulary.batch([trial.architecture for trial in own])
        log_probs = self._policy.forward(state.learnt.parameters, batch).log_probs.tolist()
        new = {trial.number: log_prob for trial, log_prob in zip(own, log_probs, strict=True)}
        return state._replace(drawn=state.drawn + len(own), log_probs={**state.log_probs, **new})

    def _updated(self, state: _State) -> _State:
        log_probs = dict(state.log_probs)
        drawn = np.array([log_probs.pop(trial.number) for trial in state.waiting])
        losses = np.array([trial.loss for trial in state.waiting])
        rewards = -losses - self.entropy_weight * drawn
        advantage, baseline = advantages(rewards, state.baseline, self.baseline_decay)
        batch = self._policy.vocabulary.batch([trial.architecture for trial in state.waiting])
        learnt = state.learnt
        for _ in range(self.passes):
            passed = self._policy.forward(learnt.parameters, batch)
            credit = clipped(np.exp(passed.log_probs - drawn), advantage, self.clip)
            gradient = self._policy.gradient(
                learnt.parameters, batch, passed, credit / len(credit)
            )
            learnt = learnt.uphill(gradient, self.learning_rate)
        return state._replace(learnt=learnt, baseline=baseline, waiting=(), log_probs=log_probs)


def clipped(ratio: Array, advantage: Array, clip: float) -> Array:
    """Return the gradient of the clipped objective with regard to each log-probability.

    Args:
        ratio: ``[rows]`` how many times likelier an action is now than when it was drawn.
        advantage: ``[rows]`` how much better it was than expected.
        clip: How far the ratio may move from 1, in the direction that the advantage wants.
    """
    beyond = np.where(advantage > 0, ratio > 1 + clip, ratio < 1 - clip)
    return np.where(beyond, 0.0, ratio * advantage)
