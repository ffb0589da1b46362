"""Show the autoscaler of a cluster how many nodes a search could use."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import ray

from raynas.execution.packing import Resources


class Demand:
    """Tasks that do nothing, and wait for the resources that trials lack.

    An autoscaler adds nodes for tasks that wait. Such a task ends as soon as it has its resources,
    so no trial waits for it. All of them end with this process, even if it is killed, and then the
    autoscaler removes the nodes. What ``ray.autoscaler.sdk.request_resources`` asks for would
    outlive the process, and the nodes would cost money.

    Each task is a function of its own: of several calls of one function with the same resources,
    Ray withdraws none of their requests before all of the calls are cancelled.
    """

    def __init__(self) -> None:
        """Begin without demand."""
        self._asked: defaultdict[Resources, list[tuple[Any, Any]]] = defaultdict(list)

    def show(self, lacking: Sequence[Resources]) -> None:
        """Let as many tasks wait as trials lack resources.

        Args:
            lacking: The resources of each trial that has no room.
        """
        wanted = Counter(lacking)
        for share in wanted.keys() | self._asked.keys():
            self._adjust(share, wanted[share] * share.workers)

    def _adjust(self, share: Resources, count: int) -> None:
        asked = self._asked[share]
        references = [reference for _, reference in asked]
        ended = ray.wait(references, num_returns=len(asked), timeout=0)[0] if asked else []
        waiting = [one for one in asked if one[1] not in ended]
        for _, surplus in waiting[count:]:
            ray.cancel(surplus)
        again = [task for task, reference in asked if reference in ended]
        new = count - len(waiting)
        # Of no module, so that a worker imports nothing.
        tasks = [again.pop() if again else ray.remote(lambda: None) for _ in range(new)]
        needs = {"num_cpus": share.cpus, "num_gpus": share.gpus, "max_retries": 0}
        begun = [(task, task.options(**needs).remote()) for task in tasks]
        self._asked[share] = waiting[:count] + begun
