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
    """

    def __init__(self) -> None:
        """Begin without demand."""
        self._asked: defaultdict[Resources, list[Any]] = defaultdict(list)
        self._task = ray.remote(lambda: None)  # of no module, so that a worker imports nothing

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
        if asked:
            _, asked = ray.wait(asked, num_returns=len(asked), timeout=0)
        for surplus in asked[count:]:
            ray.cancel(surplus)
        task = self._task.options(num_cpus=share.cpus, num_gpus=share.gpus, max_retries=0)
        self._asked[share] = asked[:count] + [task.remote() for _ in range(count - len(asked))]
