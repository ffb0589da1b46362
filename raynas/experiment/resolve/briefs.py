"""Give ``build`` what it asks for by name, and refuse what a task does not offer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from typing import Any, Final

from raynas.errors import ConfigError
from raynas.execution.sent_file import SentFile
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

    An option whose parameter has the type ``Path`` is a path. If it is a file, it is sent to the
    workers, and ``build`` gets the path of the copy there.

    ``build(architecture, shape, number)``, whose second and third parameters have no default and
    names that no task offers, gets ``input_shape`` and ``classes`` by position.

    Args:
        build: The function.
        options: The options of the user, by name.
        offered: What the task offers, by name.

    Raises:
        ConfigError: It asks for something that the task does not offer, or for a path that is not
            there.
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
    paths = {one.name: _path(one.name, options) for one in parameters if _is_path(one, options)}
    return Builder(build, old or first, {**named, **options, **paths})


def _is_path(parameter: Parameter, options: Mapping[str, Any]) -> bool:
    """Return whether an option is given and has the type ``Path``, which may be a text."""
    if not isinstance(options.get(parameter.name), str | Path):
        return False
    kinds = str(getattr(parameter.annotation, "__name__", parameter.annotation))
    return any(kind.strip().rpartition(".")[2] == "Path" for kind in kinds.split("|"))


def _path(name: str, options: Mapping[str, Any]) -> Path:
    """Return the path of an option, absolute.

    Raises:
        ConfigError: Nothing is there.
    """
    path = Path(options[name]).expanduser().absolute()
    if not path.exists():
        raise ConfigError(
            f"the option {name} of the space must be the path of a file, and there is none: "
            f"{path}; a relative path begins in the folder where the command is started"
        )
    return SentFile(path) if path.is_file() else path


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
