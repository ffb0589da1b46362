"""The interface of a one-shot method, and what methods have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from raynas.oneshot.candidate import Candidate
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

    share: int = 1
    """One over the share of the channels that mixtures compute."""

    def check(self, supernet: Supernet) -> None:  # noqa: B027 - most can
        """Check that the method can serve a supernet.

        Raises:
            SpaceError: It cannot.
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


def ranked(method: str, scorer: Scorer, architectures: Iterable[Architecture]) -> list[Candidate]:
    """Return each different architecture as a candidate, by its shared score, the best first.

    Those without weights are left out.
    """
    different = {scorer.space.identity(one): one for one in architectures}
    every = [*different.values()]
    scored = zip(every, scorer.many(every), strict=True)
    found = [Candidate(one, score, method) for one, score in scored if score is not None]
    return sorted(found, key=lambda one: scorer.loss(one.shared_score))
