"""The penalty for skips of ENAS (Pham et al., 2018, arXiv:1802.03268), of its macro search.

It is the distance (Kullback-Leibler divergence) of each skip's probability from a target. As in
the authors' code, it is summed over the skips of a layer, and the mean is taken over layers.

Differs from the authors' code: probabilities are the softmax of two logits, by which the
controller draws, not the sigmoid of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from raynas.searchers.controller.lstm import Array
from raynas.searchers.controller.vocabulary import Batch, Vocabulary
from raynas.space import Architecture, Space


def skips_of(space: Space) -> list[str]:
    """Return the decisions whether there is a skip.

    They are decisions between ``False`` and ``True`` with a name such as ``skip`` or ``skip_3``.
    """
    return [
        path
        for path, decision in space.decisions.items()
        if path.rpartition(".")[2].partition("_")[0] == "skip"
        and decision.domain.count == 2
        and {*decision.domain.values()} == {False, True}
    ]


def density(skips: list[str], drawn: list[Architecture]) -> float:
    """Return the share of skips that are there."""
    return float(np.mean([one[path] for one in drawn for path in skips if path in one]))


@dataclass(frozen=True, slots=True)
class SkipPenalty:
    """Pulls the probabilities of skips to a target.

    Attributes:
        skips: The paths of the decisions whether there is a skip.
        weight: The weight of the penalty in the loss.
        target: The probability of a skip that costs nothing.
    """

    skips: list[str]
    weight: float
    target: float

    def gradient(self, vocabulary: Vocabulary, batch: Batch, probs: Array) -> Array:
        """Return the gradient of the negative mean penalty of a batch.

        Args:
            vocabulary: The tokens of the space.
            batch: The architectures.
            probs: ``[tokens of all decisions]``: the probability of each token.

        Returns:
            ``[tokens of all decisions]``: with regard to the logits.
        """
        present = {vocabulary.spans[path].start: path for path in self.skips}
        layers = {path.rpartition(".")[0] for path in self.skips}
        scale = self.weight / (len(layers) * batch.fed.shape[1])
        result = np.zeros_like(probs)
        for span, _, those in batch.alike:
            if path := present.get(span.start):
                goal = np.full(2, 1 - self.target)
                goal[vocabulary.tokens[path].index(True)] = self.target
                share = probs[those].reshape(-1, 2)
                ratio = np.log(share / goal)
                distance = (share * ratio).sum(1, keepdims=True)
                result[those] = (-scale * share * (ratio - distance)).ravel()
        return result
