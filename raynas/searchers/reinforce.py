"""A controller trained by REINFORCE (Zoph & Le, 2017, arXiv:1611.01578, section 3.2).

With the entropy in the reward and the squashed logits of ENAS (Pham et al., 2018,
arXiv:1802.03268).

Differs from the papers: the reward is the rank of a trial's score among all scores before it, not
the score, so that its scale and a few networks that learn nothing have no influence; the entropy
is relative to that of the same batch and has a larger weight, because otherwise about a hundred
random rewards are enough to make the controller settle; the learning rate suits budgets of a
hundred trials, not of ten thousand. A network is drawn a second time only if a few draws bring
nothing new; the journal then answers it, and it counts like any other draw. A trial that was drawn
before the last update counts as if it was drawn from the present controller. If a scheduler stops
trials, longer trained trials are better; a resumed trial counts with its last score, at the place
where it finished first. Failed trials and scores that are not finite are in no batch, and are not
drawn again while there are new networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from raynas.errors import ConfigError
from raynas.searchers.controller.learning import Array, Learnt, Score, rewarded
from raynas.searchers.controller.search import ControllerSearch, scored
from raynas.trial import History, Trial


class _State(NamedTuple):
    """The state of learning.

    Attributes:
        learnt: The controller.
        scores: The scores that were used so far, sorted.
        baseline: The moving average of rewards.
        waiting: Finished trials that were not used yet.
    """

    learnt: Learnt
    scores: tuple[Score, ...] = ()
    baseline: float = 0.0
    waiting: tuple[Trial, ...] = ()


@dataclass(frozen=True, slots=True)
class REINFORCE(ControllerSearch):
    """Draw from a controller; raise the probability of architectures above the baseline.

    Attributes:
        baseline_decay: The decay of the moving average of rewards, which is subtracted from them
            (0.99 in ENAS, 0.95 in NASNet); 1 for no baseline.

    Raises:
        ConfigError: An option is out of range.
    """

    baseline_decay: float = 0.95

    def __post_init__(self) -> None:
        """Check the options and make the controller."""
        ControllerSearch.__post_init__(self)
        if not 0 <= self.baseline_decay <= 1:
            raise ConfigError(
                f"REINFORCE needs 0 <= baseline_decay <= 1, got {self.baseline_decay}"
            )

    def _begin(self) -> _State:
        return _State(self._untrained())

    def _step(self, state: _State, trial: Trial, _: History) -> _State:
        if not scored(trial):
            return state
        state = state._replace(waiting=(*state.waiting, trial))
        return state if len(state.waiting) < self.batch_size else self._updated(state)

    def _updated(self, state: _State) -> _State:
        """Make a step with the old baseline, then update the baseline with these trials."""
        gradient, reward = self._gradient(state)
        learnt = state.learnt.uphill(gradient, self.learning_rate)
        scores = sorted((*state.scores, *map(self._score, state.waiting)))
        baseline = state.baseline + (1 - self.baseline_decay) * (reward - state.baseline)
        return _State(learnt, tuple(scores), baseline)

    def _gradient(self, state: _State) -> tuple[Array, float]:
        """Return the policy gradient of the waiting trials, and their mean reward."""
        parameters = state.learnt.parameters
        batch = self._policy.vocabulary.batch([trial.architecture for trial in state.waiting])
        passed = self._policy.forward(parameters, batch)
        scores = [self._score(trial) for trial in state.waiting]
        reward = rewarded(scores, passed.log_probs, self.entropy_weight, state.scores)
        credit = (reward - state.baseline) / len(reward)
        return self._policy.gradient(parameters, batch, passed, credit), float(reward.mean())
