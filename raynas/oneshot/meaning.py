"""What the names of tensors mean, so that only what means the same is shared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from raynas.errors import SpaceError
from raynas.space import Architecture
from raynas.training.inherit import fits


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a tensor is.

    Attributes:
        kind: The class of its layer; of a convolution also what its weights do not show.
        shape: Its shape.
        groups: The groups of a convolution; none for other layers.
        where: The first architecture that has it.
    """

    kind: str
    shape: tuple[int, ...]
    groups: int | None
    where: Architecture


@dataclass(slots=True)
class Meanings:
    """The meanings of names so far, by the largest tensor of each name."""

    _known: dict[str, Meaning] = field(default_factory=dict)

    def check(
        self,
        name: str,
        layer: nn.Module,
        own: Tensor,
        stored: Tensor | None,
        architecture: Architecture,
    ) -> None:
        """Check that a tensor means the same as in the architectures before.

        Args:
            name: Its name.
            layer: Its layer.
            own: The tensor.
            stored: The largest tensor of that name so far; none if it is the first.
            architecture: The architecture of the child.

        Raises:
            SpaceError: It means something else.
        """
        groups = layer.groups if isinstance(layer, _ConvNd) else None
        mine = Meaning(_kind(layer), tuple(own.shape), groups, architecture)
        before = self._known.setdefault(name, mine)
        if stored is None:
            return
        same = stored.shape == own.shape or fits(layer, before.groups, stored, own)
        if before.kind != mine.kind or not same:
            raise SpaceError(_refused(name, before, mine))
        if stored.numel() < own.numel():
            self._known[name] = mine


def _kind(layer: nn.Module) -> str:
    name = type(layer).__name__
    if isinstance(layer, _ConvNd):
        grouped = "depthwise" if 1 < layer.groups == layer.in_channels else "grouped"
        how = grouped if layer.groups > 1 else "full"
        return f"{name} ({how}, dilation {layer.dilation})"
    return name


def _refused(name: str, one: Meaning, other: Meaning) -> str:
    paths = [*dict.fromkeys((*one.where, *other.where))]
    differing = [path for path in paths if one.where.get(path) != other.where.get(path)]
    few: list[Any] = [
        f"{path} is {one.where.get(path)!r} there and {other.where.get(path)!r} here"
        for path in differing[:3]
    ]
    return (
        f"the tensor {name} must mean the same in all architectures to be shared: it belongs to a "
        f"{one.kind} with shape {one.shape} in one, and to a {other.kind} with shape "
        f"{other.shape} in another ({', '.join(few)}). Give what differs a name of its own in "
        "build, or ask for operations by raynas.oneshot.choose"
    )
