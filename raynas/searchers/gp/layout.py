"""Architectures as rows of numbers: decisions | fractions of options | a user's features."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from raynas.searchers.gp.radial import Radial, gaussian, matern
from raynas.space import Architecture, Space
from raynas.space.encode import axes, vector
from raynas.space.nodes import Choice

Floats = NDArray[np.float64]
Cells = tuple[int, ...]
"""The columns of one decision."""

_WEIGHT: Final = math.log(2.0)  # prior mean of the log weight of a column without a decision
# Prior mean of log(weight of a number / weight of a choice). The mean squared distance is 1/6 for
# two random numbers in [0, 1], and 2 for two different one-hot options.
_NUMBER: Final = math.log(12.0)
_HINT: Final = -4.0  # prior mean of the log amplitude of a fading block


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Columns that share one radial kernel, and the prior of its parameters.

    Attributes:
        columns: The ``c`` columns.
        radial: The similarity as a function of the distance.
        tie: ``[c, q]``: the log weights of the columns are ``tie @ parameters``.
        mean: ``[q]``: the prior mean of the parameters; their standard deviation is 1.
        level: The prior mean of the log amplitude.
        fading: Whether the kernel is multiplied by the ``low`` of both trainings, so that it is 0
            for full trainings.
    """

    columns: slice
    radial: Radial
    tie: Floats
    mean: Floats
    level: float = 0.0
    fading: bool = False

    def faded(self) -> Block:
        """Return the same block for the difference between short and full trainings."""
        return replace(self, level=_HINT, fading=True)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Converts the architectures of a space into rows.

    Two decisions are of the same kind if they are choices with equal options, or numbers with
    equal names. If a kind has two or more decisions, the row also holds the mean over them. So
    the model can learn the effect of how often an option is chosen, in whichever decision.

    Attributes:
        space: The search space.
        number: ``[axes]``: whether the axis belongs to a number.
        alike: The columns of the decisions of each kind that has two or more.
        blocks: The groups of columns that the kernel compares.
    """

    space: Space
    number: NDArray[np.bool_]
    alike: tuple[tuple[Cells, ...], ...]
    blocks: tuple[Block, ...]

    def row(self, architecture: Architecture) -> Floats:
        """Return ``[columns]``, without a user's features.

        An inactive choice has 0 for every option; an inactive number has its middle.
        """
        seen = vector(self.space, architecture)
        row = np.where(seen.active, seen.values - 0.5 * self.number, 0.0)
        shares = [row[np.array(kind)].mean(0) for kind in self.alike]
        return np.concatenate([row, *shares])


def layout(space: Space, features: int = 0) -> Layout:
    """Return the layout of a space.

    Args:
        space: The search space.
        features: The number of a user's features; their columns are the last ones of a row.
    """
    start, kinds = 0, defaultdict(list)
    for decision in space.decisions.values():
        choice = isinstance(decision.domain, Choice)
        width = decision.domain.count if isinstance(decision.domain, Choice) else 1
        options = decision.domain.values() if choice else ()
        name = "" if choice else decision.path.rpartition(".")[2]
        kinds[name, repr(options)].append(tuple(range(start, start + width)))
        start += width
    alike = tuple(tuple(kind) for kind in kinds.values() if len(kind) > 1)
    number = np.array([_is_number(space, path) for path, _ in axes(space)])
    radial = matern if number.any() else gaussian
    blocks = [_decisions(number, list(kinds.values()), radial)]
    for width in (sum(len(kind[0]) for kind in alike), features):
        if width:
            blocks.append(_plain(start, width, radial))
            start += width
    return Layout(space, number, alike, tuple(blocks))


def _is_number(space: Space, path: str) -> bool:
    return not isinstance(space.decisions[path].domain, Choice)


def _plain(start: int, width: int, radial: Radial) -> Block:
    columns = slice(start, start + width)
    return Block(columns, radial, np.eye(width), np.full(width, _WEIGHT))


def _decisions(
    number: NDArray[np.bool_], kinds: Sequence[Sequence[Cells]], radial: Radial
) -> Block:
    """Return the block of the decisions.

    The log weight of a column is the sum of a scale, an effect of its decision and, if its kind
    has several decisions, an effect of its option. For one-hot columns this is a weighted Hamming
    kernel: each decision in which two networks differ adds the weight of the decision times the
    sum of the weights of both options. The prior gives numbers and choices the same expected
    distance between two random networks.
    """
    width = len(number)
    decisions = sorted(cells for kind in kinds for cells in kind)
    effects = [np.zeros((width, 1 + len(decisions)))]
    effects[0][:, 0] = 1.0
    for at, cells in enumerate(decisions, start=1):
        effects[0][list(cells), at] = 1.0
    for kind in kinds:
        if len(kind) > 1:
            tie = np.zeros((width, len(kind[0])))
            for cells in kind:
                tie[list(cells), range(len(cells))] = 1.0
            effects.append(tie)
    tie = np.hstack(effects)
    mean = np.zeros(tie.shape[1])
    mean[0] = math.log(2.0 / len(decisions))
    mean[1 : 1 + len(decisions)] = [_NUMBER * number[cells[0]] for cells in decisions]
    return Block(slice(0, width), radial, tie, mean)
