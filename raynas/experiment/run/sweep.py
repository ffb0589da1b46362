"""Delete the checkpoints that are not needed any more, beside the search."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from raynas.experiment.run.checkpoints import Checkpoints

_SHARE: Final = 0.01


class Sweep:
    """Lists and deletes files on a thread of its own, in a hundredth of the time.

    A store may answer late, and the driver leads all workers: it must not wait. It only decides
    what is not needed, after the files were listed: a trial that begins later has files, too.
    """

    def __init__(
        self,
        files: Checkpoints,
        needed: Callable[[], Collection[int]],
        settle: Callable[[], None],
    ) -> None:
        """Do nothing yet; the arguments are those of ``Checkpoints.sweep``."""
        self._files = files
        self._needed = needed
        self._settle = settle
        self._thread = ThreadPoolExecutor(1, "raynas-sweep")
        self._listing: Future[list[str]] | None = None
        self._deleting: Future[None] | None = None
        self._begun = 0.0
        self._next = 0.0

    def __call__(self) -> None:
        """Begin if enough time has passed since the last time; go on if the files are listed.

        Raises:
            StorageError: They cannot be listed or deleted.
        """
        if self._listing is not None:
            if self._listing.done():
                self._decide(self._listing.result())
        elif self._deleting is not None:
            if self._deleting.done():
                self._end(self._deleting)
        elif time.perf_counter() >= self._next:
            self._begun = time.perf_counter()
            self._listing = self._thread.submit(self._files.of_trials)

    def close(self) -> None:
        """Wait for what is under way."""
        self._thread.shutdown(cancel_futures=True)

    def _decide(self, names: list[str]) -> None:
        self._listing = None
        unneeded = self._files.unneeded(names, self._needed)
        self._deleting = self._thread.submit(self._delete, unneeded)

    def _delete(self, names: list[str]) -> None:
        if names:
            self._settle()
            self._files.delete(names)
        self._next = time.perf_counter() + (time.perf_counter() - self._begun) / _SHARE

    def _end(self, deleting: Future[None]) -> None:
        self._deleting = None
        deleting.result()
