"""A local Ray without the helpers that nobody asks: half of its start and of its end.

``ray.init`` has no switch for them. They are the autoscaler (there are no machines to add), the
log monitor (it feeds ``log_to_driver``), and the dashboard's server, which Ray starts even where
it is told to include no dashboard. Each is a Python process that loads Ray again; Ray waits until
the server answers, and a second until the autoscaler has ended.

``ray.init`` starts each by a method of its node, which does nothing in the meantime. A Ray
that calls these methods otherwise starts as it always did.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from ray._private.node import Node

_HELPERS: Final = ("start_monitor", "start_log_monitor", "start_api_server")


@contextmanager
def lean() -> Iterator[None]:
    """Let a local ``ray.init`` inside start no helpers."""
    own = {name: getattr(Node, name) for name in _HELPERS if hasattr(Node, name)}
    for name in own:
        setattr(Node, name, _nothing)
    try:
        yield
    finally:
        for name, method in own.items():
            setattr(Node, name, method)


def _nothing(_node: Node, **_options: Any) -> None:
    """Start nothing."""
