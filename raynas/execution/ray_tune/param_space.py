"""Convert a space to a Ray Tune ``param_space``, and a Tune config to an architecture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray import tune

from raynas.errors import SpaceError
from raynas.searchers.foreign import offered, taken
from raynas.space import Architecture, Choice, Decision, Float, Int, Space


def param_space(space: Space) -> dict[str, Any]:
    """Return one Tune domain for each decision, by path.

    Tune's searchers do not support conditions, so a config has values for all decisions;
    ``from_config`` uses only those of active decisions. So random configs give the same
    distribution of architectures as ``space.sample``, but without prior weights, which Tune does
    not support.
    """
    return {path: _domain(decision) for path, decision in space.decisions.items()}


def from_config(space: Space, config: Mapping[str, Any]) -> Architecture:
    """Return the architecture of a config that was sampled from ``param_space``.

    Raises:
        SpaceError: An active decision is missing, or a value is outside its domain.
    """

    def decide(decision: Decision) -> Any:
        if decision.path not in config:
            raise SpaceError(f"the config has no value for the decision {decision.path!r}")
        return taken(decision.domain, config[decision.path])

    return space.architecture(space.walk(decide))


def _domain(decision: Decision) -> Any:
    match offered(decision.domain):
        case Choice() as choice:
            return tune.choice(list(choice.values()))
        case Int(low=low, high=high, log=True):
            return tune.lograndint(low, high + 1)
        case Int(low=low, high=high, step=step):
            return tune.randint(low, high + step)  # ``taken`` knows the steps; Tune's begin at 0
        case Float(low=low, high=high, log=True):
            return tune.loguniform(low, high)
        case Float(low=low, high=high):
            return tune.uniform(low, high)
    raise SpaceError(f"{decision.path} has an unknown domain: {decision.domain!r}")
