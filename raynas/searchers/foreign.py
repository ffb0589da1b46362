"""Translate a space and its values for other libraries: Optuna and Ray Tune's searchers."""

from __future__ import annotations

import json
import logging
from typing import Any, Final

from raynas.space import Choice, Domain, Float, Int, Space

# Beyond this many whole numbers Optuna's densities of neighbours round to the same double.
_COUNTABLE: Final = 2**45
_LOG = logging.getLogger("raynas")


def offered(domain: Domain) -> Domain:
    """Return a domain in the form that such a sampler accepts.

    A very large range of whole numbers becomes a range of real numbers. Where an option is a
    tuple, all options become text.
    """
    if isinstance(domain, Choice) and _has_tuples(domain):
        return Choice([told(domain, one) for one in domain.values()], domain.weights)
    if isinstance(domain, Int) and domain.count > _COUNTABLE:
        return Float(domain.low, domain.high, log=domain.log)
    return domain


def taken(domain: Domain, value: Any) -> Any:
    """Return the domain's value for a value that such a sampler gave.

    Of whole numbers with a step, each stands for those up to the next one.
    """
    # They return numpy's numbers, and whole numbers for a domain of real numbers.
    value = value.item() if hasattr(value, "item") else value
    match domain:
        case Float():
            return float(value)
        case Choice():
            return next((one for one in domain.values() if told(domain, one) == value), value)
        case Int() if offered(domain) is not domain:
            return domain.nearest(value)
        case Int(low=low, step=step) if isinstance(value, int):
            return value - (value - low) % step
    return value


def told(domain: Domain, value: Any) -> Any:
    """Return a value of a domain in the form that such a sampler accepts."""
    if isinstance(domain, Choice):
        return json.dumps(value) if _has_tuples(domain) else value
    return float(value) if isinstance(offered(domain), Float) else value


def _has_tuples(domain: Choice) -> bool:
    return any(isinstance(one, tuple) for one in domain.values())


def weighted(space: Space) -> list[str]:
    """Return the paths of the decisions that have prior weights."""
    decisions = space.decisions.values()
    return [one.path for one in decisions if isinstance(one.domain, Choice) and one.domain.weights]


def tell_of_weights(space: Space, searcher: str, but: str = "") -> None:
    """Log a warning that prior weights are ignored, if the space has any.

    Args:
        space: The search space.
        searcher: The name of the searcher that ignores them.
        but: The end of the sentence: in which case the weights are used after all.
    """
    if paths := weighted(space):
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        _LOG.warning(
            "%s cannot use prior weights: the weights of %s%s are ignored%s",
            searcher,
            paths[0],
            more,
            but,
        )
