"""What is Ray Tune's own among what a user names: seen without loading Ray, made with a seed."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from raynas.experiment.resolve.user_code import blamed

Kind = tuple[str, str]
SEARCHER: Final[Kind] = ("ray.tune.search.searcher", "Searcher")
GENERATOR: Final[Kind] = ("ray.tune.search.search_algorithm", "SearchAlgorithm")
SCHEDULER: Final[Kind] = ("ray.tune.schedulers.trial_scheduler", "TrialScheduler")


def is_one(kind: Kind, found: Any) -> bool:
    """Say whether this is a part of Ray Tune's."""
    return isinstance(found, _class(kind))


def makes(kind: Kind, found: Any) -> bool:
    """Say whether this is a class of such parts, perhaps with some arguments given."""
    found = _without_arguments(found)
    return isinstance(found, type) and issubclass(found, _class(kind))


def is_function(found: Any) -> bool:
    """Say whether this is a function that makes a part, perhaps with some arguments given."""
    return inspect.isroutine(_without_arguments(found))


def called(
    what: str, make: Callable[..., Any], options: Mapping[str, Any], *, space: Any, seed: int
) -> Any:
    """Return what a function makes, or a class of Ray Tune's.

    It is given what it takes of the space and the run's seed. Ray Tune's classes are given no
    space: by that name they take another.

    Args:
        what: How messages call it, such as ``"searcher 'make'"``.
        make: The function or class.
        options: What to make it with besides.
        space: Where architectures live.
        seed: The run's seed.

    Raises:
        ConfigError: It raises, or does not take the options.
    """
    with blamed(what):
        taken = inspect.signature(make).parameters
        given = {"seed": seed} if "seed" in taken else {}
        rest = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values())
        if not makes(SEARCHER, make) and ("space" in taken or rest):
            given["space"] = space
        return make(**{**given, **options})


def _without_arguments(found: Any) -> Any:
    while isinstance(found, partial):
        found = found.func
    return found


def _class(kind: Kind) -> type | tuple[()]:
    """Return the class, of which nobody has one without having loaded Ray."""
    module, name = kind
    found: type | tuple[()] = getattr(sys.modules.get(module), name, ())
    return found
