"""From what a user writes to the object meant.

A reference is a name from a table, ``package.module:attribute``, a file's path (``space.py`` or
``tasks.py:Wine``), or the object itself.
"""

from __future__ import annotations

import inspect
import json
import os
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from types import ModuleType
from typing import Any

import numpy as np

from raynas import schedulers, searchers
from raynas.errors import ConfigError, kind_of, shown, unknown
from raynas.execution.packing import Resources, read_resources
from raynas.experiment.resolve.tune_types import (
    GENERATOR,
    SCHEDULER,
    SEARCHER,
    called,
    is_function,
    is_one,
    makes,
)
from raynas.experiment.resolve.user_code import SHIPPED, blamed, home_of, load_module
from raynas.oneshot.relaxation import Relaxation
from raynas.options import local_path, made
from raynas.schedulers import Scheduler
from raynas.searchers import Searcher
from raynas.space import Architecture, Space
from raynas.tables import SPACES, TABLES, Table
from raynas.tables.checks import check_table
from raynas.tasks import TASKS, Task


@dataclass(frozen=True, slots=True)
class SpaceModule:
    """A space and what is made of it.

    Attributes:
        space: What can be searched.
        build: ``build(architecture, ...)`` makes the child; it is given what its parameters name.
        resources: ``resources(architecture)`` says what its trial gets, as in ``{"gpus": 0.5}``;
            none if that is the same for all.
        draw: Draws an architecture in a few lines of text; none if the space has no drawing.
        relaxation: How the space becomes the mixtures of a supernet; none if its own decisions are
            mixed.
        home: The user's own module that ``build`` comes from, which workers cannot import; none
            if it comes with raynas or from an installed package.
    """

    space: Space
    build: Callable[..., Any]
    resources: Callable[[Architecture], Any] | None
    draw: Callable[[Architecture], str] | None
    home: ModuleType | None
    relaxation: Relaxation | None = None


def shipped_spaces() -> list[str]:
    """Return the names of the spaces that come with raynas."""
    return [module.name for module in pkgutil.iter_modules(SHIPPED.__path__)]


def find_space(reference: Any, options: Mapping[str, Any]) -> SpaceModule:
    """Return the space meant by a name, a path, ``module:attribute``, a module or an object.

    Raises:
        ConfigError: There is no such space, it lacks ``SPACE`` or ``build``, or ``build`` does
            not take the options, or ``resources`` says nothing usable.
    """
    found = reference
    if isinstance(reference, str):
        table = {name: f"{SHIPPED.__name__}.{name}" for name in shipped_spaces()}
        if _is_name(reference) and reference not in table:
            raise ConfigError(unknown("space", reference, table))
        found = _load(table.get(reference, reference), attribute=None)
    space, make = getattr(found, "SPACE", None), getattr(found, "build", None)
    if not isinstance(space, Space) or not callable(make):
        if not isinstance(space, Space):
            lacking = "no SPACE" if space is None else f"as its SPACE {kind_of(space)}"
        else:
            lacking = "no build"
        raise ConfigError(
            f"a space needs SPACE (a raynas.Space) and build(architecture, input_shape, classes), "
            f"and {name_of(reference)} has {lacking}"
        )
    _check_build(make, options)
    resources = getattr(found, "resources", None)
    if resources is not None:
        _try_resources(resources, space)
    draw, relaxation = getattr(found, "draw", None), getattr(found, "RELAXATION", None)
    return SpaceModule(space, make, resources, draw, home_of(make), relaxation)


def find_task(reference: Any, options: Mapping[str, Any]) -> Task:
    """Return the task meant.

    Raises:
        ConfigError: There is no such task, it is none, or it does not take the options.
    """
    found = reference
    if isinstance(reference, str):
        if _is_name(reference) and reference not in TASKS:
            raise ConfigError(unknown("task", reference, TASKS))
        found = TASKS[reference] if reference in TASKS else _load(reference, "TASK")
    task: Task = _made(f"task {name_of(reference)}", found, "load", options)
    if not callable(getattr(task, "load", None)):
        raise ConfigError(f"a task needs load(source, seed); {shown(task)} lacks it")
    return task


def find_searcher(
    reference: Any, space: Space, options: Mapping[str, Any], seed: int = 0
) -> Searcher:
    """Return the searcher meant, made for ``space``.

    Args:
        reference: What a user wrote.
        space: Where architectures live.
        options: What to make it with.
        seed: The run's seed, for a searcher that draws from a generator of its own: a function
            that makes one, or Ray Tune's class, is given it if it takes a ``seed``.

    Raises:
        ConfigError: There is no such searcher, or an option does not fit.
        SpaceError: It cannot express the space.
    """
    if isinstance(reference, str) and _is_name(reference):
        return searchers.make(reference, space, options)
    what, found = f"searcher {name_of(reference)}", _loaded(reference, "SEARCHER")
    if is_function(found) or makes(SEARCHER, found):
        found, options = called(what, found, options, space=space, seed=seed), {}
    if is_one(SEARCHER, found):
        from raynas.execution.ray_tune.tune_searcher_adapter import TuneSearcherAdapter  # noqa: PLC0415 - loads Ray

        found = TuneSearcherAdapter(space, found)
    if is_one(GENERATOR, found):
        raise ConfigError(
            f"Ray Tune's {type(found).__name__} makes trials of its own and cannot be asked: use "
            "the searcher 'random', or the Searcher in it"
        )
    searcher: Searcher = _made(what, found, "propose", options, space=space)
    return searcher


