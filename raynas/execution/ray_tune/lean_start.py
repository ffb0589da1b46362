"""Starting Ray in half the time: without helpers that nobody asks, and beside other work.

``ray.init`` has no switch for the helpers of a local Ray: the autoscaler (there are no machines to
add), the log monitor (it feeds ``log_to_driver``), and the dashboard's server, which Ray starts
even where it is told to include no dashboard. Each is a Python process that loads Ray again; Ray
waits until the server answers, and at the end a second for the autoscaler.

``ray.init`` starts each by a method of its node, which does nothing in the meantime. A Ray that
has no such methods starts as it always did.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from threading import Thread
from typing import Any, Final

from ray._private.node import Node

HELPERS: Final = ("start_monitor", "start_log_monitor", "start_api_server")


@contextmanager
def lean() -> Iterator[None]:
    """Let a local ``ray.init`` inside start no helpers."""
    own = {name: getattr(Node, name) for name in HELPERS if hasattr(Node, name)}
    for name in own:
        setattr(Node, name, _nothing)
    try:
        yield
    finally:
        for name, method in own.items():
            setattr(Node, name, method)


@contextmanager
def loading(module: str) -> Iterator[None]:
    """Import a module on a thread of its own, while Ray's processes start.

    Whoever imports it later finds it there, or is told why it cannot be. This waits for the
    thread's end: Python gives a half-loaded module to an import that begins while another fails.
    """
    thread = Thread(target=_load, args=(module,), name=f"raynas loads {module}")
    thread.start()
    yield
    thread.join()


def _load(module: str) -> None:
    with suppress(Exception):  # raised again where the module is imported to be used
        import_module(module)


def _nothing(_node: Node, **_options: Any) -> None:
    """Start nothing."""
