"""ENAS (Pham et al., 2018, arXiv:1802.03268), with the settings of the authors' micro search.

Each epoch trains the shared weights on paths that a controller draws, then the controller on
rewards of the shared weights.

Differs from the authors' code: the controller is that of ``raynas.searchers.controller``, an LSTM
over the decisions of any space, instead of attention over earlier layers; so there is no bias for
convolutions. The entropy is that of one sample, as in their macro search. Training ends with the
best of many samples on all validation examples, not on one batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final

import numpy as np

from raynas.errors import ConfigError, SpaceError
from raynas.oneshot.candidate import Candidate
from raynas.oneshot.methods.method import Method, ranked
from raynas.oneshot.methods.skips import SkipPenalty, density, skips_of
from raynas.oneshot.relaxation import Relaxation
from raynas.oneshot.scoring import Scorer
from raynas.oneshot.supernet import Supernet
from raynas.oneshot.training import FIRST, MeanLoss, SupernetTraining, scaled
from raynas.searchers.controller.learning import Learnt
from raynas.searchers.controller.lstm import Array
from raynas.searchers.controller.policy import Policy
from raynas.space import Architecture, Space

_SHOWN: Final = 8
_UPDATES: Final = 4500  # of the micro search: 150 epochs of 30
_FASTEST: Final = 0.05
_EPSILON: Final = 1e-3  # of Adam, in the authors' code


@dataclass(slots=True)
class ENAS(Method):
    """Draw paths from a controller that learns by REINFORCE from their shared scores.

    Attributes:
        steps: Updates of the controller per epoch (30 in the micro search, 50 in the macro one);
            none for as many rewards as the weights have steps. In the authors' micro search, an
            epoch has 281 steps and 300 rewards. On small data, 300 rewards would take longer than
            the training of the weights.
        aggregate: Architectures per update (10 and 20).
        learning_rate: That of the controller (0.0035 and 0.001), if it has as many updates as in
            the micro search, 4,500. With fewer it is higher in proportion, at most 0.05.
        entropy_weight: What a unit of entropy adds to the reward.
        baseline_decay: The decay of the moving average of rewards.
        tanh_constant: The bound of the controller's logits (1.1 and 1.5).
        units: Units of the controller's LSTM.
        skip_weight: The weight of the penalty for skips (0.8 in the macro search); 0 for none. A
            skip is a decision between ``False`` and ``True`` whose name is ``skip`` or begins with
            ``skip_``, as in the space ``textnas``.
        skip_target: The probability of a skip that costs nothing (0.4).
        samples: How many architectures are scored at the end.

    Raises:
        ConfigError: An option is out of range.
    """

    name: ClassVar[str] = "enas"
    mixes: ClassVar[bool] = False
    parallel: ClassVar[bool] = True
    steps: int | None = None
    aggregate: int = 10
    learning_rate: float = 3.5e-3
    entropy_weight: float = 1e-4
    baseline_decay: float = 0.99
    tanh_constant: float = 1.1
    units: int = 64
    skip_weight: float = 0.0
    skip_target: float = 0.4
    samples: int = 256
    _updates: int = field(init=False, repr=False, compare=False, default=0)
    _rate: float = field(init=False, repr=False, compare=False, default=0.0)
    _policy: Policy = field(init=False, repr=False, compare=False)
    _learnt: Learnt = field(init=False, repr=False, compare=False)
    _baseline: float | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        """Check the options."""
        steps = 1 if self.steps is None else self.steps
        if min(steps, self.aggregate, self.samples, self.units) < 1:
            raise ConfigError("enas needs steps, aggregate, samples and units of at least 1")
        if self.learning_rate <= 0 or not 0 <= self.baseline_decay <= 1:
            raise ConfigError(
                "enas needs learning_rate > 0 and 0 <= baseline_decay <= 1, "
                f"got {self.learning_rate} and {self.baseline_decay}"
            )
        if self.skip_weight < 0 or not 0 < self.skip_target < 1:
            raise ConfigError(
                "enas needs skip_weight >= 0 and 0 < skip_target < 1, "
                f"got {self.skip_weight} and {self.skip_target}"
            )

    def check(self, supernet: Supernet, inputs: Any) -> None:  # noqa: ARG002 - the space is told
        """Check that there are skips, if they have a penalty.

        Raises:
            SpaceError: There are none.
        """
        if self.skip_weight and not skips_of(supernet.space):
            raise SpaceError(
                "enas with a skip_weight needs decisions between False and True whose names are "
                "skip or begin with skip_, and the space has none: leave skip_weight out"
            )

    def begin(self, training: SupernetTraining) -> None:
        """Make the controller."""
        self._policy = self._policy_of(training.supernet.space)
        self._learnt = Learnt.nothing(self._policy.initial(training.rng(0, FIRST)))
        as_many = round(training.steps / training.epochs / self.aggregate)
        self._updates = self.steps or max(1, as_many)
        updates = self._updates * training.epochs
        self._rate = scaled(self.learning_rate, updates, _UPDATES, _FASTEST)

    @property
    def _skips(self) -> SkipPenalty:
        return SkipPenalty(skips_of(self._policy.space), self.skip_weight, self.skip_target)

    def _policy_of(self, space: Space) -> Policy:
        return Policy(space, self.units, 1.0, self.tanh_constant)

    def train(self, training: SupernetTraining, epoch: int) -> Mapping[str, float]:
        """Train the weights on all examples once, then the controller."""
        rng, losses = training.rng(epoch), MeanLoss()
        draw = self._policy.drawer(self._learnt.parameters)
        for inputs, targets, lr in training.batches(epoch):
            training.supernet.take(training.served(partial(draw, rng)))
            losses.add(training.step(inputs, targets, lr), targets)
        batches = training.valid_batches(epoch)
        for _ in range(self._updates):
            draw = self._policy.drawer(self._learnt.parameters)
            drawn = [training.served(partial(draw, rng)) for _ in range(self.aggregate)]
            self.learn(drawn, training.rewards(drawn, batches))
        return {
            "train_loss": losses.value,
            "entropy": self._entropy(drawn),
            **({"skip_density": density(self._skips.skips, drawn)} if self.skip_weight else {}),
        }

    def learn(self, drawn: list[Architecture], rewards: list[float]) -> None:
        """Make one step of REINFORCE; the baseline moves before each reward is used."""
        batch = self._policy.vocabulary.batch(drawn)
        passed = self._policy.forward(self._learnt.parameters, batch)
        credit = np.empty(len(drawn))
        for at, reward in enumerate(rewards):
            whole = reward - self.entropy_weight * float(passed.log_probs[at])
            before = whole if self._baseline is None else self._baseline
            self._baseline = before - (1 - self.baseline_decay) * (before - whole)
            credit[at] = (whole - self._baseline) / len(drawn)
        more: Array | float = 0.0
        if self.skip_weight:
            more = self._skips.gradient(self._policy.vocabulary, batch, passed.probs)
        gradient = self._policy.gradient(self._learnt.parameters, batch, passed, credit, more)
        self._learnt = self._learnt.uphill(gradient, self._rate, _EPSILON)

    def _entropy(self, drawn: list[Architecture]) -> float:
        batch = self._policy.vocabulary.batch(drawn)
        return float(-self._policy.forward(self._learnt.parameters, batch).log_probs.mean())

    def candidates(
        self, scorer: Scorer, relaxation: Relaxation, count: int, rng: np.random.Generator
    ) -> list[Candidate]:
        """Return the best of the controller's architectures by their shared scores."""
        del relaxation
        draw = self._policy_of(scorer.space).drawer(self._learnt.parameters)
        return ranked(self.name, scorer, (draw(rng) for _ in range(self.samples)))[:count]

    def shown(self, training: SupernetTraining, rng: np.random.Generator) -> list[Architecture]:
        """Return architectures of the controller."""
        draw = self._policy.drawer(self._learnt.parameters)
        return [training.served(lambda: draw(rng)) for _ in range(_SHOWN)]

    def state_dict(self) -> dict[str, Any]:
        """Return the controller and the baseline."""
        import torch  # noqa: PLC0415 - checkpoints hold tensors

        return {
            "parameters": torch.from_numpy(self._learnt.parameters.copy()),
            "squares": torch.from_numpy(self._learnt.squares.copy()),
            "steps": self._learnt.steps,
            "baseline": self._baseline,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with the controller of a state."""
        parameters, squares = (
            state[name].cpu().numpy().copy() for name in ("parameters", "squares")
        )
        self._learnt = Learnt(parameters, squares, state["steps"])
        self._baseline = state["baseline"]
