"""Convert errors of workers that Ray has killed, so that they end one trial, not the run.

If Ray's memory monitor kills a worker, the error is ``ray.exceptions.OutOfMemoryError``. It is
neither a ``RayActorError`` nor a ``RayTaskError``, and Tune ends with a traceback for any other
error of a worker. So this module converts such errors to a subclass of ``RayActorError``.
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
        """Keep the message of Ray."""
        super().__init__(error_msg=message)
        self.out_of_memory = out_of_memory

    @classmethod
    def of(cls, error: RayError) -> WorkerKilledError:
        """Convert an error; its message becomes one line. Ray's own has about fifty lines."""
        first = (str(error) or type(error).__name__).strip().splitlines()[0]
        if not isinstance(error, OutOfMemoryError):
            return cls(first, out_of_memory=False)
        used = _USED.search(first)
        how = used.group() if used else first
        return cls(f"the memory of its node ran out: {how}", out_of_memory=True)

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep both attributes when the error is pickled."""
        return partial(type(self), out_of_memory=self.out_of_memory), (self.error_msg,)


@contextmanager
def killed_workers_told() -> Iterator[None]:
    """Convert the errors while the context is open; do nothing if Ray has no such handler."""
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
