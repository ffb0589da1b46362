"""The options of an algorithm, as a command line or a YAML file gives them: checked, filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar, get_type_hints

from raynas.errors import ConfigError, unknown

T = TypeVar("T")


def build(kind: str, cls: type[T], options: Mapping[str, object], **given: object) -> T:
    """Make a ``cls`` (a dataclass) from options by field name.

    Args:
        kind: How messages call it, such as ``"searcher 'evolution'"``.
        cls: What to make.
        options: Values by field name; text is read as a number where a number is wanted.
        given: The fields that are not options, such as the space.

    Raises:
        ConfigError: An option is unknown, of the wrong type, or refused by ``cls``.
    """
    settable = (field.name for field in fields(cls) if field.init)  # type: ignore[arg-type]
    known = [name for name in settable if name not in given]
    hints = get_type_hints(cls) if options else {}
    values: dict[str, object] = {}
    for name, value in options.items():
        if name not in known:
            raise ConfigError(
                unknown(f"option of {kind}", name, known)
                if known
                else f"{kind} takes no options, got {name!r}"
            )
        values[name] = _read(f"option {name!r} of {kind}", hints[name], value)
    return cls(**given, **values)


def _read(what: str, hint: Any, value: object) -> object:
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - slow to load, seldom used

    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        reasons = "; ".join(detail["msg"].lower() for detail in error.errors())
        raise ConfigError(f"{what}: {reasons}, got {value!r}") from None
