"""The base class of searchers with an LSTM controller."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from raynas.errors import ConfigError
from raynas.searchers.controller.learning import Learnt, Score, check_options
from raynas.searchers.controller.mnas import MnasReward
from raynas.searchers.controller.policy import Policy
from raynas.searchers.incremental import Incremental
from raynas.searchers.requirements import Requirements
from raynas.searchers.selection import draw_untried, rank
from raynas.space import Space
from raynas.trial import History, Proposal, Trial


@dataclass(frozen=True, slots=True)
class ControllerSearch:
    """Draw from an LSTM that learns a higher probability for decisions of better trials.

    Searchers differ in how the LSTM learns: they define ``_begin`` and ``_step``. The attribute
    ``learnt`` of their states is the controller.

    Attributes:
        space: The search space.
        units: The number of units of the LSTM (100 in NASNet).
        learning_rate: The learning rate of Adam (3.5e-4 in NASNet, 1e-3 and 3.5e-3 in ENAS).
        batch_size: Finished trials per update (20 in NASNet, 10 and 20 in ENAS).
        entropy_weight: The weight of the entropy, for rewards of deviation 1 (1e-5 in NASNet and
            1e-4 in ENAS, for accuracies). It has no effect with a batch size of one.
        temperature: Divides the logits.
        tanh_constant: Bounds the logits to plus and minus this value (1.1 to 2.5 in ENAS); none
            for no bound.
        init_seed: The seed of the initial weights, which are the same in every run.
        reward: ``soft`` or ``hard``, for two objectives: the reward of MnasNet (see
            ``controller.mnas``); none for one objective.
        reward_target: The wanted value of the second objective, with ``reward``.

    Raises:
        ConfigError: An option is out of range.
    """

    breeds: ClassVar = False
    space: Space
    units: int = 32
    learning_rate: float = 0.02
    batch_size: int = 10
    entropy_weight: float = 0.1
    temperature: float = 1.0
    tanh_constant: float | None = 2.5
    init_seed: int = 0
    reward: str | None = None
    reward_target: float = 0.0
    _reward: MnasReward | None = field(init=False, repr=False, compare=False)
    _policy: Policy = field(init=False, repr=False, compare=False)
    _state: Incremental[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the options and make the controller."""
        check_options(
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            entropy_weight=self.entropy_weight,
        )
        if self.reward is None and self.reward_target:
            raise ConfigError("reward_target needs reward: soft or hard")
        reward = None if self.reward is None else MnasReward(self.reward, self.reward_target)
        object.__setattr__(self, "_reward", reward)
        policy = Policy(self.space, self.units, self.temperature, self.tanh_constant)
        object.__setattr__(self, "_policy", policy)
        object.__setattr__(self, "_state", Incremental(self._begin, self._step))

    def check(self, requirements: Requirements) -> None:
        """Check the objectives.

        Raises:
            ConfigError: There are several without a reward for them, or others than it needs.
        """
        if self._reward is None:
            requirements.require_one_objective(type(self).__name__)
        else:
            self._reward.check(requirements)

    def recommend(self, history: History) -> Trial | None:
        """Return the trial with the best score, or with the best reward if there is one."""
        if self._reward is None or history.best is None:
            return history.best
        return min(filter(scored, history.finished), key=self._score, default=history.best)

    def propose(self, history: History, rng: np.random.Generator) -> Proposal:
        """Draw from the controller."""
        draw = self._policy.drawer(self._state.after(history).learnt.parameters)
        return Proposal(draw_untried(self.space, history, lambda: draw(rng)))

    def _score(self, trial: Trial) -> Score:
        """Return what sorts trials, better ones first."""
        if self._reward is None:
            return rank(trial)
        return -trial.epoch, trial.violation, -self._reward.of(trial)

    def _untrained(self) -> Learnt:
        return Learnt.nothing(self._policy.initial(np.random.default_rng(self.init_seed)))

    def _begin(self) -> Any:
        """Return the state before anything has finished."""
        raise NotImplementedError

    def _step(self, state: Any, trial: Trial, history: History) -> Any:
        """Return the state after one more trial has finished."""
        raise NotImplementedError


def scored(trial: Trial) -> bool:
    """Return whether all objectives of a finished trial are finite."""
    return all(map(math.isfinite, trial.losses))
