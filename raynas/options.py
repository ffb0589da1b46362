"""The options of an algorithm, as a command line or a YAML file gives them: checked, filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
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


def made(
    kind: str, found: Any, method: str, options: Mapping[str, object], **given: object
) -> Any:
    """Return the part that ``found`` is, or the one it makes of the options.

    Args:
        kind: How messages call it, such as ``"searcher 'Mine'"``.
        found: A part, a class of them or a function that makes one.
        method: What a part must have, by which it is told from a function that makes one.
        options: What to make it with.
        given: What it is made with besides, such as the space.

    Raises:
        ConfigError: It is no such part, or does not take the options.
    """
    if isinstance(found, type) or not hasattr(found, method):
        if not callable(found):
            raise ConfigError(f"{kind} needs a method {method!r}, and {found!r} has none")
        if isinstance(found, type) and is_dataclass(found):
            found = build(kind, found, options, **given)
        else:
            found = found(**given, **options)
    elif options:
        raise ConfigError(f"{kind} is given ready made and takes no options, got {dict(options)}")
    if not callable(getattr(found, method, None)):
        raise ConfigError(f"{kind} needs a method {method!r}, and {found!r} has none")
    return found


def _read(what: str, hint: Any, value: object) -> object:
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - slow to load, seldom used

    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        reasons = "; ".join(detail["msg"].lower() for detail in error.errors())
        raise ConfigError(f"{what}: {reasons}, got {value!r}") from None
