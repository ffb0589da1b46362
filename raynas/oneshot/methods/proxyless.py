"""ProxylessNAS by gradients (Cai et al., 2019, arXiv:1812.00332, sections 3.2 and 3.3).

The strengths are learnt in the authors' way with two paths: two options are drawn, a binary gate
chooses between them, and the strengths of both change so that the probabilities of all others
stay. So at most two options per decision are computed, and one when weights are trained. The
latency, too, changes only the strengths of the two that were drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from raynas.errors import ConfigError
from raynas.oneshot.methods.differentiable import Differentiable, Strengths
from raynas.oneshot.methods.latency_aware import LatencyAware
from raynas.oneshot.mixture import Only, Routes, Weighted
from raynas.oneshot.training import SupernetTraining
from raynas.training.batches import Batch


@dataclass(frozen=True, slots=True)
class Gate:
    """Two options of a decision, one of which is open.

    Attributes:
        pair: Their places; the first one is open.
        gates: ``[options]``: one for the open option, zero for the others; a leaf.
    """

    pair: tuple[int, int]
    gates: Tensor


@dataclass(slots=True)
class Proxyless(LatencyAware):
    """Train one path in each step; learn strengths from two options per decision.

    Attributes:
        every: Steps of the weights per step of the strengths.
    """

    name: ClassVar[str] = "proxyless"
    strength_rate: float = 1e-3
    strength_decay: float = 0.0
    every: int = 5
    _waited: int = field(init=False, repr=False, default=0)
    _gates: dict[str, Gate] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Check the options."""
        LatencyAware.__post_init__(self)
        if self.every < 1:
            raise ConfigError(f"proxyless needs every >= 1, got {self.every}")

    def begin(self, training: SupernetTraining) -> None:
        """Begin with nearly equal strengths; Adam has no momentum, as the authors set it."""
        Differentiable.begin(self, training)
        for group in self._adam.param_groups:
            group["betas"] = (0.0, 0.999)

    def train(self, training: SupernetTraining, epoch: int) -> Mapping[str, float]:
        """Train for an epoch."""
        self._waited = epoch * training.steps // training.epochs % self.every
        return LatencyAware.train(self, training, epoch)

    def routes(self, strengths: Strengths, training: SupernetTraining, epoch: int) -> Routes:  # noqa: ARG002
        """Draw one option per decision."""
        return {path: Only(int(one.softmax(0).multinomial(1))) for path, one in strengths.items()}

    def step(
        self, training: SupernetTraining, epoch: int, train: Batch, valid: Batch, lr: float
    ) -> None:
        """Make one step of the strengths after some steps of the weights."""
        self._waited = (self._waited + 1) % self.every
        if self._waited:
            return
        before = {path: one.detach().clone() for path, one in self.strengths.items()}
        self._gates = {path: drawn_gate(one) for path, one in before.items()}
        Differentiable.step(self, training, epoch, train, valid, lr)
        with torch.no_grad():
            for path, one in self.strengths.items():
                keep_others(one, before[path], self._gates[path].pair)

    def gradients(
        self, training: SupernetTraining, epoch: int, train: Batch, valid: Batch, lr: float
    ) -> Sequence[Tensor]:
        """Return the gradients of the strengths, from those of the gates."""
        del epoch, train, lr
        gates = self._gates
        training.mixed.mix({path: Weighted(gate.gates, gate.pair) for path, gate in gates.items()})
        loss = training.loss(valid)
        found = torch.autograd.grad(
            loss, [gate.gates for gate in gates.values()], allow_unused=True
        )
        return [
            gate_gradient(
                self.strengths[path].detach(), gate.pair, self._with_slope(path, gradient)
            )
            for (path, gate), gradient in zip(gates.items(), found, strict=True)
        ]

    def _with_slope(self, path: str, gates: Tensor | None) -> Tensor | None:
        """Return the gradient of a decision's gates, with what the latency adds to it."""
        if not self.latency_weight:
            return gates
        slope = self.slope(path)
        return slope if gates is None else gates + slope


def drawn_gate(strengths: Tensor) -> Gate:
    """Draw two options by the softmax of ``[options]`` strengths, and which of them is open."""
    one, other = strengths.softmax(0).multinomial(2).tolist()
    share = strengths[[one, other]].softmax(0)[0]
    pair = (one, other) if float(torch.rand(())) < float(share) else (other, one)
    gates = torch.zeros_like(strengths)
    gates[pair[0]] = 1.0
    return Gate(pair, gates.requires_grad_())


def gate_gradient(strengths: Tensor, pair: tuple[int, int], gates: Tensor | None) -> Tensor:
    """Return the gradient of the strengths (equation 4 of the paper, for the two options).

    Args:
        strengths: ``[options]``.
        pair: The places of the two options.
        gates: ``[options]``: the gradient of the gates; none for zero.
    """
    result = torch.zeros_like(strengths)
    if gates is None:
        return result
    places = [*pair]
    shares, found = strengths[places].softmax(0), gates[places]
    result[places] = shares * (found - (shares * found).sum())
    return result


def keep_others(strengths: Tensor, before: Tensor, pair: tuple[int, int]) -> None:
    """Move the strengths of two options so that the probabilities of all others stay."""
    places = [*pair]
    strengths[places] += before[places].logsumexp(0) - strengths[places].logsumexp(0)
