"""The sign of a lease's holder on its own machine: a file that is locked as long as it lives."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

_GLANCE: Final = 0.2  # seconds for which another process may look at a sign
_TOKEN: Final = re.compile("[0-9a-f]{32}")  # part of a path: nothing else may be


def sign(token: str) -> Path:
    """Return a file of this machine that is locked as long as the holder lives."""
    return Path(tempfile.gettempdir()) / f"raynas-leases-{os.getuid()}" / f"{token}.lock"


def is_locked_here(held: dict[str, Any]) -> bool | None:
    """Return whether a process of this machine holds the lease; none if that cannot be seen."""
    token = str(held.get("token", ""))
    if not _TOKEN.fullmatch(token) or not (path := sign(token)).is_file():
        return None
    lock = FileLock(path, timeout=_GLANCE)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:
        return None
    lock.release()
    return False
