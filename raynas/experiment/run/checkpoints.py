"""Where trials keep their state, and what of it must stay."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from raynas.trial import History, Trial


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The files of a run in which trials keep weights and all else they need to go on.

    Attributes:
        folder: Where they lie; absolute, for workers read it from elsewhere.
    """

    folder: Path

    @property
    def winner(self) -> Path:
        """Return the file of the winner's training."""
        return self.folder / "winner.pt"

    def of(self, number: int) -> Path:
        """Return a trial's own file."""
        return self.folder / f"trial-{number:04d}.pt"

    def bequeathed(self, number: int) -> Path:
        """Return the file from which a trial inherits."""
        return self.folder / f"trial-{number:04d}.parent.pt"

    def bequeath(self, donor: int, heir: int) -> Path:
        """Set the donor's weights aside for its heir, before the donor goes on; return the file.

        A donor without weights leaves nothing, and the heir's worker will say so.
        """
        source, target = self.of(donor), self.bequeathed(heir)
        if source.exists() and not target.exists() and not self.of(heir).exists():
            try:
                os.link(source, target)  # a donor replaces its file, never writes into it
            except OSError:  # not every file system has links
                partial = target.with_suffix(".partial")
                shutil.copyfile(source, partial)
                partial.replace(target)
        return target

    def endow(self, heir: Trial, history: History) -> None:
        """Set aside the weights that a trial inherits, if any, as they are when it begins.

        It may wait for room, and its parent go on meanwhile.
        """
        if heir.started.inherits and heir.started.parent is not None:
            self.bequeath(history.trials[heir.started.parent].donor, heir.number)

    def sweep(self, needed: Callable[[], Collection[int]]) -> None:
        """Delete the files of all trials but those ``needed``; workers may be writing others.

        Nobody is asked which these are if there are no files.
        """
        if not (files := list(self.folder.glob("trial-*.pt"))):
            return
        kept = {path for number in needed() for path in (self.of(number), self.bequeathed(number))}
        for path in files:
            if path not in kept:
                path.unlink(missing_ok=True)
