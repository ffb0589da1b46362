"""A child that was built, and where its tensors are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from raynas.errors import SpaceError


@dataclass(frozen=True, slots=True)
class Place:
    """Where a child has a tensor that can be shared.

    Attributes:
        name: Its name in the child; of a tensor with several places, the name of the first.
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

    @property
    def tensor(self) -> Tensor:
        """The tensor that is there now."""
        found: Tensor = getattr(self.layer, self.last)
        return found


@dataclass(frozen=True, slots=True)
class Child:
    """A child that was built, and where it has tensors that can be shared.

    Buffers that are not in its state are not: ``build`` computes them for its architecture.
    """

    network: nn.Module
    places: tuple[Place, ...]

    @property
    def firsts(self) -> list[Place]:
        """The first place of each tensor."""
        different: dict[str, Place] = {}
        for place in self.places:
            different.setdefault(place.name, place)
        return [*different.values()]

    @classmethod
    def of(cls, network: nn.Module) -> Child:
        """Find the tensors of a child.

        Raises:
            SpaceError: A lazy layer has no tensor yet.
        """
        names: dict[int, str] = {}
        places = []
        for prefix, layer in network.named_modules():
            for last, own in _kept(layer):
                name = f"{prefix}.{last}" if prefix else last
                if is_lazy(own):
                    raise SpaceError(
                        f"the tensor {name} must have a shape before the network runs, to be "
                        "shared between architectures: give the lazy layer its sizes in build"
                    )
                first = names.setdefault(id(own), name)
                is_parameter = isinstance(own, nn.Parameter)
                places.append(Place(first, layer, last, own.shape, is_parameter))
        return cls(network, tuple(places))


def _kept(layer: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a layer itself that belong to its state."""
    yield from layer.named_parameters(recurse=False, remove_duplicate=False)
    passing = layer._non_persistent_buffers_set  # noqa: SLF001 - no other way
    for last, own in layer.named_buffers(recurse=False, remove_duplicate=False):
        if last not in passing:
            yield last, own
