"""Functions that several searchers share: ranking trials, and finding untried networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np

from raynas.errors import SpaceError
from raynas.space import Architecture, Space
from raynas.trial import History, Trial

_DRAWS: Final = 6  # after so many draws, a network that was tried before is accepted


def check_mutable(space: Space, searcher: str) -> None:
    """Check that there is something to mutate.

    Raises:
        SpaceError: The space holds a single architecture.
    """
    if space.size < 2:
        raise SpaceError(
            f"{searcher} needs a space of at least two architectures, got a space of one: "
            "use the searcher 'random'"
        )


def rank(trial: Trial) -> tuple[int, float, float]:
    """Return a sort key for finished trials: better ones come first.

    If a scheduler stops trials early, trials that trained longer come before all others, even
    before those with a lower loss. Then those come first that keep the constraints of the run, or
    break them less (Deb, 2000, CMAME 186, section 3).
    """
    return -trial.epoch, trial.violation, trial.loss


def tried(space: Space, history: History, architecture: Architecture) -> bool:
    """Return whether the history holds this network, successful or not."""
    return any(True for _ in history.same(space.identity(architecture)))


def untried(
    space: Space, history: History, architectures: Iterable[Architecture]
) -> Iterator[Architecture]:
    """Yield the architectures that the history does not hold."""
    return (one for one in architectures if not tried(space, history, one))


def draw_untried(space: Space, history: History, draw: Callable[[], Architecture]) -> Architecture:
    """Draw until a network was not tried before; after a few draws, return the last one anyway.

    A network that was tried before is answered from the history: it costs no training, but brings
    no new knowledge.
    """
    architecture = draw()
    for _ in range(_DRAWS - 1):
        if not tried(space, history, architecture):
            break
        architecture = draw()
    return architecture


def sample_untried(space: Space, history: History, rng: np.random.Generator) -> Architecture:
    """Draw an untried network from the prior, as ``draw_untried`` does."""
    return draw_untried(space, history, lambda: space.sample(rng))
