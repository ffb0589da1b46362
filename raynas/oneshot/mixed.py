"""A supernet of mixed paths: one network with a mixture for each decision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from raynas.errors import SpaceError
from raynas.oneshot.choose import Undecided
from raynas.oneshot.mixture import Mixture, Only, Route, Weighted
from raynas.oneshot.relaxation import Relaxation
from raynas.oneshot.supernet import Supernet
from raynas.space import Architecture, Space

Build = Callable[[Any], nn.Module]


class MixedSupernet(Supernet):
    """A network that computes what its routes say: one path, or a mixture of paths.

    Attributes:
        build: Makes the network of an architecture.
        network: What ``build`` made of undecided decisions.
        space: The space of the architectures.
        relaxation: How the space becomes mixtures.
    """

    def __init__(self, build: Build, space: Space, relaxation: Relaxation, share: int = 1) -> None:
        """Make all options of all decisions; at first, all have the same weight.

        Args:
            build: The space's ``build``; it asks for operations by ``choose``.
            space: The space of the architectures.
            relaxation: How the space becomes mixtures.
            share: One over the share of the channels that mixtures compute.

        Raises:
            SpaceError: ``build`` reads a decision itself, or never asks for one.
        """
        super().__init__()
        self.build = build
        undecided = Undecided(relaxation.space, share)
        self.space = space
        self.relaxation = relaxation
        self.network = build(undecided)
        if missing := undecided.unasked:
            raise SpaceError(
                f"build never asks for the decision {missing[0]!r} by raynas.oneshot.choose"
                + (f", nor for {len(missing) - 1} others" if missing[1:] else "")
                + ": it cannot make a supernet of mixed paths. Take such decisions out of the "
                "space, or use a method of single paths"
            )
        self._routes = undecided.routes
        self.mix({path: Weighted(torch.full((n,), 1 / n)) for path, n in self.options.items()})

    @property
    def options(self) -> dict[str, int]:
        """The number of options of each open decision, by path."""
        return self.relaxation.options

    @property
    def mixtures(self) -> Mapping[str, Mixture]:
        """All mixtures, by their names as modules; one that is used twice has two."""
        modules = self.network.named_modules(remove_duplicate=False)
        return {name: module for name, module in modules if isinstance(module, Mixture)}

    @property
    def active(self) -> nn.Module:
        """The network that computes."""
        return self.network

    def serves(self, architecture: Architecture) -> bool:  # noqa: ARG002
        """Return whether it has the path of an architecture: it has all."""
        return True

    def forward(self, *inputs: Any) -> Any:
        """Return the outputs on the present routes."""
        return self.network(*inputs)

    def mix(self, routes: Mapping[str, Route]) -> None:
        """Take these routes from now on."""
        self._routes.clear()
        self._routes.update(routes)

    def take(self, architecture: Architecture) -> None:
        """Take the path of an architecture from now on."""
        self.mix({path: Only(at) for path, at in self.places(architecture).items()})

    def places(self, architecture: Architecture) -> dict[str, int]:
        """Return the place of each chosen option, by the path of its decision in the supernet."""
        decisions = self.relaxation.space.decisions
        chosen = self.relaxation.path(architecture)
        return {path: [*decisions[path].domain.values()].index(v) for path, v in chosen.items()}

    def tensors(self, architecture: Architecture) -> dict[str, Tensor]:
        """Return the parameters and buffers of an architecture's child, by their names there."""
        return dict(self._tensors(self.places(architecture)))

    def _tensors(self, places: Mapping[str, int]) -> Iterator[tuple[str, Tensor]]:
        mixtures = self.mixtures
        named = [
            *self.network.named_parameters(remove_duplicate=False),
            *self.network.named_buffers(remove_duplicate=False),
        ]
        for name, tensor in named:
            if (short := _in_child(name.split("."), mixtures, places)) is not None:
                yield short, tensor

    def lend(self, child: nn.Module, architecture: Architecture) -> None:
        """Give a child the tensors of the supernet in place of its own; they are shared.

        Raises:
            SpaceError: The child has a tensor that the supernet does not have, or of other shape.
        """
        tensors = self.tensors(architecture)
        own = [
            *child.named_parameters(remove_duplicate=False),
            *child.named_buffers(remove_duplicate=False),
        ]
        for name, tensor in own:
            lent = tensors.get(name)
            if lent is None or lent.shape != tensor.shape:
                raise SpaceError(
                    f"the supernet must have a tensor {name} of shape {tuple(tensor.shape)}, as "
                    f"the network of {architecture!r} has it: it has "
                    + ("none" if lent is None else f"one of shape {tuple(lent.shape)}")
                )
            layer, _, last = name.rpartition(".")
            setattr(child.get_submodule(layer), last, lent)


def as_mixed(supernet: Supernet) -> MixedSupernet:
    """Return the supernet, which has mixtures.

    Raises:
        SpaceError: It has none.
    """
    if not isinstance(supernet, MixedSupernet):
        raise SpaceError("this method needs a supernet of mixed paths")
    return supernet


def _in_child(
    parts: list[str], mixtures: Mapping[str, Mixture], places: Mapping[str, int]
) -> str | None:
    """Return the name of a supernet's tensor in a child; none if the child does not have it."""
    kept: list[str] = []
    at = 0
    while at < len(parts):
        mixture = mixtures.get(".".join(parts[:at]))
        if mixture is not None and places.get(mixture.path) != int(parts[at]):
            return None
        if mixture is None:
            kept.append(parts[at])
        at += 1
    return ".".join(kept)
