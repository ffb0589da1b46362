"""The resources of each trial, and where there is room for them. This module does not use Ray."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Final, Protocol

from raynas.errors import ConfigError, ResourceError, unknown
from raynas.space import Architecture
from raynas.trial import History, Trial

_UNIT: Final = 10_000  # parts of a CPU or GPU; the resolution of Ray
SMALLEST: Final = 1 / 8  # of a GPU, where shares are predicted; more processes gain little

_Place = tuple[Hashable, dict[int, int]]
"""A node, and how much of which of its devices is used."""


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources of one trial or one node.

    Attributes:
        cpus: CPU cores; fractions are allowed.
        gpus: GPUs; fractions are allowed below one.
        workers: How many processes train the trial together; each has these CPUs and GPUs, on one
            node.
    """

    cpus: float
    gpus: float
    workers: int = 1

    def checked(self) -> Resources:
        """Return itself, if a trial can have these resources.

        Raises:
            ConfigError: Both are zero, one is too small, or GPUs above one are not a whole number.
        """
        for name, value in (("CPUs", self.cpus), ("GPUs", self.gpus)):
            if value and not 1 / _UNIT <= value < math.inf:
                raise ConfigError(
                    f"{name} of a trial must be 0 or at least {1 / _UNIT}, got {value}"
                )
        if self.gpus > 1 and self.gpus % 1:
            raise ConfigError(f"more than one GPU must be a whole number, got {self.gpus}")
        if not self.cpus and not self.gpus:
            raise ConfigError("a trial needs CPUs or GPUs, got 0 of both")
        return self

    @property
    def shared(self) -> bool:
        """Whether other trials may run on the same GPU."""
        return 0 < self.gpus < 1

    def __str__(self) -> str:
        """Return it in words."""
        each = f"{self.cpus:g} CPUs and {self.gpus:g} GPUs"
        return each if self.workers == 1 else f"{each} for each of {self.workers} processes"


def read_resources(said: Any, default: Resources) -> Resources:
    """Return the resources from a space's ``resources(architecture)``, completed by ``default``.

    Raises:
        ConfigError: It is not a mapping from ``cpus`` and ``gpus`` to valid numbers.
    """
    if not isinstance(said, Mapping):
        raise ConfigError(
            f"a space's resources must return a mapping such as {{'gpus': 0.5}}, got {said!r}"
        )
    amounts = {"cpus": default.cpus, "gpus": default.gpus}
    for name, value in said.items():
        if name not in amounts:
            raise ConfigError(unknown("resource", str(name), amounts))
        if not isinstance(value, Real) or isinstance(value, bool):
            raise ConfigError(f"{name} of a trial must be a number, got {value!r}")
        amounts[name] = float(value)
    return replace(default, cpus=amounts["cpus"], gpus=amounts["gpus"]).checked()


class Fraction(Protocol):
    """Predicts the fraction of a GPU that a trial needs."""

    def __call__(self, architecture: Architecture, history: History) -> float:
        """Return the fraction, at most 1."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Decides the resources of a trial.

    Attributes:
        default: The default resources of a trial.
        nodes: The resources of the nodes that there are or were.
        asked: The space's ``resources``, if it has one.
        fraction: Predicts the fraction of a GPU if ``asked`` does not say it; none to use the
            default.
    """

    default: Resources
    nodes: Sequence[Resources]
    asked: Callable[[Architecture], Any] | None = None
    fraction: Fraction | None = None

    def of(self, trial: Trial, history: History) -> Resources:
        """Return the share of a trial.

        Raises:
            ConfigError: The space's ``resources`` returned an invalid value.
            ResourceError: No node has enough, or ``resources`` raised.
        """
        said = self._asked(trial.architecture)
        share = read_resources(said, self.default)
        if self.fraction is not None and "gpus" not in said:
            share = replace(share, gpus=self.fraction(trial.architecture, history))
        if trial.tries("gpu"):
            share = replace(share, gpus=max(1.0, share.gpus))
        if trial.tries("node") and share.workers == 1:  # several may need more than one
            enough = (node.cpus for node in self.nodes if node.gpus >= share.gpus)
            share = replace(share, cpus=max(enough, default=share.cpus))
        room = FreeResources(self.nodes)
        # Where the usual trial has no room, the nodes that will train are not there yet.
        if not room.fits(share) and room.fits(self.default):
            there = "; ".join(map(str, self.nodes))
            where = " on one node" if share.workers == 1 else ""
            raise ResourceError(
                f"the architecture needs {share}{where}, but the nodes have {there}"
            )
        return share

    def _asked(self, architecture: Architecture) -> Any:
        if self.asked is None:
            return {}
        try:
            return self.asked(architecture)
        except Exception as error:
            raise ResourceError(
                f"the space's resources raised {type(error).__name__}: {error}"
            ) from error


Nodes = Sequence[Resources] | Mapping[str, Resources]
"""The resources of nodes, by their names if they may leave."""


