"""What a supernet costs: a step on one path, a step of a mixture, and a score, as ratios.

    python benchmarks/supernets.py                  # five rounds, one core

- ``path``: a training step of the supernet on the path of an architecture, over the same step of
  the child alone; both take the same architectures in turn.
- ``mixture``: forward and backward pass of the supernet of mixed paths, over those of the same
  network with a mixed cell that is written by hand, as in the code of DARTS.
- ``single``: as ``path``, for a supernet of single paths, whose children are built in each step.

Each figure is the median of the ratios of the rounds, in which the two take turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from raynas.goals import Classification
from raynas.oneshot.mixed import MixedSupernet
from raynas.oneshot.mixture import Weighted
from raynas.oneshot.relaxation import plain
from raynas.oneshot.store import StoredSupernet
from raynas.oneshot.supernet import Supernet
from raynas.rng import seed_weights
from raynas.space import Architecture, Space
from raynas.training.optimizers import optimizer_of
from raynas.training.recipe import Recipe
from raynas.training.step import TrainingStep
from search_spaces import mlp, mobile, nasbench201

CPU = torch.device("cpu")
RECIPE = Recipe()


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--paths", type=int, default=12, help="architectures per round")
    told = parser.parse_args()
    torch.set_num_threads(1)
    print("| what | network | batch | ratio |\n|---|---|---|---|")
    for name, module, size, options in (
        ("3 cells, 4 channels, 8 pixels", nasbench201, 8, {"channels": 4, "cells": 1}),
        ("15 cells, 16 channels, 32 pixels", nasbench201, 32, {"channels": 16, "cells": 5}),
    ):
        build = _build(module, size, options)
        seed_weights(0)
        supernet: Supernet = MixedSupernet(build, module.SPACE, plain(module.SPACE))
        ratio = _paths(supernet, build, module.SPACE, size, told.rounds, told.paths)
        print(f"| path | {name} | 64 | {ratio:.2f} |", flush=True)
    for name, module, size, options in (
        ("perceptrons of 64 pixels", mlp, 8, {}),
        ("mobile, a quarter as wide, 32 pixels", mobile, 32, {"width": 0.25}),
    ):
        build = _build(module, size, options)
        seed_weights(0)
        supernet = StoredSupernet(build, module.SPACE, np.random.default_rng(0))
        ratio = _paths(supernet, build, module.SPACE, size, told.rounds, told.paths)
        print(f"| single | {name} | 64 | {ratio:.2f} |", flush=True)
    print(f"| mixture | 15 cells, 16 channels, 32 pixels | 64 | {_mixture(told.rounds):.2f} |")


def _build(module: Any, size: int, options: dict[str, Any]) -> Callable[[Any], nn.Module]:
    return lambda architecture: module.build(architecture, (3, size, size), 10, **options)


def _batch(size: int) -> tuple[Tensor, Tensor]:
    images = torch.randn(64, 3, size, size).contiguous(memory_format=torch.channels_last)
    return images, torch.randint(10, (64,))


def _paths(
    supernet: Supernet,
    build: Callable[[Architecture], nn.Module],
    space: Space,
    size: int,
    rounds: int,
    paths: int,
) -> float:
    """Return how long a step of the supernet takes, over that of the child alone."""
    supernet.to(memory_format=torch.channels_last).train()
    goal = Classification(classes=10)
    batch, rng = _batch(size), np.random.default_rng(1)
    shared = TrainingStep(supernet, goal, optimizer_of(supernet, RECIPE), CPU)
    ratios = []
    for _ in range(rounds):
        architectures = [space.sample(rng) for _ in range(paths)]
        steps = []
        for one in architectures:
            child = build(one).to(memory_format=torch.channels_last).train()
            steps.append(TrainingStep(child, goal, optimizer_of(child, RECIPE), CPU))
        mine = alone = 0.0
        for turn in range(3):
            for one, step in zip(architectures, steps, strict=True):
                begun = time.perf_counter()
                supernet.take(one)
                shared(*batch, 0.01)
                between = time.perf_counter()
                step(*batch, 0.01)
                if turn:  # the first one warms up
                    mine += between - begun
                    alone += time.perf_counter() - between
        ratios.append(mine / alone)
    return median(ratios)


class ByHand(nn.Module):
    """A mixed cell of NAS-Bench-201, written by hand."""

    def __init__(self, weights: nn.ParameterDict, channels: int) -> None:
        super().__init__()
        self.weights = [weights[f"{s}_{t}"] for t in range(1, 4) for s in range(t)]
        self.edges = nn.ModuleList(nn.ModuleList(_operations(channels)) for _ in range(6))

    def forward(self, x: Tensor) -> Tensor:
        """Map to the same shape."""
        values, at = [x], 0
        for target in range(1, 4):
            total = None
            for source in range(target):
                shares = self.weights[at].softmax(0)
                for share, one in zip(shares[1:], self.edges[at], strict=True):
                    term = share * one(values[source])
                    total = term if total is None else total + term
                at += 1
            values.append(total)
        return values[-1]


def _operations(channels: int) -> list[nn.Module]:
    def conv(kernel: int) -> nn.Module:
        return nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(channels),
        )

    return [
        nn.Identity(),
        conv(1),
        conv(3),
        nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    ]


def _mixture(rounds: int) -> float:
    """Return how long a pass of the mixture takes, over that of the mixture by hand."""
    from search_spaces.nasbench201.network import network

    build = _build(nasbench201, 32, {"channels": 16, "cells": 5})
    supernet = MixedSupernet(build, nasbench201.SPACE, plain(nasbench201.SPACE))
    strengths = {path: nn.Parameter(torch.zeros(n)) for path, n in supernet.options.items()}
    supernet.to(memory_format=torch.channels_last).train()
    weights = nn.ParameterDict({f"{s}_{t}": torch.zeros(5) for t in range(1, 4) for s in range(t)})
    hand = network(lambda channels: ByHand(weights, channels), (3, 32, 32), 10, 16, 5)
    hand.to(memory_format=torch.channels_last).train()
    images, labels = _batch(32)

    def mine() -> None:
        supernet.mix({path: Weighted(one.softmax(0)) for path, one in strengths.items()})
        nn.functional.cross_entropy(supernet(images), labels).backward()

    def theirs() -> None:
        nn.functional.cross_entropy(hand(images), labels).backward()

    ratios = []
    for turn in range(rounds + 1):
        begun = time.perf_counter()
        mine()
        between = time.perf_counter()
        theirs()
        if turn:
            ratios.append((between - begun) / (time.perf_counter() - between))
    return median(ratios)


if __name__ == "__main__":
    main()
