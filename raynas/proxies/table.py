"""Every proxy by name. Loads torch; ``raynas.proxies.NAMES`` does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from raynas.proxies.fisher import fisher
from raynas.proxies.gradients import grad_norm, grasp, snip
from raynas.proxies.jacob_cov import jacob_cov
from raynas.proxies.naswot import naswot
from raynas.proxies.subject import Subject
from raynas.proxies.synflow import synflow
from raynas.proxies.zen import zen


def params(subject: Subject) -> float:
    """Return the number of parameters: the baseline for every proxy."""
    return subject.costs.params


def flops(subject: Subject) -> float:
    """Return the multiply-adds of one example's forward pass, as ``raynas.costs.measure`` does."""
    return subject.costs.flops or 0


PROXIES: Final[Mapping[str, Callable[[Subject], float]]] = MappingProxyType(
    {
        "synflow": synflow,
        "naswot": naswot,
        "jacob_cov": jacob_cov,
        "snip": snip,
        "grasp": grasp,
        "grad_norm": grad_norm,
        "fisher": fisher,
        "zen": zen,
        "params": params,
        "flops": flops,
    }
)
"""Every proxy by name: a function of a subject; higher is better.

A proxy raises ``SpaceError`` if the network lacks something, ``TrialError`` if it has no value.
"""
