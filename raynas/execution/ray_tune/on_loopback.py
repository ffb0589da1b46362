"""Start a local Ray that only this machine can reach.

A Ray executes what it is sent, by anybody who reaches its ports. Ray binds them to all interfaces,
unless the machine's address is that of the loopback interface. It takes that address where it has
no clusters (macOS and Windows); elsewhere ``ray.init`` replaces 127.0.0.1 by the address in the
network. So while a local Ray starts, it is told that it has no clusters here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ray._private import ray_constants

_KNOWS: Final = "ENABLE_RAY_CLUSTER"


@contextmanager
def on_loopback() -> Iterator[None]:
    """While the context is open, make ``ray.init`` use 127.0.0.1 as the machine's address.

    A version of Ray without this constant starts as usual.
    """
    before = getattr(ray_constants, _KNOWS, None)
    if before is None:
        yield
        return
    setattr(ray_constants, _KNOWS, False)
    try:
        yield
    finally:
        setattr(ray_constants, _KNOWS, before)