def check_seeds(references: Mapping[str, Any], seeds: int) -> None:
    """Refuse searchers that would propose the same under every seed, so that runs do not differ.

    Args:
        references: What a user wrote, by name.
        seeds: How many there are.

    Raises:
        ConfigError: There is one: Ray Tune's, made already with a generator of its own.
    """
    for name, reference in references.items():
        shipped = isinstance(reference, str) and _is_name(reference)
        if seeds > 1 and not shipped and is_one(SEARCHER, _loaded(reference, "SEARCHER")):
            raise ConfigError(
                f"searcher {name!r} is Ray Tune's and made already, with a seed of its own, and "
                f"cannot be run with {seeds} seeds: give a function that makes it, such as "
                "searchers.py:make with def make(seed): return OptunaSearch(seed=seed)"
            )


def find_scheduler(reference: Any, options: Mapping[str, Any]) -> Scheduler:
    """Return the scheduler meant.

    Raises:
        ConfigError: There is no such scheduler, or an option does not fit; or it is Ray Tune's and
            cannot be led.
    """
    if isinstance(reference, str) and _is_name(reference):
        return schedulers.make(reference, options)
    found = _loaded(reference, "SCHEDULER")
    if is_one(SCHEDULER, found):
        from raynas.execution.ray_tune.tune_scheduler_adapter import (  # noqa: PLC0415 - loads Ray
            TuneSchedulerAdapter,
        )

        found = TuneSchedulerAdapter(found)
    scheduler: Scheduler = _made(f"scheduler {name_of(reference)}", found, "decide", options)
    return scheduler


def find_table(reference: Any, options: Mapping[str, Any]) -> Table:
    """Return the table meant, made of the options.

    Raises:
        ConfigError: There is no such table, or it cannot be made of the options.
        DataError: Its data are not what they should be.
    """
    found = reference
    if isinstance(reference, str):
        found = _read_table(reference, json.dumps(dict(options), default=os.fspath))
    if not isinstance(found, Table):
        raise ConfigError(
            f"a table needs space, lengths, answer, scores and best, and {shown(found)} lacks some"
        )
    with blamed(f"table {name_of(reference)}"):
        check_table(found)
    return found


@lru_cache(maxsize=1)  # every run asks for it, and a published file takes minutes to read
def _read_table(reference: str, options: str) -> Any:
    """Make the table of options, which stand in JSON."""
    if reference in TABLES:
        make: Callable[..., Any] = partial(
            TABLES[reference], find_space(SPACES[reference], {}).space
        )
    elif ":" not in reference:
        raise ConfigError(
            f"{unknown('table', reference, TABLES)}; one of your own is named file.py:Class or "
            "package.module:Class"
        )
    else:
        make = _load(reference, attribute=None)
    return _made(f"table {reference!r}", make, "answer", json.loads(options))


def _is_name(reference: str) -> bool:
    return not any(sign in reference for sign in ".:/\\")


def name_of(reference: Any) -> str:
    """Return what the user calls a part, for messages."""
    return shown(getattr(reference, "__name__", reference))


def _loaded(reference: Any, attribute: str) -> Any:
    return _load(reference, attribute) if isinstance(reference, str) else reference


def _load(reference: str, attribute: str | None) -> Any:
    local_path("a file of yours", reference)  # refuses addresses
    where, _, named = reference.partition(":")
    module, name = load_module(where), named or attribute
    if name is None:
        return module
    if not hasattr(module, name):
        raise ConfigError(f"{where} holds no {name!r}, asked for by {reference!r}")
    return getattr(module, name)


def _made(what: str, found: Any, method: str, options: Mapping[str, Any], **given: Any) -> Any:
    """Return the part that ``found`` is, or the one it makes of the options."""
    with blamed(what):
        return made(what, found, method, options, **given)


def _try_resources(resources: Callable[[Architecture], Any], space: Space) -> None:
    """See that a space's ``resources`` makes sense for one architecture of it."""
    with blamed("the space's resources"):
        said = resources(space.sample(np.random.default_rng(0)))
    read_resources(said, Resources(cpus=1.0, gpus=0.0))


def _check_build(make: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """See that a space's ``build`` takes the options before every trial fails for it."""
    signature = inspect.signature(make)
    _, *known = signature.parameters or ("",)
    try:
        signature.bind_partial(None, **options)
    except TypeError as error:
        for name in options:
            if known and name not in known:
                raise ConfigError(unknown("option of the space", name, known)) from error
        raise ConfigError(
            "a space's build is called as build(architecture, ...) with what its parameters name; "
            f"build{signature} cannot be, with the options {dict(options)}: {error}"
        ) from error
