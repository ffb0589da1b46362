"""The text of code that stands in no file, such as the cells of a notebook."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import partial
from types import CodeType, FunctionType
from typing import Any


def texts(value: Any) -> dict[str, bytes]:
    """Return the text of a function or class, and of all of its module that it uses, by name."""
    found: dict[str, bytes] = {}
    waiting = [_definition(value)]
    while waiting:
        one = waiting.pop()
        name = getattr(one, "__qualname__", "")
        if not name or name in found:
            continue
        found[name] = _text(one)
        waiting += _used(one)
    return found


def _definition(value: Any) -> Any:
    """Return the function or class that an object comes from."""
    while isinstance(value, partial):
        value = value.func
    return value if isinstance(value, FunctionType | type) else type(value)


def _used(value: Any) -> Iterator[Any]:
    for function in _functions(value):
        for name in _names(function.__code__):
            other = function.__globals__.get(name)
            if getattr(other, "__module__", None) == value.__module__:
                yield _definition(other)


def _functions(value: Any) -> list[FunctionType]:
    parts = [value] if isinstance(value, FunctionType) else vars(value).values()
    plain = (getattr(part, "__func__", getattr(part, "fget", part)) for part in parts)
    return [part for part in plain if isinstance(part, FunctionType)]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _text(value: Any) -> bytes:
    try:
        return inspect.getsource(value).encode()
    except (OSError, TypeError):  # typed in at a prompt
        return repr([*map(_instructions, (one.__code__ for one in _functions(value)))]).encode()


def _instructions(code: CodeType) -> Any:
    constants = [_instructions(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    return code.co_code, code.co_names, constants
