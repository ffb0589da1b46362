"""Architectures as rows: decisions | shares of options | a user's features."""

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

_WEIGHT: Final = math.log(2.0)  # prior mean of the log weight of a column that stands for itself
_NUMBER: Final = math.log(12.0)  # prior mean of the log weight of a number by that of a choice:
# two random numbers differ by 1/6, squared, and two options, one-hot, by 2
_HINT: Final = -4.0  # prior mean of the log amplitude of what only short trainings show


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Columns that share one radial kernel, and the prior of its parameters.

    Attributes:
        columns: Which ones, ``c`` of them.
        radial: How likeness falls with their distance.
        tie: ``[c, q]``: log weights of the columns are ``tie @ parameters``.
        mean: ``[q]`` prior mean of the parameters, each of deviation 1.
        level: Prior mean of the log amplitude.
        fading: Whether the kernel is multiplied by what both networks lack of full training.
    """

    columns: slice
    radial: Radial
    tie: Floats
    mean: Floats
    level: float = 0.0
    fading: bool = False

    def faded(self) -> Block:
        """Return the block for what shorter trainings say differently."""
        return replace(self, level=_HINT, fading=True)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """How the architectures of a space become rows.

    Decisions of one kind are those with equal options, or numbers of equal name: where a kind
    occurs twice or more, the mean over its decisions stands in the row as well, so that the model
    can learn that it matters how often an option is taken, wherever that is.

    Attributes:
        space: Where they live.
        number: ``[axes]`` whether the axis is a number's.
        alike: The decisions of each kind that occurs twice or more.
        blocks: What is compared with what.
    """

    space: Space
    number: NDArray[np.bool_]
    alike: tuple[tuple[Cells, ...], ...]
    blocks: tuple[Block, ...]

    def row(self, architecture: Architecture) -> Floats:
        """Return ``[columns]``; an inactive decision takes no option, and a number's middle."""
        seen = vector(self.space, architecture)
        row = np.where(seen.active, seen.values - 0.5 * self.number, 0.0)
        shares = [row[np.array(kind)].mean(0) for kind in self.alike]
        return np.concatenate([row, *shares])


def layout(space: Space, features: int = 0) -> Layout:
    """Return the layout of a space, with room for a user's features at the end of each row."""
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
    """Return the block of the decisions themselves.

    A column's log weight is the sum of a scale, of its decision's effect and, where several
    decisions are of its kind, of its option's. On one-hot columns that is a Hamming kernel: where
    two networks differ, it costs the decision's weight times what it costs to leave the one
    option and to enter the other. Of two random networks a number is expected to tell as much as
    a choice.
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
