"""What the names of tensors mean, so that only what means the same is shared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.nn.modules.conv import _ConvNd

from raynas.errors import SpaceError
from raynas.oneshot.child import Place
from raynas.space import Architecture
from raynas.training.inherit import fits


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a tensor is.

    Attributes:
        kind: The class of its layer; of a convolution also the dilation.
        shape: Its shape.
        groups: The groups of a convolution; none for other layers.
        where: The first architecture that has it.
    """

    kind: str
    shape: tuple[int, ...]
    groups: int | None
    where: Architecture

    @classmethod
    def of(cls, place: Place, architecture: Architecture) -> Meaning:
        """Return what a tensor of an architecture's child is."""
        layer, kind = place.layer, type(place.layer).__name__
        if not isinstance(layer, _ConvNd):
            return cls(kind, tuple(place.shape), None, architecture)
        kind = f"{kind} (dilation {layer.dilation})"
        return cls(kind, tuple(place.shape), layer.groups, architecture)

    def __str__(self) -> str:
        """Return it in words."""
        groups = f" and {self.groups} groups" if self.groups else ""
        return f"{self.kind} with shape {self.shape}{groups}"


@dataclass(slots=True)
class Meanings:
    """The meanings of names so far; of convolutions, those with the most groups."""

    _known: dict[str, Meaning] = field(default_factory=dict)

    def learn(self, place: Place, architecture: Architecture) -> None:
        """Keep the meaning of a tensor that is new, or has more groups than all before."""
        before, mine = self._known.get(place.name), Meaning.of(place, architecture)
        if before is None or (mine.groups or 0) > (before.groups or 0):
            self._known[place.name] = mine

    def check(self, place: Place, stored: Tensor, architecture: Architecture) -> None:
        """Check that a tensor means the same as in the architectures before.

        Args:
            place: Where a child has it.
            stored: The largest tensor of that name so far.
            architecture: The architecture of the child.

        Raises:
            SpaceError: It means something else.
        """
        before, mine = self._known[place.name], Meaning.of(place, architecture)
        if before.kind != mine.kind or not fits(place.layer, before.groups, stored, place.tensor):
            raise SpaceError(_refused(place.name, before, mine))


def _refused(name: str, one: Meaning, other: Meaning) -> str:
    paths = [*dict.fromkeys((*one.where, *other.where))]
    differing = [path for path in paths if one.where.get(path) != other.where.get(path)]
    few: list[Any] = [
        f"{path} is {one.where.get(path)!r} there and {other.where.get(path)!r} here"
        for path in differing[:3]
    ]
    return (
        f"the tensor {name} must mean the same in all architectures to be shared: it belongs to a "
        f"{one} in one, and to a {other} in another ({', '.join(few)}). Give what differs a name "
        "of its own in build, or ask for operations by raynas.oneshot.choose"
    )
