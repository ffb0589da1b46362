"""End a search whose constraints no network keeps."""

from __future__ import annotations

from itertools import takewhile
from typing import Final

from raynas.errors import ConfigError
from raynas.trial import Failed, History

_MOST: Final = 100


def only_refusals(history: History) -> bool:
    """Return whether the last hundred proposals were all refused before training.

    Raises:
        ConfigError: They were, and no trial has finished.
    """
    if not history.constraints or len(history.failed) < _MOST:
        return False
    latest = (one for one in reversed(history.trials.values()) if one.outcome is not None)
    refused = [*zip(range(_MOST), takewhile(lambda one: one.refused, latest), strict=False)]
    if len(refused) < _MOST:
        return False
    if not history.finished:
        outcome = refused[0][1].outcome
        said = outcome.reason if isinstance(outcome, Failed) else ""
        raise ConfigError(
            f"some networks must keep the constraints: the last {_MOST} proposals were refused "
            f"before training, the latest one because {said}; loosen the "
            "constraints, or search a space with smaller networks"
        )
    return True
