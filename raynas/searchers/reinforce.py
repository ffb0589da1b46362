"""A controller trained by REINFORCE (Zoph & Le, 2017, arXiv:1611.01578, section 3.2).

With the entropy in the reward and the squashed logits of ENAS (Pham et al., 2018,
arXiv:1802.03268).

Differs from the papers: a reward is where a trial's score stands among all before it, rather than
the score, so that neither its scale nor a few networks that learn nothing have a say; the entropy
is compared with that of the same batch and weighs more, without which some hundred rewards of pure
chance make up its mind; the learning rate suits budgets of a hundred trials rather than ten
thousand. What was tried before is drawn again only if a few draws bring nothing new; it is
answered from the journal then, and counts like any other draw, since it tells how likely it has
become. Trials that were drawn before the last update, because others finished first, count as if
drawn from the controller as it is. Where a scheduler stops trials, those that went on longer are
better; one that it takes up again counts with what it reached last, in the place where it finished
first. Failed trials and scores that are no number teach nothing: they are in no batch, and are not
drawn again as long as there is something new.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

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
        baseline: The moving average of rewards.
        waiting: Finished trials from which nothing is learnt yet.
    """

    learnt: Learnt
    scores: tuple[Score, ...] = ()
    baseline: float = 0.0
    waiting: tuple[Trial, ...] = ()


@dataclass(frozen=True, slots=True)
class REINFORCE(ControllerSearch):
    """Draw from a controller; make it likelier to draw what was better than the baseline.

    Attributes:
        baseline_decay: Of the moving average of rewards that is taken from them (0.99 in ENAS,
            0.95 in NASNet); 1 for none.

    Raises:
        ConfigError: An option is out of range.
    """

    baseline_decay: float = 0.95

    def __post_init__(self) -> None:
        """Check the options and make the controller."""
        ControllerSearch.__post_init__(self)
        if not 0 <= self.baseline_decay <= 1:
            raise ConfigError(f"0 <= baseline_decay <= 1 must hold, got {self.baseline_decay}")

    def _begin(self) -> _State:
        return _State(self._untrained())

    def _step(self, state: _State, trial: Trial, _: History) -> _State:
        if not math.isfinite(trial.loss):
            return state
        state = state._replace(waiting=(*state.waiting, trial))
        return state if len(state.waiting) < self.batch_size else self._updated(state)

    def _updated(self, state: _State) -> _State:
        """Make a step; only then do these trials move the baseline, which must not know them."""
        gradient, reward = self._gradient(state)
        learnt = state.learnt.uphill(gradient, self.learning_rate)
        scores = sorted((*state.scores, *map(rank, state.waiting)))
        baseline = state.baseline + (1 - self.baseline_decay) * (reward - state.baseline)
        return _State(learnt, tuple(scores), baseline)

    def _gradient(self, state: _State) -> tuple[Array, float]:
        """Return the policy gradient that the waiting trials tell, and their mean reward."""
        parameters = state.learnt.parameters
        batch = self._policy.vocabulary.batch([trial.architecture for trial in state.waiting])
        passed = self._policy.forward(parameters, batch)
        scores = [rank(trial) for trial in state.waiting]
        reward = rewarded(scores, passed.log_probs, self.entropy_weight, state.scores)
        credit = (reward - state.baseline) / len(reward)
        return self._policy.gradient(parameters, batch, passed, credit), float(reward.mean())
