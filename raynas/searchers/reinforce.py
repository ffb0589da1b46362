"""A controller trained by REINFORCE (Zoph & Le, 2017, arXiv:1611.01578, section 3.2).

With the entropy in the reward and the squashed logits of ENAS (Pham et al., 2018,
arXiv:1802.03268).

Differs from the papers: what was tried before is drawn again only if a few draws bring nothing
new; trials that were drawn before the last update, because others finished first, count as if
drawn from the controller as it is; a trial that a scheduler stopped is rewarded for what it had
reached by then; from failed trials nothing is learnt; the learning rate suits budgets of a hundred
trials rather than ten thousand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np

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
    """

    learnt: Learnt
    baseline: float | None = None
    waiting: tuple[Trial, ...] = ()


@dataclass(frozen=True, slots=True)
class Reinforce:
    """Draw from an LSTM that makes decisions likelier the better the trials that had them.

    Attributes:
        space: Where architectures live.
        units: Of the LSTM (64 in ENAS).
        learning_rate: Of Adam (1e-3 and 3.5e-3 in ENAS).
        batch_size: Finished trials per update.
        baseline_decay: Of the moving average with which rewards are compared (0.99 in ENAS).
        entropy_weight: Of the entropy in the reward (1e-4 in ENAS).
        temperature: Divides the logits.
        tanh_constant: Keeps logits within plus and minus this (1.1 to 2.5 in ENAS); none for no
            bound.
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
    batch_size: int = 2
    baseline_decay: float = 0.9
    entropy_weight: float = 1e-4
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
        policy = Policy(self.space, self.units, self.temperature, self.tanh_constant)
        object.__setattr__(self, "_policy", policy)
        object.__setattr__(self, "_state", Fold(self._begin, self._step))

    def check(self, aim: Aim) -> None:
        """Refuse several objectives.

        Raises:
            ConfigError: There are some.
        """
        aim.require_one_objective("REINFORCE")

    def propose(self, history: History, rng: np.random.Generator) -> Proposal:
        """Draw from the controller."""
        draw = self._policy.drawer(self._state.after(history).learnt.parameters)
        return Proposal(draw_untried(self.space, history, lambda: draw(rng)))

    def _begin(self) -> _State:
        return _State(Learnt.nothing(self._policy.initial(np.random.default_rng(self.init_seed))))

    def _step(self, state: _State, trial: Trial, _: History) -> _State:
        if not math.isfinite(trial.loss):
            return state
        state = state._replace(waiting=(*state.waiting, trial))
        return state if len(state.waiting) < self.batch_size else self._updated(state)

    def _updated(self, state: _State) -> _State:
        gradient, baseline = self._gradient(state)
        return _State(state.learnt.uphill(gradient, self.learning_rate), baseline)

    def _gradient(self, state: _State) -> tuple[Array, float | None]:
        """Return the policy gradient that the waiting trials tell, and the next baseline."""
        parameters = state.learnt.parameters
        batch = self._policy.vocabulary.batch([trial.architecture for trial in state.waiting])
        passed = self._policy.forward(parameters, batch)
        losses = np.array([trial.loss for trial in state.waiting])
        rewards = -losses - self.entropy_weight * passed.log_probs
        credit, baseline = advantages(rewards, state.baseline, self.baseline_decay)
        credit /= len(credit)
        return self._policy.gradient(parameters, batch, passed, credit), baseline
