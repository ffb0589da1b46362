"""The checkpoint files of a run: their paths, and which of them are deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Final

from raynas.storage import Location, Store, store_of
from raynas.trial import History, Trial

_OF_TRIALS: Final = "trial-*.pt"


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The files with the weights and the other state from which trials continue.

    Attributes:
        folder: Their folder; absolute, because workers have other working folders.
    """

    folder: Location

    @property
    def winner(self) -> Location:
        """The checkpoint of the winner's training."""
        return self.folder / "winner.pt"

    def of(self, number: int) -> Location:
        """Return the checkpoint of a trial."""
        return self.folder / f"trial-{number:04d}.pt"

    def bequeathed(self, number: int) -> Location:
        """Return the file with the weights that a trial inherits."""
        return self.folder / f"trial-{number:04d}.parent.pt"

    def bequeath(self, donor: int, heir: int) -> Location:
        """Copy the donor's weights for its heir, before the donor continues; return the copy.

        If the donor has no weights, there is no copy, and the heir's worker reports that.

        Args:
            donor: The number of the trial whose weights are inherited.
            heir: The number of the trial that inherits them.
        """
        target = self.bequeathed(heir)
        kept = self._store.names()
        if target.name not in kept and self.of(heir).name not in kept:
            self._store.copy(self.of(donor).name, target.name)
        return target

    def endow(self, heir: Trial, history: History) -> None:
        """Copy the weights that a trial inherits, if any, when the trial begins.

        A copy is needed, because the trial may wait for resources while its parent continues.
        """
        if heir.started.inherits and heir.started.parent is not None:
            self.bequeath(history.trials[heir.started.parent].donor, heir.number)

    def sweep(
        self, needed: Callable[[], Collection[int]], settle: Callable[[], None] = lambda: None
    ) -> None:
        """Delete the files of all trials that are not needed; running workers are not disturbed.

        Args:
            needed: Returns the numbers of the trials whose files are needed; it is called only if
                there are files.
            settle: Waits until the journal cannot lose why they are not needed; it is called only
                before files are deleted.
        """
        if unneeded := self.unneeded(self.of_trials(), needed):
            settle()
            self.delete(unneeded)

    def of_trials(self) -> list[str]:
        """Return the names of the files of all trials."""
        return [name for name in self._store.names() if fnmatch(name, _OF_TRIALS)]

    def unneeded(self, names: Sequence[str], needed: Callable[[], Collection[int]]) -> list[str]:
        """Return which of the files are not needed; the arguments are those of ``sweep``."""
        if not names:
            return []
        kept = {
            path.name for number in needed() for path in (self.of(number), self.bequeathed(number))
        }
        return [name for name in names if name not in kept]

    def delete(self, names: Sequence[str]) -> None:
        """Delete files."""
        self._store.delete(*names)

    def drop_winner(self) -> None:
        """Delete the checkpoint of the winner's training."""
        self._store.delete(self.winner.name)

    @property
    def _store(self) -> Store:
        return store_of(self.folder)
