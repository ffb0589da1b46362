"""The base class of supernets: one network with the weights of all architectures of a space."""

from __future__ import annotations

from abc import abstractmethod

from torch import nn

from raynas.space import Architecture, Space


class Supernet(nn.Module):
    """Computes the child of one architecture at a time; all children share its parameters.

    Attributes:
        space: The space of the architectures.
    """

    space: Space

    @property
    @abstractmethod
    def active(self) -> nn.Module:
        """The network that computes now."""

    @abstractmethod
    def serves(self, architecture: Architecture) -> bool:
        """Return whether it has all weights of an architecture."""

    @abstractmethod
    def take(self, architecture: Architecture) -> None:
        """Be the child of an architecture from now on."""

    @abstractmethod
    def lend(self, child: nn.Module, architecture: Architecture) -> None:
        """Give a child the shared tensors in place of its own; the memory is shared.

        Raises:
            SpaceError: The child has a tensor that is not shared.
        """
