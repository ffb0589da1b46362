"""Find nodes of a cluster that lack raynas, before trials fail there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raynas.errors import ResourceError

_PATIENCE: Final = 5.0  # seconds; who has not answered by then is asked on, while trials run


class Installed:
    """Asks every node for its raynas, once."""

    def __init__(self) -> None:
        """Begin with this node, which has raynas."""
        self._known = {ray.get_runtime_context().get_node_id()}
        self._asked: list[Any] = []
        self._ask = ray.remote(num_cpus=0, max_retries=0)(_question())

    def check(self, nodes: Iterable[str], patience: float = _PATIENCE) -> None:
        """Ask the nodes that are new, and hear those that have answered.

        Args:
            nodes: The nodes of the cluster.
            patience: Seconds to wait for answers.

        Raises:
            ResourceError: A node has no raynas, or another version of it.
        """
        for node in {*nodes} - self._known:
            self._known.add(node)
            there = NodeAffinitySchedulingStrategy(node, soft=False)
            self._asked.append(self._ask.options(scheduling_strategy=there).remote())
        if not self._asked:
            return
        heard, self._asked = ray.wait(self._asked, num_returns=len(self._asked), timeout=patience)
        for answer in heard:
            if lack := _lack(answer):
                raise ResourceError(lack)


def _question() -> Callable[[], tuple[str, str]]:
    """Return what a node is asked; Ray sends a function in a function as code, not by name."""

    def asked() -> tuple[str, str]:
        import platform  # noqa: PLC0415 - on the other node
        from importlib import import_module  # noqa: PLC0415

        try:
            return platform.node(), import_module("raynas").__version__
        except ImportError:
            return platform.node(), ""

    return asked


def _lack(answer: Any) -> str:
    """Return what is wrong with a node; nothing if it is well, or if it has left."""
    try:
        name, version = ray.get(answer)
    except RayError:
        return ""
    if version == (here := _question()()[1]):
        return ""
    lack = f"has version {version}, and here is {here}" if version else "has not"
    return (
        f"every node of the cluster must have this raynas, and {name} {lack}: run 'pip install "
        f"raynas=={here}' there, in the environment in which its 'ray start' was called"
    )
