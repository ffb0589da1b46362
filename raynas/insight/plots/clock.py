"""The time of a search: how long processes worked on it, without the pauses between."""

from __future__ import annotations

from raynas.trial import History


def elapsed(history: History, at: float) -> float:
    """Return how many seconds of search had passed at a time of the journal.

    Args:
        history: All events of the run.
        at: The time, in seconds since 1970 (in a simulation: of the virtual clock).
    """
    if not history.sessions:  # simulated: nothing was opened
        first = next(iter(history.trials.values()), None)
        return max(at - first.started.at, 0.0) if first else 0.0
    return sum(
        min(max(at - session.opened.at, 0.0), session.seconds) for session in history.sessions
    )
