"""Which trial gets how much of a cluster, and which one starts now. Knows nothing of Ray."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Final, Protocol

from raynas.errors import ConfigError, ResourceError, unknown
from raynas.space import Architecture
from raynas.trial import History, Trial

_UNIT: Final = 10_000  # parts of a CPU or GPU; Ray counts no finer
_WAITING: Final = 2  # trials that may be known and not fit: later ones would know more
_OVERTAKEN: Final = 8  # trials that may go before one that waits for a large share


@dataclass(frozen=True, slots=True)
class Resources:
    """What one trial takes, or a node has.

    Attributes:
        cpus: Processor cores; fractions allowed.
        gpus: GPUs; fractions allowed below one.
    """

    cpus: float
    gpus: float

    def checked(self) -> Resources:
        """Return itself, if a trial can have it.

        Raises:
            ConfigError: It is nothing, less than can be counted, or one GPU and a part of another.
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
        """Whether others may run on the same GPU."""
        return 0 < self.gpus < 1

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.cpus:g} CPUs and {self.gpus:g} GPUs"


def read_resources(said: Any, default: Resources) -> Resources:
    """Return what a space's ``resources(architecture)`` said; the rest comes from ``default``.

    Raises:
        ConfigError: It is no mapping of ``cpus`` and ``gpus`` to numbers a trial can have.
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
    return Resources(**amounts).checked()


class Fraction(Protocol):
    """Predicts which part of a GPU a trial needs."""

    def __call__(self, architecture: Architecture, history: History) -> float:
        """Return the part, at most 1."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Says what a trial gets.

    Attributes:
        default: What it gets if nobody says otherwise.
        nodes: What there is.
        asked: The space's ``resources``, if it has one.
        fraction: Predicts a part of a GPU where ``asked`` leaves that out; none to give the
            default.
    """

    default: Resources
    nodes: Sequence[Resources]
    asked: Callable[[Architecture], Any] | None = None
    fraction: Fraction | None = None

    def of(self, trial: Trial, history: History) -> Resources:
        """Return the share of a trial.

        Raises:
            ConfigError: The space's ``resources`` returned nonsense.
            ResourceError: No node has as much, or ``resources`` raised.
        """
        said = self._asked(trial.architecture)
        share = read_resources(said, self.default)
        if self.fraction is not None and "gpus" not in said:
            share = Resources(share.cpus, self.fraction(trial.architecture, history))
        if trial.alone:
            share = Resources(share.cpus, max(1.0, share.gpus))
        if not Room(self.nodes).fits(share):
            there = "; ".join(map(str, self.nodes))
            raise ResourceError(
                f"the architecture needs {share} on one node, but the nodes have {there}"
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


class Room:
    """What is free on the nodes while trials run.

    A model: Ray itself places trials. Like Ray it puts them where the least is left that is
    enough, devices one by one, so that large shares find whole devices.
    """

    def __init__(self, nodes: Sequence[Resources], most: int | None = None) -> None:
        """Begin with empty nodes.

        Args:
            nodes: What each has.
            most: Trials at once; none for as many as fit.
        """
        self._cpus = [_parts(node.cpus) for node in nodes]
        self._devices = [[_UNIT] * int(node.gpus) for node in nodes]
        self._most = most
        self._taken: dict[int, tuple[Resources, int, dict[int, int]]] = {}

    @property
    def trials(self) -> Mapping[int, Resources]:
        """The share of every trial that runs, by number."""
        return {number: share for number, (share, _, _) in self._taken.items()}

    def fits(self, share: Resources) -> bool:
        """Say whether one more trial of that share can run now."""
        return self._place(share) is not None

    def take(self, number: int, share: Resources) -> None:
        """Give a share that fits to a trial."""
        place = self._place(share)
        if place is None:
            raise ResourceError(f"trial {number} needs {share}, which is not free")
        node, devices = place
        self._taken[number] = share, node, devices
        self._cpus[node] -= _parts(share.cpus)
        for device, part in devices.items():
            self._devices[node][device] -= part

    def free(self, number: int) -> None:
        """Take a trial's share back."""
        share, node, devices = self._taken.pop(number)
        self._cpus[node] += _parts(share.cpus)
        for device, part in devices.items():
            self._devices[node][device] += part

    def _place(self, share: Resources) -> tuple[int, dict[int, int]] | None:
        """Return the node and how much of which of its devices."""
        if self._most is not None and len(self._taken) >= self._most:
            return None
        places = []
        for node, free in enumerate(self._cpus):
            devices = _on_devices(self._devices[node], share.gpus)
            if free >= _parts(share.cpus) and devices is not None:
                left = [self._devices[node][device] for device in devices]
                places.append(((left, sum(self._devices[node]), free), node, devices))
        if not places:
            return None
        _, node, devices = min(places, key=lambda place: place[0])
        return node, devices


class Admission:
    """Says which trial starts now: none that does not fit, and none known earlier than need be.

    What a trial takes is known once it is proposed. One that does not fit waits; smaller ones may
    go before it, for free workers should not idle, but not for ever.
    """

    def __init__(self, room: Room, usual: Resources) -> None:
        """Admit into ``room``; until a trial is known, it is thought to take the ``usual``."""
        self.room = room
        self._known = {usual}
        self._waiting: list[tuple[Trial, Resources]] = []
        self._overtaken = 0

    @property
    def waiting(self) -> bool:
        """Whether there is a trial that does not fit yet."""
        return bool(self._waiting)

    def next(self, ask: Callable[[], tuple[Trial, Resources] | None]) -> Trial | None:
        """Return the trial to start now, its share taken; none if there is none that fits.

        Args:
            ask: Returns the next trial and its share, which a node can hold; none if there is
                none for now.
        """
        patient = self._overtaken < _OVERTAKEN
        for at, (trial, share) in enumerate(self._waiting if patient else self._waiting[:1]):
            if self.room.fits(share):
                del self._waiting[at]
                self._overtaken = self._overtaken + 1 if at else 0
                self.room.take(trial.number, share)
                return trial
        while patient and self._may_ask() and (asked := ask()):
            trial, share = asked
            self._known.add(share)
            if self.room.fits(share):
                self._overtaken += bool(self._waiting)
                self.room.take(trial.number, share)
                return trial
            self._waiting.append(asked)
        return None

    def _may_ask(self) -> bool:
        return len(self._waiting) < _WAITING and any(map(self.room.fits, self._known))


def _parts(amount: float) -> int:
    return round(amount * _UNIT)


def _on_devices(free: Sequence[int], gpus: float) -> dict[int, int] | None:
    """Return how much of which device to take; none if there is not enough."""
    part, count = (_parts(gpus), 1) if gpus < 1 else (_UNIT, int(gpus))
    if not part:
        return {}
    enough = [device for device, left in enumerate(free) if left >= part]
    chosen = sorted(enough, key=lambda device: free[device])[:count]
    return dict.fromkeys(chosen, part) if len(chosen) == count else None
