"""Events as plain data, for JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from types import MappingProxyType
from typing import Any, Final

from raynas.errors import JournalError, unknown
from raynas.space.architecture import Architecture
from raynas.trial.events import (
    Event,
    Failed,
    Fault,
    Finished,
    Opened,
    Report,
    Resized,
    Resumed,
    Retried,
    Screening,
    Started,
)
from raynas.trial.winner import Winner, WinnerEpoch

_EVENTS: Final = MappingProxyType(
    {
        kind.__name__.lower(): kind
        for kind in (
            Opened,
            Resized,
            Started,
            Report,
            Finished,
            Failed,
            Retried,
            Resumed,
            WinnerEpoch,
            Winner,
        )
    }
)
_UNSCREENED: Final = Screening()
_UNSCREENED_DATA: Final = asdict(_UNSCREENED)


def to_data(event: Event) -> dict[str, Any]:
    """Return an event as JSON-ready data, with its kind as ``event``."""
    data = {field.name: getattr(event, field.name) for field in fields(event)}
    if isinstance(event, Started):
        data["architecture"] = dict(event.architecture)
        data["screening"] = asdict(event.screening)
        data["fault"] = asdict(event.fault) if event.fault else None
    elif isinstance(event, Report | Winner):
        data["metrics"] = dict(event.metrics)
    if isinstance(event, Report):
        data["errors"] = dict(event.errors)
    return {"event": type(event).__name__.lower(), **data}


def from_data(data: Mapping[str, Any]) -> Event:
    """Return the event of data from ``to_data``.

    Raises:
        JournalError: There is no such event.
        TypeError: The data have other fields than the event.
    """
    values = dict(data)
    name = str(values.pop("event", None))
    if name not in _EVENTS:
        raise JournalError(unknown("event", name, _EVENTS))
    kind = _EVENTS[name]
    if kind is Started:
        values["architecture"] = Architecture.from_data(values["architecture"])
        values["screening"] = _screening(values["screening"])
        values["fault"] = Fault(**values["fault"]) if values["fault"] else None
    elif kind is Winner:
        values["front"] = tuple(values.get("front", ()))
    return kind(**values)


def _screening(data: Mapping[str, Any]) -> Screening:
    """Return a screening; all trials of a run without proxies share one."""
    return _UNSCREENED if data == _UNSCREENED_DATA else Screening(**data)
