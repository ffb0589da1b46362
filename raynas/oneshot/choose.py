"""Ask for an operation by a decision, so that one ``build`` makes networks and supernets.

This module can be imported without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from raynas.errors import SpaceError, unknown
from raynas.space import Space, Value

if TYPE_CHECKING:
    from torch import nn

    from raynas.oneshot.mixture import Routes

Make = Callable[..., "nn.Module"]


def choose(
    architecture: Mapping[str, Value],
    path: str,
    options: Mapping[Any, Make],
    channels: int | None = None,
) -> nn.Module:
    """Return the operation that an architecture has decided on; in a supernet, all of them.

    Only the operation that is chosen is made. ``build`` of a supernet gets an ``Undecided``: then
    all operations are made, and the result is a ``raynas.oneshot.mixture.Mixture``.

    Args:
        architecture: What ``build`` got.
        path: The path of the decision.
        options: For each option of the decision, a function that makes the operation. All
            operations take the same inputs and return tensors of one shape.
        channels: The channels ``[batch, channels, ...]`` of the only input and of the output. If
            it is given, each function is called with the number of channels that it must make the
            operation for: a method that mixes a part of the channels asks for fewer.

    Raises:
        SpaceError: There is no such decision, or it has an option that is not here.
    """
    if isinstance(architecture, Undecided):
        return architecture.mixture(path, options, channels)
    if path not in architecture:
        raise SpaceError(unknown("decision", path, architecture))
    value = architecture[path]
    if value not in options:
        raise SpaceError(f"choose needs the option {value!r} of {path}, got {[*options]}")
    make = options[value]
    return make() if channels is None else make(channels)


class Undecided(Mapping[str, Value]):
    """What ``build`` gets instead of an architecture to make a supernet.

    A decision with a single option can be read; all others must be asked for by ``choose``.

    Attributes:
        space: The space whose decisions are open.
        share: One over the share of channels that mixtures compute; see ``choose``.
        routes: What each mixture computes, by path; the mixtures share it.
    """

    def __init__(self, space: Space, share: int = 1) -> None:
        """Begin: nothing was asked for so far."""
        self.space = space
        self.share = share
        self.routes: Routes = {}
        self._asked: set[str] = set()

    def __getitem__(self, path: str) -> Value:
        """Return the only option of a decision.

        Raises:
            SpaceError: It has others: it must be asked for by ``choose``.
        """
        decision = self.space.decisions.get(path)
        if decision is None:
            raise KeyError(path)
        if decision.domain.count > 1:
            _refuse(path)
        (value,) = decision.domain.values()
        return value

    def __iter__(self) -> Iterator[str]:
        """Iterate over the paths of all decisions."""
        return iter(self.space.decisions)

    def __len__(self) -> int:
        """Return the number of decisions."""
        return len(self.space.decisions)

    def under(self, prefix: str) -> NoReturn:
        """Refuse to return the decisions below ``prefix``.

        Raises:
            SpaceError: Always.
        """
        _refuse(prefix)

    def mixture(self, path: str, options: Mapping[Any, Make], channels: int | None) -> nn.Module:
        """Return all options of a decision side by side; see ``choose``."""
        from raynas.oneshot.mixture import Mixture, PartialMixture  # noqa: PLC0415 - loads torch

        decision = self.space.decisions.get(path)
        if decision is None:
            raise SpaceError(unknown("decision", path, self.space.decisions))
        values = [*decision.domain.values()]
        if missing := [value for value in values if value not in options]:
            raise SpaceError(f"choose needs the options {missing} of {path}, got {[*options]}")
        self._asked.add(path)
        given = () if channels is None else (channels,)
        if len(values) == 1:  # nothing is open
            return options[values[0]](*given)
        if self.share == 1 or channels is None:
            return Mixture(path, [options[value](*given) for value in values], self.routes)
        part = max(1, channels // self.share)
        made = [options[value](part) for value in values]
        return PartialMixture(path, made, self.routes, part)

    @property
    def unasked(self) -> list[str]:
        """The paths of the open decisions that ``build`` has not asked for."""
        open_ = (one.path for one in self.space.decisions.values() if one.domain.count > 1)
        return [path for path in open_ if path not in self._asked]


def _refuse(path: str) -> NoReturn:
    raise SpaceError(
        f"build reads the decision {path!r} itself, so it cannot make a supernet of mixed paths: "
        "there it must ask for the operation by raynas.oneshot.choose(architecture, "
        f"{path!r}, options)"
    )
