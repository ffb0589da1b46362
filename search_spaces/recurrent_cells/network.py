"""The language model around the cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone writes it
from torch import Tensor, nn

from raynas.errors import ConfigError
from raynas.oneshot.choose import Undecided
from raynas.space import Architecture
from search_spaces.recurrent_cells.bounds import MOST, unbounded
from search_spaces.recurrent_cells.cell import INPUT, LAST, MEMORY, STATE, Layout, Step, layout

_SPREAD: Final = 0.1  # the range of the first embeddings, as in AWD-LSTM


def network(
    architecture: Architecture | Undecided,
    vocabulary: int,
    length: int,
    width: int,
    layers: int,
    dropout: float,
) -> nn.Module:
    """Build what ``search_spaces.recurrent_cells.build`` describes."""
    if min(vocabulary, length, width, layers) < 1:
        raise ConfigError(
            f"sizes must be at least 1: {vocabulary=}, {length=}, {width=}, {layers=}"
        )
    if not 0 <= dropout < 1:
        raise ConfigError(f"0 <= dropout < 1 must hold, got {dropout}")
    cells = [_cell(architecture, width) for _ in range(layers)]
    return LanguageModel(nn.Embedding(vocabulary, width), cells, dropout)


def _cell(architecture: Architecture | Undecided, width: int) -> Cell:
    if not isinstance(architecture, Undecided):
        return Cell(layout(architecture), width)
    from search_spaces.recurrent_cells.mixed import MixedCell  # noqa: PLC0415 - made of ``Cell``

    return MixedCell(architecture, width)


class LanguageModel(nn.Module):
    """Layers of a cell between an embedding and logits of the same weights."""

    def __init__(self, tokens: nn.Embedding, cells: list[Cell], dropout: float) -> None:
        """Keep the parts and draw the first embeddings."""
        super().__init__()
        vocabulary, width = tokens.weight.shape
        self.tokens = tokens
        self.cells = nn.ModuleList(cells)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in cells)
        self.dropout = nn.Dropout(dropout)
        self.logits = nn.Linear(width, vocabulary)
        nn.init.uniform_(tokens.weight, -_SPREAD, _SPREAD)
        nn.init.zeros_(self.logits.bias)
        self.logits.weight = tokens.weight

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids ``[batch, length]`` to logits ``[batch, length, vocabulary]``."""
        x = self.dropout(self.tokens(ids))
        for one, norm in zip(self.cells, self.norms, strict=True):
            x = self.dropout(norm(x + one(x)))
        logits: Tensor = self.logits(x)
        return logits


