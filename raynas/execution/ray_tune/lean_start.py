"""Start a local Ray in half the time: without unused helper processes, and in parallel.

A local Ray starts helper processes that raynas does not need: the autoscaler (it adds machines),
the log monitor (it serves ``log_to_driver``), and the server of the dashboard, which Ray starts
even with ``include_dashboard=False``. Each is a Python process that imports Ray again; Ray waits
until the server answers, and at shutdown it waits a second for the autoscaler. ``ray.init`` has
no option that turns them off.

``ray.init`` starts each helper with a method of ``Node``. While a local Ray starts, these methods
are replaced by one that does nothing. A version of Ray without these methods starts as usual.

Ray also starts an agent of the dashboard. The agent is necessary, but not the server in it. Where
the libraries of the dashboard are missing, Ray starts the agent without that server. So a local
Ray is told that they are missing. Otherwise Ray would import them, in this process and in the
agent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from threading import Thread
from typing import Any, Final

from ray._private import utils
from ray._private.node import Node

HELPERS: Final = ("start_monitor", "start_log_monitor", "start_api_server")
DASHBOARD: Final = "get_dashboard_dependency_error"


@contextmanager
def lean() -> Iterator[None]:
    """While the context is open, make ``ray.init`` start no helper processes."""
    with ExitStack() as replaced:
        for name in HELPERS:
            replaced.enter_context(_replaced(Node, name, _nothing))
        replaced.enter_context(_replaced(utils, DASHBOARD, _no_dashboard))
        yield


@contextmanager
def _replaced(owner: Any, name: str, function: Callable[..., Any]) -> Iterator[None]:
    """While the context is open, replace a function, if there is one of this name."""
    if (own := getattr(owner, name, None)) is None:
        yield
        return
    setattr(owner, name, function)
    try:
        yield
    finally:
        setattr(owner, name, own)


@contextmanager
def loading(module: str) -> Iterator[None]:
    """Import a module in another thread while the context is open.

    If the import fails, a later import raises the error. At the end the context waits for the
    thread, because an import that runs at the same time as a failing import of the same module
    can return an incomplete module.
    """
    thread = Thread(target=_load, args=(module,), name=f"raynas loads {module}")
    thread.start()
    yield
    thread.join()


def load_ahead(module: str) -> None:
    """Import a module in another thread; who imports it meanwhile waits for that."""
    Thread(target=_load, args=(module,), name=f"raynas loads {module}", daemon=True).start()


def _load(module: str) -> None:
    with suppress(Exception):  # the next import of the module raises the error again
        import_module(module)


def _nothing(_node: Node, **_options: Any) -> None:
    """Start nothing."""


def _no_dashboard() -> ImportError:
    """Return why there is no dashboard."""
    return ImportError("raynas needs no dashboard")
