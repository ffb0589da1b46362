"""Workers that Ray kills: Tune is told of them as of workers that died.

``ray.exceptions.OutOfMemoryError`` of Ray's memory monitor, and a few others, are neither a
``RayActorError`` nor a ``RayTaskError``. Tune ends with a traceback for any such error of one
worker. Here they become the former, which Tune takes for the end of one trial.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError

_HANDLER: Final = "_actor_task_failed"
_USED: Final = re.compile(r"\S+ used / \S+ limit")


class WorkerKilledError(RayActorError):  # type: ignore[misc]  # Ray ships no types
    """Ray has killed a worker.

    Attributes:
        out_of_memory: Whether the memory of its node ran out.
    """

    def __init__(self, message: str, *, out_of_memory: bool) -> None:
        """Keep what Ray said."""
        super().__init__(error_msg=message)
        self.out_of_memory = out_of_memory

    @classmethod
    def of(cls, error: RayError) -> WorkerKilledError:
        """Return it in one line; Ray tells on fifty what every process of the node used."""
        first = (str(error) or type(error).__name__).strip().splitlines()[0]
        if not isinstance(error, OutOfMemoryError):
            return cls(first, out_of_memory=False)
        used = _USED.search(first)
        how = used.group() if used else first
        return cls(f"the memory of its node ran out: {how}", out_of_memory=True)

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep both on the way through a file."""
        return partial(type(self), out_of_memory=self.out_of_memory), (self.error_msg,)


@contextmanager
def killed_workers_told() -> Iterator[None]:
    """Let Tune be told of killed workers inside; a Ray without this handler stays as it is."""
    own = getattr(RayActorManager, _HANDLER, None)
    if own is None:
        yield
        return

    def failed(manager: Any, tracked_actor_task: Any, exception: Exception) -> None:
        known = isinstance(exception, RayActorError | RayTaskError)
        if isinstance(exception, RayError) and not known:
            exception = WorkerKilledError.of(exception)
        own(manager, tracked_actor_task, exception)

    setattr(RayActorManager, _HANDLER, failed)
    try:
        yield
    finally:
        setattr(RayActorManager, _HANDLER, own)
