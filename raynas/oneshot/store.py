"""A supernet for any space: the tensors of all children by name, in one store.

The child of an architecture is built as ever; then its tensors are replaced by those of the store.
Equal names share. If sizes differ, the store has the largest tensor of a name, and a child gets
its first units and the centre of its kernels, as in ``raynas.training.inherit``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import torch
from torch import Tensor, nn

from raynas.errors import SpaceError
from raynas.oneshot.meaning import Meanings
from raynas.oneshot.supernet import Supernet
from raynas.space import Architecture, Decision, Space, Value
from raynas.training.inherit import common

_PATIENCE: Final = 32  # successive random architectures that need no larger tensor
_CHILDREN: Final = 64  # that are kept, because building takes as long as a step of a small one
_UNBUILT: Final = (SpaceError, ValueError)  # what build raises for an impossible architecture
_OPTIONS: Final = 64  # of a decision that are all tried; of more, both ends


@dataclass(frozen=True, slots=True)
class Place:
    """Where a child has a tensor of the store.

    Attributes:
        name: Its name in the child.
        layer: The layer.
        last: Its name in the layer.
        shape: Its shape.
        is_parameter: Whether it is a parameter, not a buffer.
    """

    name: str
    layer: nn.Module
    last: str
    shape: torch.Size
    is_parameter: bool


@dataclass(frozen=True, slots=True)
class Child:
    """A child that was built, and where it has tensors; tied ones stand under each name."""

    network: nn.Module
    places: tuple[Place, ...]

    @classmethod
    def of(cls, network: nn.Module) -> Child:
        """Find the tensors of a child."""
        places = (
            Place(f"{prefix}.{last}" if prefix else last, layer, last, own.shape, at < 1)
            for prefix, layer in network.named_modules(remove_duplicate=False)
            for at, kind in enumerate((layer.named_parameters, layer.named_buffers))
            for last, own in kind(recurse=False, remove_duplicate=False)
        )
        return cls(network, tuple(places))


class StoredSupernet(Supernet):
    """A network that is the child of one architecture at a time, with weights from a store.

    It serves methods of single paths only. Its parameters are the store.

    Attributes:
        space: The space of the architectures.
    """

    def __init__(
        self, build: Callable[[Architecture], nn.Module], space: Space, rng: np.random.Generator
    ) -> None:
        """Collect the largest tensor of each name from many architectures.

        Args:
            build: Makes the child of an architecture.
            space: The space.
            rng: Draws architectures.

        Raises:
            SpaceError: A name means two things in two architectures.
        """
        super().__init__()
        self.space = space
        self._build = build
        self._children: OrderedDict[Architecture, Child] = OrderedDict()
        self._meanings = Meanings()
        every = [*_many(space, rng, self._collect)]
        self.take(next((one for one in reversed(every) if self.serves(one)), every[-1]))

    @property
    def active(self) -> nn.Module:
        """The network that computes: the present child."""
        return self._now[0].network

    def forward(self, *inputs: Any) -> Any:
        """Return the outputs of the present child."""
        return self.active(*inputs)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's own signature
        """Put the present child, and those after it, in training or in evaluation mode."""
        super().train(mode)
        self.active.train(mode)
        return self

    def serves(self, architecture: Architecture) -> bool:
        """Return whether an architecture can be built, and the store has all tensors of it."""
        try:
            places = self._made(architecture).places
        except _UNBUILT:
            return False
        return all(self._covers(place) for place in places)

    def take(self, architecture: Architecture) -> None:
        """Be the child of an architecture from now on.

        Raises:
            SpaceError: The store lacks a tensor; see ``serves``.
        """
        child = self._made(architecture)
        for place in child.places:
            lent = self._lent(place)
            if not place.is_parameter:
                place.layer.register_buffer(place.last, lent)
            elif isinstance(lent, nn.Parameter):
                place.layer.register_parameter(place.last, lent)
            else:  # a part of a parameter has a graph, so it is none
                place.layer._parameters.pop(place.last, None)  # noqa: SLF001 - no other way
                setattr(place.layer, place.last, lent)
        child.network.train(self.training)
        self._now = (child,)  # in a tuple, so that it is no module of this one
        self._taken = architecture

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without children: their parts of tensors cannot be copied."""
        return {**self.__dict__, "_children": OrderedDict(), "_now": ()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a state, and be the same child."""
        self.__dict__.update(state)
        self.take(self._taken)

    def lend(self, child: nn.Module, architecture: Architecture) -> None:  # noqa: ARG002
        """Give a child the tensors of the store in place of its own; the memory is shared."""
        for place in Child.of(child).places:
            lent = self._lent(place)
            if place.is_parameter:
                wanted = getattr(place.layer, place.last).requires_grad
                lent = nn.Parameter(lent.detach(), wanted)
            setattr(place.layer, place.last, lent)

    def _made(self, architecture: Architecture) -> Child:
        """Return the child of an architecture; the last ones are kept."""
        if architecture not in self._children:
            device = next(self.parameters(), torch.empty(0)).device
            made = Child.of(self._build(architecture).to(device))
            self._children[architecture] = made
            if len(self._children) > _CHILDREN:
                self._children.popitem(last=False)
        self._children.move_to_end(architecture)
        return self._children[architecture]

    def _lent(self, place: Place) -> Tensor:
        """Return the part of a tensor of the store that a child's tensor is."""
        stored = self._stored(place.name)
        if stored is None or not self._covers(place):
            raise SpaceError(
                f"the shared weights have no tensor {place.name} as large as {tuple(place.shape)}"
            )
        if stored.shape == place.shape:
            return stored
        return stored[common(stored.shape, place.shape)[0]]

    def _stored(self, name: str) -> Tensor | None:
        found: Tensor | None = getattr(self, _key(name), None)
        return found

    def _covers(self, place: Place) -> bool:
        stored = self._stored(place.name)
        if stored is None or stored.ndim != len(place.shape):
            return False
        return all(has >= needs for has, needs in zip(stored.shape, place.shape, strict=True))

    @torch.no_grad()
    def _collect(self, architecture: Architecture) -> bool:
        """Add what the child of an architecture has more than the store; return whether it has."""
        try:
            child = Child.of(self._build(architecture))
        except _UNBUILT:
            return False
        grew = False
        for place in child.places:
            own, stored = getattr(place.layer, place.last), self._stored(place.name)
            self._meanings.check(place.name, place.layer, own, stored, architecture)
            if not self._covers(place):
                self._add(place, own, stored)
                grew = True
        return grew

    def _add(self, place: Place, own: Tensor, stored: Tensor | None) -> None:
        """Put a tensor into the store, as large as both; the old part keeps its values."""
        new = own.detach().clone()
        if stored is not None:
            shape = [max(sides) for sides in zip(own.shape, stored.shape, strict=True)]
            new = own.new_empty(shape)
            if new.is_floating_point():
                new.normal_(0.0, float(own.float().std(correction=0)))
            for part in (own, stored):
                new[common(new.shape, part.shape)[0]] = part
        if place.is_parameter:
            setattr(self, _key(place.name), nn.Parameter(new, own.requires_grad))
        else:
            self.register_buffer(_key(place.name), new)


def _many(
    space: Space, rng: np.random.Generator, grows: Callable[[Architecture], bool]
) -> Iterator[Architecture]:
    """Yield architectures until many in succession have added nothing.

    First those that have the last option of all decisions but one, then random ones.
    """
    ends = {path: _ends(one) for path, one in space.decisions.items()}

    def with_option(path: str, value: Value) -> Architecture:
        return space.walk(lambda one: value if one.path == path else ends[one.path][-1])

    for made in (with_option(path, value) for path, values in ends.items() for value in values):
        grows(made)
        yield made
    idle = 0
    while idle < _PATIENCE:
        made = space.sample(rng)
        idle = 0 if grows(made) else idle + 1
        yield made


def _ends(decision: Decision) -> list[Value]:
    """Return all options of a decision; of many, the first and the last."""
    domain: Any = decision.domain
    return [*domain.values()] if domain.count <= _OPTIONS else [domain.low, domain.high]


def _key(name: str) -> str:
    """Return a name that torch allows for a tensor: it must have no point."""
    return name.replace(".", "/")
