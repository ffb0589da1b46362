"""The cell of a supernet: an edge from each earlier node, each a mixture of all operations."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch.nn.functional as F  # noqa: N812 - as everyone writes it
from torch import Tensor, cat, nn

from raynas.oneshot.choose import Undecided, choose
from raynas.oneshot.mixture import Zero
from search_spaces.darts.cells import NODES
from search_spaces.darts.operations import operation, wants_rectified
from search_spaces.darts.relaxed import NONE, OPTIONS, path_of
from search_spaces.darts.stack import Place, edge_name, fits, with_drop_path


class MixedCell(nn.Module):
    """Like ``Cell``, with all edges; modules have the same names.

    Attributes:
        made: Channels of the output.
    """

    def __init__(self, architecture: Undecided, place: Place, drop_path: float) -> None:
        super().__init__()
        self.made = place.channels * len(NODES)
        self.fit_before, self.fit_now = fits(place)
        kind = "reduce" if place.reduces else "normal"
        self.operations = nn.ModuleDict()
        for node in NODES:
            for source in range(node):
                stride = 2 if place.reduces and source < 2 else 1
                options = {name: partial(_option, name, stride, drop_path) for name in OPTIONS}
                path = path_of(kind, source, node)
                mixture = choose(architecture, path, options, place.channels)
                self.operations[edge_name(source, node)] = mixture

    def forward(self, before: Tensor, now: Tensor) -> Tensor:
        """Map the two inputs to ``[batch, made, height, width]``."""
        values = [self.fit_before(before), self.fit_now(now)]
        for node in NODES:
            edges = (self.operations[edge_name(s, node)](values[s]) for s in range(node))
            values.append(sum(edges))
        return cat(values[2:], 1)


def _option(name: str, stride: int, drop_path: float, channels: int) -> nn.Module:
    if name == NONE:
        return Zero(stride)
    made = with_drop_path(operation(name, channels, stride), name, stride, drop_path)
    if wants_rectified(name, stride):
        made.register_forward_pre_hook(_rectify)
    return made


def _rectify(_: nn.Module, inputs: tuple[Any, ...]) -> Tensor:
    """Return the rectified input; in ``Cell``, edges that read one node share it."""
    (x,) = inputs
    return F.relu(x)
