"""The cell of a supernet: what each node does and reads, and the next ``c``, are mixtures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor, nn

from raynas.oneshot.choose import Make, Undecided, choose
from raynas.oneshot.mixture import Mixture, Only
from search_spaces.recurrent_cells.bounds import MOST, unbounded
from search_spaces.recurrent_cells.cell import MEMORY, NODES, STATE, Layout, Step, live
from search_spaces.recurrent_cells.network import Cell, pointwise
from search_spaces.recurrent_cells.relaxed import LINEAR, OPERATIONS, ROLES, readable

# With two linear layers in each node, and both states, there are all weights that a cell can have.
_ALL: Final = Layout(tuple(Step(f"node_{i}", LINEAR, (STATE, MEMORY)) for i in range(NODES)), None)


class MixedCell(Cell):
    """Like ``Cell``, with all weights; they have the same names.

    On a single path it computes as ``Cell`` does. Otherwise every node is computed at every place;
    and the next ``c`` is cut off after the nodes of the same place have read it, not before.
    """

    def __init__(self, architecture: Undecided, width: int) -> None:
        """Make the layers and the mixtures."""
        super().__init__(_ALL, width)
        self.nodes = nn.ModuleList(_MixedNode(architecture, i) for i in range(NODES))
        kept = {f"node_{i}": partial(_Input, i) for i in range(NODES)}
        self.next_memory = choose(architecture, "memory", kept)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, length, width]`` to the outputs, ``[batch, length, width]``."""
        routes = {one.path: one.route for one in self.modules() if isinstance(one, Mixture)}
        chosen = {path: one.at for path, one in routes.items() if isinstance(one, Only)}
        if len(chosen) < len(routes):
            return self._all(x)
        nodes = _layout(chosen)
        self.steps, self.memory, self.cut = nodes.steps, nodes.memory, unbounded(nodes)
        return super().forward(x)

    def _all(self, x: Tensor) -> Tensor:
        """Compute all mixtures."""
        state, memory = (self.first[name].expand(len(x), -1) for name in (STATE, MEMORY))
        outputs = []
        for now in x.unbind(1):
            values = [now, state, memory]
            for node in self.nodes:
                values.append(node(values, self.linear))
            state = values[-1] = values[-1].clamp(-MOST, MOST)
            memory = self.next_memory(*values[-NODES:]).clamp(-MOST, MOST)
            outputs.append(state)
        return torch.stack(outputs, 1)


class _MixedNode(nn.Module):
    """A node: what it reads, then what it does with that."""

    def __init__(self, architecture: Undecided, number: int) -> None:
        super().__init__()
        self.name = f"node_{number}"
        inputs = {value: partial(_Input, at) for at, value in enumerate(readable(number))}
        self.reads = nn.ModuleDict(
            {role: choose(architecture, f"{self.name}.{role}", inputs) for role in ROLES}
        )
        self.operation = choose(architecture, f"{self.name}.operation", _OPTIONS)

    def forward(self, values: Sequence[Tensor], linear: nn.ModuleDict) -> Tensor:
        read = {role: mixture(*values) for role, mixture in self.reads.items()}
        layers = {role: linear[f"{self.name}_{role}"] for role in ("first", "second")}
        value: Tensor = self.operation(read, layers)
        return value


class _Input(nn.Module):
    """One of several inputs."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[self.at]


class _Linear(nn.Module):
    """The sum of linear layers, which the cell has."""

    def __init__(self, roles: tuple[str, ...]) -> None:
        super().__init__()
        self.roles = roles

    def forward(self, read: Mapping[str, Tensor], layers: Mapping[str, nn.Module]) -> Tensor:
        total: Tensor = sum(layers[role](read[role]) for role in self.roles)
        return total


class _Pointwise(nn.Module):
    """An operation without weights."""

    def __init__(self, operation: str) -> None:
        super().__init__()
        self.operation = operation

    def forward(self, read: Mapping[str, Tensor], _: Any) -> Tensor:
        value = pointwise(self.operation, [read[role] for role in OPERATIONS[self.operation]])
        return value.clamp(-MOST, MOST) if self.operation == "product" else value


_OPTIONS: Final[Mapping[str, Make]] = MappingProxyType(
    {
        name: partial(_Linear, roles) if name.startswith(LINEAR) else partial(_Pointwise, name)
        for name, roles in OPERATIONS.items()
    }
)


def _layout(chosen: Mapping[str, int]) -> Layout:
    """Return the nodes of the places of chosen options, by the paths of their decisions."""
    options, steps = [*OPERATIONS], []
    for i in range(NODES):
        name = f"node_{i}"
        option = options[chosen[f"{name}.operation"]]
        reads = tuple(readable(i)[chosen[f"{name}.{role}"]] for role in OPERATIONS[option])
        steps.append(Step(name, LINEAR if option.startswith(LINEAR) else option, reads))
    return live(steps, f"node_{chosen['memory']}")
