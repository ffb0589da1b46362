"""The resources of each trial, and which trial starts now. This module does not use Ray."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Final, Protocol

from raynas.errors import ConfigError, ResourceError, unknown
from raynas.space import Architecture
from raynas.trial import History, Trial

_UNIT: Final = 10_000  # parts of a CPU or GPU; the resolution of Ray
_WAITING: Final = 2  # at most so many proposed trials wait; later proposals use more results
SMALLEST: Final = 1 / 8  # of a GPU, where shares are predicted; more processes gain little
_OVERTAKEN: Final = 8  # at most so many trials start before one that waits for a large share


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources of one trial or one node.

    Attributes:
        cpus: CPU cores; fractions are allowed.
        gpus: GPUs; fractions are allowed below one.
    """

    cpus: float
    gpus: float

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
        return f"{self.cpus:g} CPUs and {self.gpus:g} GPUs"


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
    return Resources(**amounts).checked()


class Fraction(Protocol):
    """Predicts the fraction of a GPU that a trial needs."""

    def __call__(self, architecture: Architecture, history: History) -> float:
        """Return the fraction, at most 1."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Decides the resources of a trial.

    Attributes:
        default: The default resources of a trial.
        nodes: The resources of the nodes.
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
            share = Resources(share.cpus, self.fraction(trial.architecture, history))
        if trial.tries("gpu"):
            share = Resources(share.cpus, max(1.0, share.gpus))
        if trial.tries("node"):
            enough = (node.cpus for node in self.nodes if node.gpus >= share.gpus)
            share = Resources(max(enough, default=share.cpus), share.gpus)
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
    """The free resources of the nodes while trials run.

    This is a model; Ray itself places trials. Like Ray, it puts a trial on the node and device
    with the least free resources that are enough, so that whole devices stay free.
    """

    def __init__(self, nodes: Sequence[Resources], most: int | None = None) -> None:
        """Begin with empty nodes.

        Args:
            nodes: The resources of each node.
            most: How many trials may run at once; none for as many as fit.
        """
        self._cpus = [_parts(node.cpus) for node in nodes]
        self._devices = [[_UNIT] * int(node.gpus) for node in nodes]
        self._most = most
        self._taken: dict[int, tuple[Resources, int, dict[int, int]]] = {}

    @property
    def trials(self) -> Mapping[int, Resources]:
        """The resources of every running trial, by number."""
        return {number: share for number, (share, _, _) in self._taken.items()}

    def fits(self, share: Resources) -> bool:
        """Return whether one more trial with these resources can run now."""
        return self._place(share) is not None

    def take(self, number: int, share: Resources) -> None:
        """Reserve resources for a trial; they must fit."""
        place = self._place(share)
        if place is None:
            raise ResourceError(f"trial {number} needs {share}, which is not free")
        node, devices = place
        self._taken[number] = share, node, devices
        self._cpus[node] -= _parts(share.cpus)
        for device, part in devices.items():
            self._devices[node][device] -= part

    def free(self, number: int) -> None:
        """Release the resources of a trial."""
        share, node, devices = self._taken.pop(number)
        self._cpus[node] += _parts(share.cpus)
        for device, part in devices.items():
            self._devices[node][device] += part

    def _place(self, share: Resources) -> tuple[int, dict[int, int]] | None:
        """Return the node, and how much of which of its devices to use."""
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
    """Decides which trial starts now; it proposes trials as late as possible.

    The resources of a trial are known once it is proposed. A trial that does not fit waits. Some
    smaller trials may start before it, so that workers are not idle, but not without limit.
    """

    def __init__(self, room: Room, usual: Resources) -> None:
        """Admit trials into ``room``; a trial is assumed to need ``usual`` until it is known."""
        self.room = room
        self._known = {usual}
        self._waiting: list[tuple[Trial, Resources]] = []
        self._overtaken = 0

    @property
    def waiting(self) -> bool:
        """Whether a proposed trial waits because it does not fit yet."""
        return bool(self._waiting)

    def next(self, ask: Callable[[], tuple[Trial, Resources] | None]) -> Trial | None:
        """Return the trial to start now, with its resources reserved; none if none fits.

        Args:
            ask: Returns the next trial and its resources, which fit on an empty node; none if
                there is no trial now.
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
    """Return how much of which device to use; none if there is not enough."""
    part, count = (_parts(gpus), 1) if gpus < 1 else (_UNIT, int(gpus))
    if not part:
        return {}
    enough = [device for device, left in enumerate(free) if left >= part]
    chosen = sorted(enough, key=lambda device: free[device])[:count]
    return dict.fromkeys(chosen, part) if len(chosen) == count else None
