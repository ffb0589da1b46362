"""The exceptions of raynas. A message says what must hold, what was given, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

_PARTS: Final = 3  # the most elements of a list in a message
_SHORT: Final = 200  # the most characters of a value in a message


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


class RefusedError(TrialError):
    """A network breaks a constraint before its training."""


class ProbeError(RaynasError):
    """A network could not be measured. Its architecture is not to blame."""


class CheckpointError(RaynasError):
    """A checkpoint that a trial needs cannot be read. Its architecture is not to blame."""


class PeerError(RaynasError):
    """Another process that trains the same network is gone. The architecture is not to blame."""


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


def kind_of(value: object) -> str:
    """Return the type and the shape of a value, for messages, without its contents."""
    name = type(value).__name__
    if isinstance(shape := getattr(value, "shape", None), tuple):
        return f"{name} of {getattr(value, 'dtype', 'values')} and shape {tuple(shape)}"
    if isinstance(value, list | tuple | set | frozenset | dict):
        parts = [*(value.values() if isinstance(value, dict) else value)]
        inner = ", ".join(map(kind_of, parts[:_PARTS]))
        more = ", …" if len(value) > _PARTS else ""
        return f"{name} of {len(value)}" + (f" ({inner}{more})" if value else "")
    return name


def shown(value: object) -> str:
    """Return the ``repr`` of a value, for messages; if it is long, only its type and shape."""
    if isinstance(shape := getattr(value, "shape", ()), tuple) and shape:
        return kind_of(value)
    text = repr(value)
    return text if len(text) <= _SHORT and "\n" not in text else kind_of(value)


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
