"""Let a search use the nodes that join its cluster, and survive those that leave it."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from dataclasses import replace
from typing import Final

from raynas.execution.admission import Admission
from raynas.execution.ray_tune.bridge import Bridge
from raynas.execution.ray_tune.cluster import Share, Slots, fitting, usable
from raynas.execution.ray_tune.demand import Demand
from raynas.execution.ray_tune.installed import Installed

_LOG = logging.getLogger("raynas")

_PERIOD: Final = 1.0  # seconds between two looks at the cluster


class Growth:
    """Follows the nodes of a cluster while trials run."""

    def __init__(self, bridge: Bridge, slots: Slots, asked: Share) -> None:
        """Create it.

        Args:
            bridge: Connects Tune with the search.
            slots: The resources of the cluster when the search began.
            asked: The resources that the user asked for.
        """
        self._bridge = bridge
        self._slots = slots
        self._asked = asked
        self._most = asked.concurrent
        self._seen = Counter(slots.nodes.values())
        self._demand = Demand()
        self._installed = Installed()
        self._looked = -math.inf

    def follow(self, admission: Admission) -> None:
        """Look at the cluster, at most once a second, and adapt the search to it.

        Args:
            admission: Decides which trial starts.

        Raises:
            ResourceError: A node that has joined has no raynas.
        """
        now = time.monotonic()
        if now - self._looked < _PERIOD:
            return
        self._looked = now
        nodes = usable(self._asked)
        self._installed.check(nodes, patience=0.0)
        if nodes != self._slots.nodes:
            count = fitting(self._slots.usual, nodes, self._most)
            self._resize(replace(self._slots, nodes=nodes, count=count))
        if self._most is not None:  # without it, nobody has said how far the cluster may grow
            self._demand.show(admission.lacking(self._wanted(self._most)))

    def end(self) -> None:
        """Ask the cluster for no more nodes."""
        self._demand.show([])

    def _resize(self, slots: Slots) -> None:
        bridge = self._bridge
        before, self._slots = self._slots, slots
        bridge.room.resize(slots.nodes)
        # A trial that needs a node which has left waits: such a node may come again.
        self._seen |= Counter(slots.nodes.values())
        bridge.shares = replace(bridge.shares, nodes=[*self._seen.elements()])
        if slots.count != before.count or slots.gpus_held != before.gpus_held:
            bridge.conductor.open(slots.count, slots.gpus_held)
            _LOG.info(_said(before, slots))

    def _wanted(self, most: int) -> int:
        """Return how many trials should run at once now."""
        conductor = self._bridge.conductor
        if conductor.limit:
            return 0
        history = conductor.history
        begin = 0 if conductor.exhausted else conductor.plan.trials - history.trained
        return int(min(most, begin + len(history.running)))


def _said(before: Slots, now: Slots) -> str:
    more, fewer = now.nodes.keys() - before.nodes.keys(), before.nodes.keys() - now.nodes.keys()
    came = " and ".join(
        f"{_plural(len(names), 'node')} {verb}"
        for names, verb in ((more, "joined"), (fewer, "left"))
        if names
    )
    if not now.count:
        return f"{came}: no node has room for a trial, so the search waits for one"
    return f"{came}: {_plural(now.count, 'trial')} can run at once"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
