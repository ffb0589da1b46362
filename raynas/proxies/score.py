"""Score architectures without training them."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from raynas.errors import ConfigError, SpaceError, TrialError, unknown
from raynas.proxies.batch import Batch
from raynas.rng import seed_weights
from raynas.space import Architecture
from raynas.trees import mapped

if TYPE_CHECKING:
    from torch import Tensor, nn

NAMES: Final = (
    "synflow",
    "naswot",
    "jacob_cov",
    "snip",
    "grasp",
    "grad_norm",
    "fisher",
    "zen",
    "params",
    "flops",
)
"""Every proxy's name, known without loading torch."""

_WHATEVER: Final = (Exception, SystemExit)  # a child is a user's code and may raise anything

Build = Callable[[Architecture], "nn.Module"]


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of an architecture by proxies.

    Attributes:
        values: By proxy; finite numbers, higher is better.
        refusals: By proxy without a value: the reason, in one sentence.
        tracebacks: By proxy: the traceback, if the proxy or the child raised an unexpected error.
            A refusal without a traceback is a statement about the network.
    """

    values: dict[str, float] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    tracebacks: dict[str, str] = field(default_factory=dict)


def score(
    build: Build,
    architecture: Architecture,
    batch: Batch,
    names: Sequence[str] = NAMES,
    *,
    seed: int = 0,
) -> Scores:
    """Build a child as training does and score it; the state of global generators is restored.

    Errors of the child end a proxy, not the caller. Arguments and result can be pickled.

    Args:
        build: Makes the child of an architecture.
        architecture: The architecture to score.
        batch: The examples; the child computes on their device.
        names: The names of the proxies.
        seed: The seed of the weights and of the proxies' random numbers.

    Raises:
        ConfigError: There is no such proxy.
    """
    import torch  # noqa: PLC0415 - deciding must not load torch

    from raynas.proxies.subject import Subject  # noqa: PLC0415
    from raynas.proxies.table import PROXIES  # noqa: PLC0415

    _check(names)
    device = batch.device
    found = Scores()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            subject = Subject(_built(build, architecture, batch, seed), batch, seed)
        except _WHATEVER as error:
            _refuse(found, names, error)
            return found
        for name in names:
            try:
                found.values[name] = _finite(name, PROXIES[name](subject))
            except _WHATEVER as error:
                _refuse(found, [name], error)
    return found


def score_all(
    build: Build,
    architectures: Iterable[Architecture],
    batch: Batch,
    names: Sequence[str] = NAMES,
    *,
    seed: int = 0,
) -> list[Scores]:
    """Score several architectures, with equal seeds: see ``score``."""
    return [score(build, one, batch, names, seed=seed) for one in architectures]


def _check(names: Iterable[str]) -> None:
    for name in names:
        if name not in NAMES:
            raise ConfigError(unknown("proxy", name, NAMES))


def _built(build: Build, architecture: Architecture, batch: Batch, seed: int) -> nn.Module:
    from raynas.training.child import built  # noqa: PLC0415 - deciding must not load torch

    seed_weights(seed)
    child = built(build, architecture, lambda: mapped(_two, batch.inputs))
    return child.to(batch.device)


def _two(inputs: Tensor) -> Tensor:
    return inputs[:2].cpu()


def _finite(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise TrialError(f"the value of {name} must be finite: got {value}")
    return value


def _refuse(found: Scores, names: Iterable[str], error: BaseException) -> None:
    """Record why proxies have no value."""
    if isinstance(error, SpaceError | TrialError):
        found.refusals.update(dict.fromkeys(names, str(error)))
        return
    found.refusals.update(dict.fromkeys(names, f"{type(error).__name__}: {error}"))
    trace = "".join(traceback.format_exception(error))
    found.tracebacks.update(dict.fromkeys(names, trace))
