"""Read and check the options of an algorithm from a command line or a YAML file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from inspect import Parameter, signature
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np

from raynas.errors import ConfigError, shown, unknown
from raynas.storage import Location, location
from raynas.storage.address import ADDRESS

T = TypeVar("T")
PARTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "space": "space_options",
        "prior": "priors",
        "task": "task_options",
        "training": "training",
        "searcher": "searcher_options",
        "scheduler": "scheduler_options",
        "screen": "screen_options",
        "method": "method_options",
    }
)
"""The parts of ``--set PART.OPTION=VALUE``, and the setting that holds the options of each."""


def plain(value: Any) -> Any:
    """Return a value with Python's numbers for numpy's, also inside of lists and dicts."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) in (list, tuple):
        return type(value)(map(plain, value))
    return {name: plain(one) for name, one in value.items()} if type(value) is dict else value


def local_path(what: str, given: Path | str | None) -> Path:
    """Return a path that is on this machine, or mounted here; ``~`` is the home folder.

    Args:
        what: Its name in messages, such as ``"output"``.
        given: The path as written; some versions of typer give none if an argument is missing.

    Raises:
        ConfigError: It is empty, or the address of something elsewhere, such as ``s3://…``.
    """
    text = "" if given is None else str(given)
    if not text.strip():
        raise ConfigError(f"{what} must name a file or a folder, got {given!r}")
    if ADDRESS.match(text):
        raise ConfigError(
            f"{what} must be a path on this machine, or mounted on it, got {text!r}: only a run "
            "folder may be an address such as s3://bucket/run"
        )
    return Path(text).expanduser()


def build(kind: str, cls: type[T], options: Mapping[str, object], **given: object) -> T:
    """Make a ``cls`` (a dataclass) from options by field name.

    Args:
        kind: Its name in messages, such as ``"searcher 'evolution'"``.
        cls: The class.
        options: Values by field name; text becomes a number if the field is a number.
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
            raise ConfigError(_unknown_option(kind, name, known))
        values[name] = read_value(f"option {name!r} of {kind}", hints[name], value)
    return cls(**given, **values)


def made(
    kind: str, found: Any, method: str, options: Mapping[str, object], **given: object
) -> Any:
    """Return ``found`` if it is an object with the method; else make the object from it.

    Args:
        kind: Its name in messages, such as ``"searcher 'Mine'"``.
        found: An object, a class, or a function that makes an object.
        method: A method that the object must have; a function has no such attribute.
        options: The options to make the object with.
        given: Other arguments to make it with, such as the space.

    Raises:
        ConfigError: The object lacks the method, or it does not take the options.
    """
    if isinstance(found, type) or not hasattr(found, method):
        if not callable(found):
            raise ConfigError(f"{kind} needs a method {method!r}, and {shown(found)} has none")
        if isinstance(found, type) and is_dataclass(found):
            found = build(kind, found, options, **given)
        else:
            _check_names(kind, found, options, given)
            found = found(**given, **options)
    elif options:
        raise ConfigError(
            f"{kind} is an object, not a class, so it takes no options, got {shown(dict(options))}"
        )
    if not callable(getattr(found, method, None)):
        raise ConfigError(f"{kind} needs a method {method!r}, and {shown(found)} has none")
    return found


def _check_names(
    kind: str, make: Callable[..., Any], options: Mapping[str, object], given: Mapping[str, object]
) -> None:
    """See that a function or a class takes options of these names.

    Raises:
        ConfigError: It does not.
    """
    try:
        parameters = signature(make).parameters
    except ValueError:  # one that is not written in Python
        return
    if any(one.kind is Parameter.VAR_KEYWORD for one in parameters.values()):
        return
    known = [name for name in parameters if name not in given]
    for name in options:
        if name not in known:
            raise ConfigError(_unknown_option(kind, name, known))


def _unknown_option(kind: str, name: str, known: Collection[str]) -> str:
    if known:
        return unknown(f"option of {kind}", name, known)
    return f"{kind} takes no options, got {name!r}"


def read_value(what: str, hint: Any, value: object) -> Any:
    """Return a value converted to its type, for example text to a number.

    True and false are not numbers, and text is not a list.

    Args:
        what: Its name in messages, such as ``"trials"``.
        hint: The type.
        value: The given value.

    Raises:
        ConfigError: The value does not fit the type.
    """
    from pydantic import ConfigDict, TypeAdapter, ValidationError  # noqa: PLC0415 - slow to load

    config = ConfigDict(arbitrary_types_allowed=True)
    try:
        return TypeAdapter(_strict(what, hint), config=config).validate_python(value)
    except ValidationError:
        raise ConfigError(f"{what} must be {described(hint)}, got {shown(value)}") from None


def _strict(what: str, hint: Any) -> Any:
    """Return a type without true and false as numbers, and with local paths, at any depth."""
    from pydantic import BeforeValidator  # noqa: PLC0415 - slow to load

    if hint in (int, float):
        return Annotated[hint, BeforeValidator(_number)]
    if hint is Path:
        return Annotated[hint, BeforeValidator(partial(_path, what))]
    if hint == Location:
        return Annotated[Any, BeforeValidator(partial(location, what))]
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (None, Literal, Callable) or bool in inner:
        return hint
    if origin in (Union, UnionType):
        parts = (one if one is Path and str in inner else _strict(what, one) for one in inner)
        return Union[tuple(parts)]  # noqa: UP007 - made of a list
    return origin[tuple(part if part is ... else _strict(what, part) for part in inner)]


def _path(what: str, value: object) -> object:
    return local_path(what, value) if isinstance(value, str | Path) else value


def _number(value: object) -> object:
    if isinstance(value, bool | np.bool_):
        raise ValueError("true and false are not numbers")  # noqa: TRY004 - what pydantic asks for
    return plain(value)


_KINDS: Final[Mapping[Any, str]] = MappingProxyType(
    {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "text",
        Path: "a path",
        Location: "a path or an address",
        type(None): "nothing",
    }
)


def described(hint: Any) -> str:
    """Return a description of the values of a type, for messages."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint in _KINDS:
        return _KINDS[hint]
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin in (Union, UnionType):
        return " or ".join(described(part) for part in inner if part is not type(None))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "options, one 'name: value' on each line"
    if origin is tuple and ... not in inner:
        return f"a list of {len(inner)}: {', '.join(map(described, inner))}"
    if isinstance(origin, type) and issubclass(origin, Collection):
        return f"a list, each item {described(inner[0])}"
    return f"of type {getattr(hint, '__name__', hint)}"
