"""What several searchers ask of trials: which is better, and what was tried before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np

from raynas.errors import SpaceError
from raynas.space import Architecture, Space
from raynas.trial import History, Trial

_DRAWS: Final = 6  # before settling for what was tried before


def check_mutable(space: Space, searcher: str) -> None:
    """Check that there is something to mutate.

    Raises:
        SpaceError: The space holds a single architecture.
    """
    if space.size < 2:
        raise SpaceError(
            f"{searcher} needs a space of at least two architectures, this one holds a single "
            "one: use the searcher 'random'"
        )


def rank(trial: Trial) -> tuple[int, float]:
    """Return what sorts finished trials, better ones first.

    Where a scheduler stops trials early, those that went on longer come before those with the
    lower loss.
    """
    return -trial.epoch, trial.loss


def tried(space: Space, history: History, architecture: Architecture) -> bool:
    """Say whether the history holds this network, whatever became of it."""
    return any(True for _ in history.same(space.identity(architecture)))


def untried(
    space: Space, history: History, architectures: Iterable[Architecture]
) -> Iterator[Architecture]:
    """Pass on the architectures that the history does not hold."""
    return (one for one in architectures if not tried(space, history, one))


def draw_untried(space: Space, history: History, draw: Callable[[], Architecture]) -> Architecture:
    """Draw until something comes that was not tried; after a few draws in vain, take the last.

    What was tried before is answered from the history: that costs no training, but teaches nothing
    either.
    """
    architecture = draw()
    for _ in range(_DRAWS - 1):
        if not tried(space, history, architecture):
            break
        architecture = draw()
    return architecture


def sample_untried(space: Space, history: History, rng: np.random.Generator) -> Architecture:
    """Draw from the prior what was not tried, as ``draw_untried`` does."""
    return draw_untried(space, history, lambda: space.sample(rng))
