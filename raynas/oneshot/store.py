"""A supernet for any space: the tensors of all children by name, in one store.

The child of an architecture is built as ever; then its tensors are replaced by those of the store.
Equal names share; a tensor that a child has in several places is shared once. If sizes differ, the
store has the largest tensor of a name, and a child gets its first units and the centre of its
kernels, as in ``raynas.training.inherit``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final, Self

import numpy as np
import torch
from torch import Tensor, nn

from raynas.errors import SpaceError
from raynas.oneshot.child import Child, Place
from raynas.oneshot.meaning import Meanings
from raynas.oneshot.supernet import Supernet
from raynas.space import Architecture, Choice, Decision, Space, Value
from raynas.training.inherit import common

_PATIENCE: Final = 32  # successive random architectures that need no larger tensor
_CHILDREN: Final = 64  # that are kept, because building takes as long as a step of a small one
_UNBUILT: Final = (SpaceError, ValueError)  # what build raises for an impossible architecture
_OPTIONS: Final = 64  # numbers of a decision that are all tried; of more, both ends


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
            SpaceError: A name means two things in two architectures, or a lazy layer has no sizes.
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

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's own signature
        """Move the tensors; children have parts of those that there were before."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._children.clear()
        self.take(self._taken)
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
        given: dict[str, Tensor] = {}
        for place in Child.of(child).places:
            lent = self._lent(place)
            if place.is_parameter:
                lent = nn.Parameter(lent.detach(), place.tensor.requires_grad)
            setattr(place.layer, place.last, given.setdefault(place.name, lent))

    def _made(self, architecture: Architecture) -> Child:
        """Return the child of an architecture; the last ones are kept."""
        if architecture not in self._children:
            device = next(self.parameters(), torch.empty(0)).device
            made = Child.of(self._build(architecture).to(device))
            for place in made.firsts:
                if (stored := self._stored(place.name)) is not None:
                    self._meanings.check(place, stored, architecture)
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
            network = self._build(architecture)
        except _UNBUILT:
            return False
        grew = False
        for place in Child.of(network).firsts:
            stored = self._stored(place.name)
            if stored is not None:
                self._meanings.check(place, stored, architecture)
                self._check_constant(place, stored, architecture)
            if not self._covers(place):
                self._meanings.learn(place, architecture)
                self._add(place, place.tensor, stored)
                grew = True
        return grew

    def _check_constant(self, place: Place, stored: Tensor, architecture: Architecture) -> None:
        """Check that a buffer is no constant of an architecture that differs from another's.

        Raises:
            SpaceError: ``build`` gives it always the same numbers, and they differ from the
                stored ones.
        """
        own = place.tensor
        if place.is_parameter or own.is_meta or own.shape != stored.shape or own.equal(stored):
            return
        again = Child.of(self._build(architecture)).firsts
        if any(one.name == place.name and one.tensor.equal(own) for one in again):
            raise SpaceError(
                f"the buffer {place.name} must begin with the same numbers in all architectures "
                f"to be shared, and has others for {architecture!r}: register it with "
                "persistent=False, so that each network has its own"
            )

    def _add(self, place: Place, own: Tensor, stored: Tensor | None) -> None:
        """Put a tensor into the store, as large as both; the old part keeps its values."""
        new = own.detach().clone()
        if stored is not None:
            shape = [max(sides) for sides in zip(own.shape, stored.shape, strict=True)]
            new = own.new_empty(shape)
            if new.is_floating_point():
                new.normal_().mul_(own.float().std(correction=0))
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
        asked = {path: value}
        one = space.decisions[path]
        while one.parent is not None:  # else the decision would not be active
            above, when = space.decisions[one.parent], one.when
            asked[above.path] = next(v for v in reversed(ends[above.path]) if v in when)
            one = above
        return space.walk(lambda one: asked.get(one.path, ends[one.path][-1]))

    every = [with_option(path, value) for path, values in ends.items() for value in values]
    for made in dict.fromkeys(every):
        grows(made)
        yield made
    idle = 0
    while idle < _PATIENCE:
        made = space.sample(rng)
        idle = 0 if grows(made) else idle + 1
        yield made


def _ends(decision: Decision) -> list[Value]:
    """Return all options of a decision; of many numbers, both ends."""
    domain = decision.domain
    if isinstance(domain, Choice) or domain.count <= _OPTIONS:
        return [*domain.values()]
    return [domain.low, domain.high]


def _key(name: str) -> str:
    """Return a name that torch allows for a tensor, and that is no name of a supernet's own."""
    layer, _, last = name.rpartition(".")
    return f"{layer.replace('.', '/')}/{last}"
