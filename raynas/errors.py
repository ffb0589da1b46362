"""The exceptions of raynas. A message says what must hold, what was given, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RaynasError(Exception):
    """The base class of all exceptions that raynas raises on purpose."""


class SpaceError(RaynasError):
    """A space is invalid, or an architecture does not fit its space."""


class ConfigError(RaynasError):
    """A setting of an experiment names something that does not exist, or has an invalid value."""


class DataError(RaynasError):
    """The data of a task is missing or not usable."""


class JournalError(RaynasError):
    """A run folder cannot be read, or holds something else."""


class StorageError(JournalError):
    """A file of a run cannot be written. No trial is blamed, and the run can be resumed."""


class TrialError(RaynasError):
    """A trial ended without a score; the journal records the message as the reason."""


class TrialMemoryError(TrialError):
    """A trial ended because memory ran out."""


class CheckpointError(RaynasError):
    """A checkpoint that a trial needs cannot be read. Its architecture is not to blame."""


class ResourceError(RaynasError):
    """The cluster does not have the resources that a trial needs."""


class SearcherError(RaynasError):
    """A searcher raised an error; the original error is chained."""


class SchedulerError(RaynasError):
    """A scheduler raised an error when it was asked what to train next."""


class Interrupted(BaseException):
    """A signal ends the run. It is not an ``Exception``, so that no code treats it as an error.

    Attributes:
        signal: The number of the signal.
    """

    def __init__(self, signal: int) -> None:
        """Keep the number of the signal."""
        super().__init__(f"signal {signal}")
        self.signal = signal


def unknown(kind: str, given: str, known: Iterable[str]) -> str:
    """Return the message for an unknown name: similar names first, then all known names.

    Args:
        kind: The kind of thing that the name should name, such as ``"searcher"``.
        given: The name that was given.
        known: The names that exist.
    """
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"no {kind} {given!r}: {hint}the known names are {', '.join(names)}"


class RunError(RaynasError):
    """A run ended without a result."""
