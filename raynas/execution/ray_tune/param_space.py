"""A space as a Ray Tune ``param_space``, and an architecture back from a Tune config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray import tune

from raynas.errors import SpaceError
from raynas.searchers.foreign import offered, taken
from raynas.space import Architecture, Choice, Decision, Float, Int, Space


def param_space(space: Space) -> dict[str, Any]:
    """Return one Tune domain per decision, by path.

    Tune's searchers know no conditions, so every decision that can become active is sampled;
    ``from_config`` reads those that are. That draws architectures as ``space.sample`` does.
    Only prior weights, for which Tune has no words, are left out.
    """
    return {path: _domain(decision) for path, decision in space.decisions.items()}


def from_config(space: Space, config: Mapping[str, Any]) -> Architecture:
    """Return the architecture that a config sampled from ``param_space`` stands for.

    Raises:
        SpaceError: An active decision is missing, or a value is outside its domain.
    """

    def decide(decision: Decision) -> Any:
        if decision.path not in config:
            raise SpaceError(f"the config does not decide {decision.path!r}")
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