class Cell(nn.Module):
    """A cell that runs over a sequence.

    What linear nodes add from ``x`` is computed for all places at once; the linear nodes that read
    one state and perhaps ``x`` need one product of matrices per place.
    """

    def __init__(self, nodes: Layout, width: int) -> None:
        """Make the layers and draw the first weights, uniform as those of ``nn.LSTM``."""
        super().__init__()
        self.steps, self.memory = nodes.steps, nodes.memory
        self.cut = unbounded(nodes)
        # By node and place: the layers of nodes that a change leaves alone keep their names.
        self.linear = nn.ModuleDict(
            {name: nn.Linear(width, width) for step in self.steps for name, _ in terms(step)}
        )
        read = {name for step in self.steps for name in step.reads}
        self.first = nn.ParameterDict(
            {name: torch.empty(width) for name in (STATE, MEMORY) if name in read}
        )
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(width**-0.5), width**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, length, width]`` to the outputs, ``[batch, length, width]``."""
        states = {name: first.expand(x.shape[0], -1) for name, first in self.first.items()}
        x = x.transpose(0, 1).contiguous()  # so that what belongs to one place lies together
        joined = [Joined(self.linear, steps, x) for name in states if (steps := self._joint(name))]
        single = {
            step.name: Linear(self.linear, step, x)
            for step in self.steps
            if step.operation == "linear" and not any(step in one.steps for one in joined)
        }
        outputs = []
        for t, now in enumerate(x.unbind()):
            values = {INPUT: now, **states}
            for one in joined:
                values |= one(states[one.state], t)
            self._fill(values, single, t)
            outputs.append(values[LAST])
            following = {STATE: values[LAST], MEMORY: values[self.memory or LAST]}
            states = {name: following[name] for name in states}
        return torch.stack(outputs, 1)

    def _joint(self, state: str) -> list[Step]:
        """Return the linear nodes that read this state, and nothing else but perhaps ``x``."""
        allowed = [[state], [state, INPUT], [INPUT, state]]
        return [s for s in self.steps if s.operation == "linear" and list(s.reads) in allowed]

    def _fill(self, values: dict[str, Tensor], single: Mapping[str, Linear], t: int) -> None:
        """Add the values of all nodes that are not there yet."""
        for step in self.steps:
            if step.name in single:
                values[step.name] = single[step.name](values, t)
            elif step.name not in values:
                values[step.name] = pointwise(step.operation, [values[one] for one in step.reads])
            if step.name in self.cut:
                values[step.name] = values[step.name].clamp(-MOST, MOST)


class Linear:
    """A linear node; what it reads from ``x`` is computed for all places at once."""

    def __init__(self, layers: nn.ModuleDict, step: Step, x: Tensor) -> None:
        """Compute from ``x``, ``[length, batch, width]``, what can be computed before."""
        self._known = known(layers, step, x).unbind()
        self._weights = [
            (read, layers[name].get_parameter("weight").T)
            for name, read in terms(step)
            if read != INPUT
        ]

    def __call__(self, values: Mapping[str, Tensor], t: int) -> Tensor:
        """Return the node's value at place ``t``."""
        value = self._known[t]
        for read, weight in self._weights:
            value = torch.addmm(value, values[read], weight)
        return value


class Joined:
    """Linear nodes that read the same state, as one layer.

    Attributes:
        steps: The nodes.
        state: The state that they read.
    """

    def __init__(self, layers: nn.ModuleDict, steps: list[Step], x: Tensor) -> None:
        """Join the weights, and compute from ``x`` what can be computed before."""
        self.steps = steps
        (self.state,) = {read for step in steps for read in step.reads if read != INPUT}
        weights: list[Tensor] = [
            layers[name].get_parameter("weight")
            for step in steps
            for name, read in terms(step)
            if read == self.state
        ]
        self._weights = torch.cat(weights).T
        self._known = torch.cat([known(layers, step, x) for step in steps], -1).unbind()

    def __call__(self, state: Tensor, t: int) -> dict[str, Tensor]:
        """Return the value of each node at place ``t``, by name."""
        values = torch.addmm(self._known[t], state, self._weights).chunk(len(self.steps), -1)
        return {step.name: value for step, value in zip(self.steps, values, strict=True)}


def known(layers: nn.ModuleDict, step: Step, x: Tensor) -> Tensor:
    """Return what a linear node adds up from ``x`` and its biases: ``[length, batch, width]``."""
    total = x.new_zeros(())
    for name, read in terms(step):
        total = total + (layers[name](x) if read == INPUT else layers[name].get_parameter("bias"))
    return total.expand_as(x)


def terms(step: Step) -> list[tuple[str, str]]:
    """Return the names of a linear node's layers, and what each reads; none for other nodes."""
    if step.operation != "linear":
        return []
    places = zip(("first", "second"), step.reads, strict=False)
    return [(f"{step.name}_{place}", read) for place, read in places]


def pointwise(operation: str, read: list[Tensor]) -> Tensor:
    """Return the result of an operation without weights."""
    match operation:
        case "blend":
            gate, first, second = read
            return second + gate * (first - second)  # lerp refuses mixed precision
        case "sum":
            return read[0] + read[1]
        case "product":
            return read[0] * read[1]
        case "tanh":
            return read[0].tanh()
        case "sigmoid":
            return read[0].sigmoid()
        case _:
            return F.leaky_relu(read[0])
