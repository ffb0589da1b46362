"""What the methods that learn strengths of options by gradient descent have in common.

Differs from the authors' codes, except in ``darts``: the shared weights are trained by the recipe
of the task, with gradients clipped as by the authors. Their own recipes are for 50 to 600 epochs
of CIFAR-10; on small data, weights trained by them are far from converged.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
import torch
from torch import Tensor, nn

from raynas.errors import ConfigError
from raynas.oneshot.candidate import Candidate
from raynas.oneshot.hypergradient import first_order
from raynas.oneshot.methods.method import Method, ranked
from raynas.oneshot.mixture import Routes, Zero
from raynas.oneshot.relaxation import Relaxation
from raynas.oneshot.scoring import Scorer
from raynas.oneshot.search import WEIGHT
from raynas.oneshot.training import FIRST, MeanLoss, SupernetTraining, scaled
from raynas.space import Architecture
from raynas.training.batches import Batch

Strengths = Mapping[str, Tensor]

_STEPS: Final = 19_500  # of DARTS: 50 epochs of 390 batches
_FASTEST: Final = 0.1


@dataclass(slots=True)
class Differentiable(Method):
    """Alternate between a step of the strengths, on validation data, and one of the weights.

    The strengths are one number per option and decision; a softmax makes weights of them.

    Attributes:
        strength_rate: The learning rate of the strengths, for Adam, if there are as many steps as
            in the paper of DARTS, 19,500. With fewer steps it is higher in proportion, at most
            0.1; otherwise strengths would hardly move on small data.
        strength_decay: Their weight decay.
        warm_up: The share of the epochs before strengths are learnt.
        most_skips: If the derived architecture has a greater share of skips, strengths stay as
            they were before (the remedy of DARTS+, Liang et al., 2019, arXiv:1909.06035); 1 for
            no limit.

    Raises:
        ConfigError: An option is out of range.
    """

    parallel: ClassVar[bool] = True
    recipe: ClassVar[Mapping[str, Any]] = {"grad_clip": 5.0}
    strength_rate: float = 3e-4
    strength_decay: float = 1e-3
    warm_up: float = 0.0
    most_skips: float = 1.0
    strengths: dict[str, nn.Parameter] = field(init=False, repr=False, default_factory=dict)
    _adam: torch.optim.Adam = field(init=False, repr=False)
    _ended: bool = field(init=False, repr=False, default=False)

    def __post_init__(self) -> None:
        """Check the options."""
        if self.strength_rate <= 0 or self.strength_decay < 0:
            raise ConfigError(
                f"{self.name} needs strength_rate > 0 and strength_decay >= 0, got "
                f"{self.strength_rate} and {self.strength_decay}"
            )
        if not (0 <= self.warm_up < 1 and 0 <= self.most_skips <= 1):
            raise ConfigError(
                f"{self.name} needs 0 <= warm_up < 1 and 0 <= most_skips <= 1, got "
                f"{self.warm_up} and {self.most_skips}"
            )

    def begin(self, training: SupernetTraining) -> None:
        """Begin with nearly equal strengths, of deviation 0.001."""
        rng, device = training.rng(0, FIRST), training.train.device
        self.strengths = {
            name: nn.Parameter(
                torch.tensor(1e-3 * rng.standard_normal(count), dtype=torch.float32, device=device)
            )
            for name, count in self.counts(training.mixed.relaxation).items()
        }
        self._adam = torch.optim.Adam(
            self.strengths.values(),
            lr=scaled(self.strength_rate, training.steps, _STEPS, _FASTEST),
            betas=(0.5, 0.999),
            weight_decay=self.strength_decay,
        )

    def counts(self, relaxation: Relaxation) -> dict[str, int]:
        """Return how many strengths are learnt: the options of each open decision, by path."""
        return relaxation.options

    def learns(self, relaxation: Relaxation) -> Iterable[str]:
        """Return the names of the strengths."""
        return self.counts(relaxation)

    @abstractmethod
    def routes(self, strengths: Strengths, training: SupernetTraining, epoch: int) -> Routes:
        """Return what the mixtures compute; for strengths with a graph, with theirs.

        Random numbers are drawn from torch's global generator.
        """

    def gradients(
        self, training: SupernetTraining, epoch: int, train: Batch, valid: Batch, lr: float
    ) -> Sequence[Tensor]:
        """Return the gradients of the strengths; by default for fixed weights.

        With several processes, ``step`` averages them.
        """
        del train, lr

        def loss() -> Tensor:
            training.mixed.mix(self.routes(self.strengths, training, epoch))
            return training.loss(valid) + self.penalty(training)

        return first_order([*self.strengths.values()], loss)

    def penalty(self, training: SupernetTraining) -> Tensor | float:  # noqa: ARG002
        """Return what is added to the validation loss."""
        return 0.0

    def train(self, training: SupernetTraining, epoch: int) -> Mapping[str, float]:
        """Train on all examples once; before each step of the weights, one of the strengths."""
        losses, valid = MeanLoss(), training.valid_batches(epoch)
        learns = not self._ended and epoch >= int(self.warm_up * training.epochs)
        before = {path: one.detach().clone() for path, one in self.strengths.items()}
        for inputs, targets, lr in training.batches(epoch):
            if learns:
                self.step(training, epoch, (inputs, targets), next(valid), lr)
            fixed = {path: one.detach() for path, one in self.strengths.items()}
            training.mixed.mix(self.routes(fixed, training, epoch))
            losses.add(training.step(inputs, targets, lr), targets)
        if learns and self.skip_share(training) > self.most_skips:
            self._ended = True
            with torch.no_grad():
                for path, one in self.strengths.items():
                    one.copy_(before[path])
        return {
            "train_loss": losses.value,
            "entropy": self._entropy(),
            "skip_share": self.skip_share(training),
            **self.reported(training),
        }

    def step(
        self, training: SupernetTraining, epoch: int, train: Batch, valid: Batch, lr: float
    ) -> None:
        """Make one step of the strengths."""
        gradients = training.averaged(self.gradients(training, epoch, train, valid, lr))
        for one, gradient in zip(self.strengths.values(), gradients, strict=True):
            one.grad = gradient
        self._adam.step()

    def weights(self) -> dict[str, list[float]]:
        """Return the weight of each option, by the path of the decision."""
        with torch.no_grad():
            return {path: one.softmax(0).tolist() for path, one in self.strengths.items()}

    def ranks(self, relaxation: Relaxation) -> dict[str, list[float]]:  # noqa: ARG002
        """Return what architectures are derived from: how strong each option is."""
        return self.weights()

    def reported(self, training: SupernetTraining) -> dict[str, float]:
        """Return the weight of each option as a metric."""
        decisions = training.mixed.relaxation.space.decisions
        return {
            f"{WEIGHT}{path}/{value}": weight
            for path, weights in self.weights().items()
            for value, weight in zip(decisions[path].domain.values(), weights, strict=True)
        }

    def derived(self, training: SupernetTraining) -> Architecture:
        """Return the architecture of the strongest options."""
        relaxation = training.mixed.relaxation
        return relaxation.derive(self.ranks(relaxation))

    def skip_share(self, training: SupernetTraining) -> float:
        """Return the share of the derived architecture's operations that pass their input on."""
        supernet = training.mixed
        places = supernet.places(self.derived(training))
        chosen = {
            one.path: one.options[places[one.path]]
            for one in supernet.mixtures.values()
            if one.path in places
        }
        present = [option for option in chosen.values() if not isinstance(option, Zero)]
        skips = sum(isinstance(option, nn.Identity) for option in present)
        return skips / max(1, len(present))

    def _entropy(self) -> float:
        """Return the mean entropy of the weights, as a share of the greatest."""
        shares = [np.array(weights) for weights in self.weights().values()]
        return float(np.mean([-(p * np.log(p + 1e-12)).sum() / np.log(len(p)) for p in shares]))

    def candidates(
        self, scorer: Scorer, relaxation: Relaxation, count: int, rng: np.random.Generator
    ) -> list[Candidate]:
        """Return the derived architecture, then others drawn by the weights of options.

        The others are ordered by their shared scores.
        """
        strengths = self.ranks(relaxation)
        first = ranked(self.name, scorer, [relaxation.derive(strengths)])
        space = scorer.space
        known = {space.identity(one.architecture) for one in first}
        logs = {path: np.log(np.array(one) + 1e-12) for path, one in strengths.items()}
        drawn = []
        for _ in range(10 * count):
            noisy = {
                path: (one + rng.gumbel(size=len(one))).tolist() for path, one in logs.items()
            }
            drawn.append(relaxation.derive(noisy))
        others = [one for one in drawn if space.identity(one) not in known]
        return [*first, *ranked(self.name, scorer, others[: 4 * count])][:count]

    def shown(self, training: SupernetTraining, rng: np.random.Generator) -> list[Architecture]:  # noqa: ARG002
        """Return the derived architecture."""
        return [self.derived(training)]

    def state_dict(self) -> dict[str, Any]:
        """Return the strengths, and what their optimizer keeps."""
        return {
            "strengths": {path: one.detach() for path, one in self.strengths.items()},
            "adam": self._adam.state_dict(),
            "ended": self._ended,
        }

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with the strengths of a state; before ``begin``, they can only be read."""
        self._ended = state["ended"]
        if not self.strengths:
            self.strengths = {path: nn.Parameter(one) for path, one in state["strengths"].items()}
            return
        for path, one in self.strengths.items():
            one.copy_(state["strengths"][path])
        self._adam.load_state_dict(state["adam"])
