"""The interface of a one-shot method, and what methods have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from raynas.costs.device import Device
from raynas.errors import ConfigError
from raynas.oneshot.candidate import Candidate
from raynas.oneshot.feasibility import Feasibility
from raynas.oneshot.relaxation import Relaxation
from raynas.oneshot.scoring import Scorer
from raynas.oneshot.supernet import Supernet
from raynas.oneshot.training import SupernetTraining
from raynas.space import Architecture


class Method(ABC):
    """How the weights of a supernet are trained, and which architectures it proposes.

    A method is a dataclass; its fields are its options. What it learns, ``state_dict`` returns.
    """

    name: ClassVar[str]
    """Its name on the command line."""

    recipe: ClassVar[Mapping[str, Any]] = {}
    """The fields of the training recipe of the supernet that its authors set."""

    mixes: ClassVar[bool] = True
    """Whether it needs a supernet of mixed paths; one of single paths serves any space."""

    parallel: ClassVar[bool] = False
    """Whether several processes can train it together: it then draws the same routes in all, and
    takes gradients by ``SupernetTraining`` or averages them with it."""

    computes_all: ClassVar[bool] = False
    """Whether a step computes all options, not only some of each decision."""

    share: int = 1
    """One over the share of the channels that mixtures compute."""

    @property
    def limited(self) -> bool:
        """Whether what it proposes keeps limits of its own, which no searcher knows."""
        return False

    def told(self, relaxation: Relaxation, feasibility: Feasibility) -> None:  # noqa: B027
        """Learn which networks to propose, before ``check`` and before candidates are asked for.

        Args:
            relaxation: How the space becomes mixtures.
            feasibility: Which networks keep the constraints of the run. Those that a method
                proposes nevertheless are refused before their training.
        """

    def check(self, supernet: Supernet, inputs: Any) -> None:  # noqa: B027 - most can
        """Check that the method can serve a supernet.

        Args:
            supernet: The supernet.
            inputs: An example for it.

        Raises:
            SpaceError: It cannot.
        """

    def learns(self, relaxation: Relaxation) -> Iterable[str]:  # noqa: ARG002 - many have nothing
        """Return the names of the strengths that ``state_dict`` holds as ``"strengths"``."""
        return ()

    def check_devices(self, among: Sequence[Device]) -> None:  # noqa: B027 - most can use any
        """Check that the method can be trained on the devices that trials may get.

        Raises:
            ConfigError: It cannot.
        """

    def begin(self, training: SupernetTraining) -> None:  # noqa: B027 - many have nothing
        """Prepare for a supernet."""

    @abstractmethod
    def train(self, training: SupernetTraining, epoch: int) -> Mapping[str, float]:
        """Train for an epoch, counted from 0; return metrics, ``train_loss`` among them."""

    @abstractmethod
    def candidates(
        self, scorer: Scorer, relaxation: Relaxation, count: int, rng: np.random.Generator
    ) -> list[Candidate]:
        """Return the architectures to train from scratch, the best first; at most ``count``.

        Args:
            scorer: Scores architectures by the trained weights.
            relaxation: How the space becomes mixtures.
            count: How many there may be.
            rng: Draws architectures.
        """

    @abstractmethod
    def shown(self, training: SupernetTraining, rng: np.random.Generator) -> list[Architecture]:
        """Return architectures whose mean shared score shows how far the supernet has come."""

    def state_dict(self) -> dict[str, Any]:
        """Return what it has learnt beside the weights."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - nor any state
        """Continue from a state."""


def check_parallel(method: Method) -> None:
    """Check that several processes can train a supernet by a method.

    Raises:
        ConfigError: They cannot.
    """
    if not method.parallel:
        raise ConfigError(
            f"the method {method.name!r} cannot be trained by several processes: give "
            "supernet_workers=1"
        )


def ranked(method: str, scorer: Scorer, architectures: Iterable[Architecture]) -> list[Candidate]:
    """Return each different architecture as a candidate, by its shared score, the best first.

    Those without weights are left out.
    """
    different = {scorer.space.identity(one): one for one in architectures}
    every = [*different.values()]
    scored = zip(every, scorer.many(every), strict=True)
    found = [Candidate(one, score, method) for one, score in scored if score is not None]
    return sorted(found, key=lambda one: scorer.loss(one.shared_score))
