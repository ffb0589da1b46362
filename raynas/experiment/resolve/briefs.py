"""Give ``build`` what it asks for by name, and refuse what a task does not offer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Any, Final

from raynas.errors import ConfigError
from raynas.space import Architecture

_OLD: Final = ("input_shape", "classes")
_BY_POSITION: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Builder:
    """A space's ``build``, with the options of the user and the brief of the task.

    Attributes:
        build: The function.
        positional: What it gets after the architecture, by position.
        named: What it gets by name.
    """

    build: Callable[..., Any]
    positional: tuple[Any, ...]
    named: Mapping[str, Any]

    def __call__(self, architecture: Architecture) -> Any:
        """Return the child of an architecture."""
        return self.build(architecture, *self.positional, **self.named)


def builder(
    build: Callable[..., Any], options: Mapping[str, Any], offered: Mapping[str, Any]
) -> Builder:
    """Return a space's ``build`` with all that it needs but the architecture.

    ``build(architecture, shape, number)``, whose second and third parameters have no default and
    names that no task offers, gets ``input_shape`` and ``classes`` by position.

    Args:
        build: The function.
        options: The options of the user, by name.
        offered: What the task offers, by name.

    Raises:
        ConfigError: It asks for something that the task does not offer.
    """
    parameters = [*inspect.signature(build).parameters.values()]
    if parameters and parameters[0].kind in _BY_POSITION:
        del parameters[0]  # the architecture
    asked = [one for one in parameters if one.name not in options]
    old = _positional(asked, offered)
    given = [one for one in asked if one.name in offered and not old]
    first = tuple(offered[one.name] for one in given if one.kind is Parameter.POSITIONAL_ONLY)
    named = {one.name: offered[one.name] for one in given[len(first) :]}
    lacking = [
        one.name
        for one in asked
        if not old
        and one.name not in offered
        and one.default is Parameter.empty
        and one.kind not in {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
    ]
    if lacking:
        raise ConfigError(
            f"the space needs {', '.join(lacking)}, which the task does not offer: its build asks "
            f"for {', '.join(one.name for one in asked)}, and the task offers {', '.join(offered)}"
        )
    return Builder(build, old or first, {**named, **options})


def _positional(asked: list[Parameter], offered: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return ``input_shape`` and ``classes`` for a function that names them in its own way."""
    needed = [one for one in asked if one.default is Parameter.empty]
    if not all(name in offered for name in _OLD):
        return ()
    if needed and needed[0].kind is Parameter.VAR_POSITIONAL:
        return tuple(offered[name] for name in _OLD)
    own = [one.name for one in needed[:2] if one.kind in _BY_POSITION]
    unknown = [name for name in own if name not in offered]
    misplaced = any(name in offered and name != old for name, old in zip(own, _OLD, strict=False))
    if len(own) < len(_OLD) or not unknown or misplaced:
        return ()
    return tuple(offered[name] for name in _OLD)
