"""What raynas raises. Every message says what must hold, what was given, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RaynasError(Exception):
    """Anything raynas raises on purpose."""


class SpaceError(RaynasError):
    """A space, or an architecture that should live in it, is not what it must be."""


class ConfigError(RaynasError):
    """An experiment was described with something that does not exist or cannot be."""


class DataError(RaynasError):
    """The data of a task is not there or not usable."""


class JournalError(RaynasError):
    """A run folder cannot be read, or belongs to something else."""


class StorageError(JournalError):
    """What a run leaves cannot be written: no trial's fault, and the run can be resumed."""


class TrialError(RaynasError):
    """A trial ended without a score; the message is the reason that goes into the journal."""


class TrialMemoryError(TrialError):
    """A trial ended because memory ran out."""


class ResourceError(RaynasError):
    """The cluster cannot offer what a trial asks for."""


class SearcherError(RaynasError):
    """A searcher raised; the cause is chained."""


class SchedulerError(RaynasError):
    """A scheduler raised when it was asked what comes next; the cause is chained."""


class Interrupted(BaseException):
    """A signal ends the run. No ``Exception``, so that nothing takes it for its own fault.

    Attributes:
        signal: Its number.
    """

    def __init__(self, signal: int) -> None:
        """Say which signal it was."""
        super().__init__(f"signal {signal}")
        self.signal = signal


def unknown(kind: str, given: str, known: Iterable[str]) -> str:
    """Return the sentence for a name nobody knows: the nearest ones first, then all.

    Args:
        kind: What the name should have named, such as ``"searcher"``.
        given: The name that was given.
        known: The names that exist.
    """
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"no {kind} {given!r}: {hint}the known names are {', '.join(names)}"


class RunError(RaynasError):
    """A run ended without what it was for."""