class FreeResources:
    """The free resources of the nodes while trials run.

    This is a model; Ray itself places trials. Like Ray, it puts a trial on the node and device
    with the least free resources that are enough, so that whole devices stay free.
    """

    def __init__(self, nodes: Nodes, most: int | None = None) -> None:
        """Begin with empty nodes.

        Args:
            nodes: The resources of each node.
            most: How many trials may run at once; none for as many as fit.
        """
        self._cpus: dict[Hashable, int] = {}
        self._devices: dict[Hashable, list[int]] = {}
        self._most = most
        self._taken: dict[int, tuple[Resources, list[_Place]]] = {}
        self.resize(nodes)

    def resize(self, nodes: Nodes) -> None:
        """Take note that nodes have come or left.

        A trial of a node that has left is placed on another one, because Ray may have placed it
        there, or will. If there is no room, it gets the next room that becomes free.

        Args:
            nodes: The resources of each node that there is now.
        """
        present = nodes if isinstance(nodes, Mapping) else dict(enumerate(nodes))
        homeless = {
            number: share
            for number, (share, places) in self._taken.items()
            if any(node not in present for node, _ in places)
        }
        for number, share in homeless.items():
            self._release(number)
            self._hold(number, share, [])
        for node in self._cpus.keys() - present.keys():
            del self._cpus[node], self._devices[node]
        for node, has in present.items():
            self._cpus.setdefault(node, _parts(has.cpus))
            self._devices.setdefault(node, [_UNIT] * int(has.gpus))
        self._place_homeless()

    @property
    def trials(self) -> Mapping[int, Resources]:
        """The resources of every running trial, by number."""
        return {number: share for number, (share, _) in self._taken.items()}

    def fits(self, share: Resources) -> bool:
        """Return whether one more trial with these resources can run now."""
        return len(self._places(share)) == share.workers

    def take(self, number: int, share: Resources) -> None:
        """Reserve resources for a trial; they must fit."""
        places = self._places(share)
        if len(places) < share.workers:
            raise ResourceError(f"trial {number} needs {share}, which is not free")
        self._hold(number, share, places)

    def lacking(self, shares: Sequence[Resources]) -> list[Resources]:
        """Return those shares that do not fit, when all of them are to run besides the others."""
        lacking, tried = [], []
        for at, share in enumerate(shares):
            if self.fits(share):
                tried.append(-1 - at)
                self.take(tried[-1], share)
            else:
                lacking.append(share)
        for number in tried:
            self.free(number)
        return lacking

    def free(self, number: int) -> None:
        """Release the resources of a trial."""
        self._release(number)
        self._place_homeless()

    def _release(self, number: int) -> None:
        share, places = self._taken.pop(number)
        for place in places:
            self._reserve(share, place, -1)

    def _place_homeless(self) -> None:
        for number, (share, places) in [*self._taken.items()]:
            if not places and len(found := self._anywhere(share)) == share.workers:
                self._hold(number, share, found)

    def _hold(self, number: int, share: Resources, places: list[_Place]) -> None:
        self._taken[number] = share, places
        for place in places:
            self._reserve(share, place)

    def _places(self, share: Resources) -> list[_Place]:
        """Return a place for each process of a trial, as far as there are any."""
        full = self._most is not None and len(self._taken) >= self._most
        return [] if full else self._anywhere(share)

    def _anywhere(self, share: Resources) -> list[_Place]:
        places: list[_Place] = []
        while len(places) < share.workers and (place := self._place(share)):
            places.append(place)
            self._reserve(share, place)
        for place in places:
            self._reserve(share, place, -1)
        return places

    def _reserve(self, share: Resources, place: _Place, sign: int = 1) -> None:
        node, devices = place
        self._cpus[node] -= sign * _parts(share.cpus)
        for device, part in devices.items():
            self._devices[node][device] -= sign * part

    def _place(self, share: Resources) -> _Place | None:
        """Return a place for one process."""
        places = []
        for node, free in self._cpus.items():
            devices = _on_devices(self._devices[node], share.gpus)
            if free >= _parts(share.cpus) and devices is not None:
                left = [self._devices[node][device] for device in devices]
                places.append(((left, sum(self._devices[node]), free), node, devices))
        if not places:
            return None
        _, node, devices = min(places, key=lambda place: place[0])
        return node, devices


def _parts(amount: float) -> int:
    return round(amount * _UNIT)


def _on_devices(free: Sequence[int], gpus: float) -> dict[int, int] | None:
    """Return how much of which device to use; none if there is not enough."""
    part, count = (_parts(gpus), 1) if gpus < 1 else (_UNIT, int(gpus))
    if not part:
        return {}
    enough = [device for device, left in enumerate(free) if left >= part]
    chosen = sorted(enough, key=lambda device: free[device])[:count]
    return dict.fromkeys(chosen, part) if len(chosen) == count else None
