"""From what a user writes to the object meant.

A reference is a name from a table, ``package.module:attribute``, a file's path (``space.py`` or
``tasks.py:Wine``), or the object itself.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from raynas import schedulers, searchers
from raynas.errors import ConfigError, RaynasError, unknown
from raynas.options import build
from raynas.schedulers import Scheduler
from raynas.searchers import Searcher
from raynas.space import Architecture, Space
from raynas.tasks import TASKS, Task

_SHIPPED: Final = "search_spaces"


@dataclass(frozen=True, slots=True)
class SpaceModule:
    """A space and what is made of it.

    Attributes:
        space: What can be searched.
        build: ``build(architecture, input_shape, classes, **options)`` makes the child.
        draw: Draws an architecture in a few lines of text; none if the space has no drawing.
        home: The user's own module it comes from, which workers cannot import; none if shipped.
    """

    space: Space
    build: Callable[..., Any]
    draw: Callable[[Architecture], str] | None
    home: ModuleType | None


def find_space(reference: Any) -> SpaceModule:
    """Return the space meant by a name, a path, ``module:attribute``, a module or an object.

    Raises:
        ConfigError: There is no such space, or it lacks ``SPACE`` or ``build``.
    """
    if isinstance(reference, str) and _is_name(reference):
        shipped = [module.name for module in pkgutil.iter_modules(search_spaces.__path__)]
        if reference not in shipped:
            raise ConfigError(unknown("space", reference, shipped))
        found: Any = load_module(f"{search_spaces.__name__}.{reference}")
    else:
        found = _find(reference, attribute=None) if isinstance(reference, str) else reference
    space, make = getattr(found, "SPACE", None), getattr(found, "build", None)
    if not isinstance(space, Space) or not callable(make):
        raise ConfigError(
            f"a space needs SPACE (a raynas.Space) and build(architecture, input_shape, classes), "
            f"and {reference!r} has {'no build' if isinstance(space, Space) else 'no SPACE'}"
        )
    return SpaceModule(space, make, getattr(found, "draw", None), home_of(make))


def check_options(space: SpaceModule, options: Mapping[str, Any]) -> None:
    """See that ``build`` takes the options of a space.

    Raises:
        ConfigError: It does not.
    """
    signature = inspect.signature(space.build)
    _, _, _, *rest = [*signature.parameters.values(), None, None, None]
    known = [parameter.name for parameter in rest if parameter is not None]
    try:
        signature.bind(None, None, None, **options)
    except TypeError as error:
        for name in options:
            if name not in known:
                raise ConfigError(unknown("option of the space", name, known)) from error
        raise ConfigError(
            "a space is built by build(architecture, input_shape, classes, **options): "
            f"this one's build{signature} with the options {dict(options)} is {error}"
        ) from error


def find_task(reference: Any, options: Mapping[str, Any]) -> Task:
    """Return the task meant.

    Raises:
        ConfigError: There is no such task, or it is none.
    """
    if isinstance(reference, str) and _is_name(reference):
        if reference not in TASKS:
            raise ConfigError(unknown("task", reference, TASKS))
        found: Any = TASKS[reference]
    else:
        found = _find(reference, "TASK") if isinstance(reference, str) else reference
    task = _called(f"task {reference!r}", found, options) if callable(found) else found
    if not isinstance(task, Task):
        raise ConfigError(f"a task needs name, recipe and load(source, seed); {task!r} lacks some")
    return task


def find_searcher(reference: Any, space: Space, options: Mapping[str, Any]) -> Searcher:
    """Return the searcher meant, made for ``space``.

    Raises:
        ConfigError: There is no such searcher, or an option does not fit.
        SpaceError: It cannot express the space.
    """
    if isinstance(reference, str) and _is_name(reference):
        return searchers.make(reference, space, options)
    found: Any = _find(reference, "SEARCHER") if isinstance(reference, str) else reference
    if isinstance(found, type):
        found = build(f"searcher {reference!r}", found, options, space=space)
    return _having(found, "propose", "searcher")  # type: ignore[no-any-return]


def find_scheduler(reference: Any, options: Mapping[str, Any]) -> Scheduler:
    """Return the scheduler meant.

    Raises:
        ConfigError: There is no such scheduler, or an option does not fit.
    """
    if isinstance(reference, str) and _is_name(reference):
        return schedulers.make(reference, options)
    found: Any = _find(reference, "SCHEDULER") if isinstance(reference, str) else reference
    if isinstance(found, type):
        found = build(f"scheduler {reference!r}", found, options)
    return _having(found, "decide", "scheduler")  # type: ignore[no-any-return]


def _is_name(reference: str) -> bool:
    return reference.isidentifier()


def _find(reference: str, attribute: str | None) -> Any:
    where, _, named = reference.partition(":")
    module = _from_file(Path(where)) if where.endswith(".py") else _package(where)
    name = named or attribute
    if name is None:
        return module
    if not hasattr(module, name):
        raise ConfigError(f"{where} holds no {name!r}, asked for by {reference!r}")
    return getattr(module, name)


def _package(name: str) -> ModuleType:
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # an installed command does not look where it is run
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"module {name!r} cannot be imported: {error}; a file is named with its .py"
        ) from error


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(f"there is no file {path} (looked in {Path.cwd()})")
    name = f"raynas_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling look a class's module up by its name
    try:
        spec.loader.exec_module(module)
    except RaynasError:
        raise
    except Exception as error:
        raise ConfigError(f"{path} raises {type(error).__name__}: {error}") from error
    return module


def _home(found: Any) -> ModuleType | None:
    name = found.__name__ if isinstance(found, ModuleType) else type(found).__module__
    if isinstance(found, type):
        name = found.__module__
    top = name.partition(".")[0]
    return None if top in {_SHIPPED, "raynas"} else sys.modules.get(top)


def _called(what: str, make: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    try:
        return make(**options)
    except TypeError as error:
        raise ConfigError(f"{what} does not take the options {dict(options)}: {error}") from error


def _having(found: Any, method: str, kind: str) -> Any:
    if not callable(getattr(found, method, None)):
        raise ConfigError(f"a {kind} needs a method {method!r}, and {found!r} has none")
    return found
