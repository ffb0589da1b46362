"""The checkpoint files of a run: their paths, and which of them are deleted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from raynas.trial import History, Trial


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The files with the weights and the other state from which trials continue.

    Attributes:
        folder: Their folder; absolute, because workers have other working folders.
    """

    folder: Path

    @property
    def winner(self) -> Path:
        """The checkpoint of the winner's training."""
        return self.folder / "winner.pt"

    def of(self, number: int) -> Path:
        """Return the checkpoint of a trial."""
        return self.folder / f"trial-{number:04d}.pt"

    def bequeathed(self, number: int) -> Path:
        """Return the file with the weights that a trial inherits."""
        return self.folder / f"trial-{number:04d}.parent.pt"

    def bequeath(self, donor: int, heir: int) -> Path:
        """Copy the donor's weights for its heir, before the donor continues; return the copy.

        If the donor has no weights, there is no copy, and the heir's worker reports that.

        Args:
            donor: The number of the trial whose weights are inherited.
            heir: The number of the trial that inherits them.
        """
        source, target = self.of(donor), self.bequeathed(heir)
        if source.exists() and not target.exists() and not self.of(heir).exists():
            try:
                os.link(source, target)  # safe, because a donor replaces its file, as a new file
            except OSError:  # not every file system has links
                partial = target.with_suffix(".partial")
                shutil.copyfile(source, partial)
                partial.replace(target)
        return target

    def endow(self, heir: Trial, history: History) -> None:
        """Copy the weights that a trial inherits, if any, when the trial begins.

        A copy is needed, because the trial may wait for resources while its parent continues.
        """
        if heir.started.inherits and heir.started.parent is not None:
            self.bequeath(history.trials[heir.started.parent].donor, heir.number)

    def sweep(self, needed: Callable[[], Collection[int]]) -> None:
        """Delete the files of all trials that are not needed; running workers are not disturbed.

        Args:
            needed: Returns the numbers of the trials whose files are needed; it is called only if
                there are files.
        """
        if not (files := list(self.folder.glob("trial-*.pt"))):
            return
        kept = {path for number in needed() for path in (self.of(number), self.bequeathed(number))}
        for path in files:
            if path not in kept:
                path.unlink(missing_ok=True)
