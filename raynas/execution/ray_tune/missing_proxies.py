"""Score networks by proxies before Ray starts, in a separate process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from raynas.execution.ray_tune.isolated_process import IsolatedProcess, ProcessDiedError
from raynas.execution.ray_tune.packing_code import Packed
from raynas.execution.ray_tune.trainable import PackedContext
from raynas.proxies import Batch, Scores, score
from raynas.space import Architecture

DIED: Final = "the process in which proxies scored it died, or did not answer in time"
_MOST: Final = 3  # stop after so many deaths of the process


def missing(
    packed: PackedContext,
    batch: Batch,
    names: Sequence[str],
    architectures: Sequence[Architecture],
    seed: int,
) -> dict[str, str]:
    """Return the proxies that have no value for any of some networks, with all their reasons.

    The networks are scored one after the other, until every proxy has had a value.

    Args:
        packed: The function that builds the networks, pickled.
        batch: The examples for the proxies.
        names: The names of the proxies.
        architectures: The networks.
        seed: The run's seed.
    """
    reasons: dict[str, dict[str, None]] = {name: {} for name in names}
    deaths = 0
    scoring = _Scoring(packed.code, Packed.of(batch), seed)
    with IsolatedProcess(scoring) as process:
        for architecture in architectures:
            try:
                scores: Scores = process.ask((dict(architecture), [*reasons]))
                why = scores.refusals
            except ProcessDiedError:
                deaths += 1
                why = dict.fromkeys(reasons, DIED)
            reasons = {name: {**reasons[name], reason: None} for name, reason in why.items()}
            if not reasons or deaths == _MOST:
                break
    return {name: "; ".join(said) for name, said in reasons.items()}


@dataclass(frozen=True, slots=True)
class _Scoring:
    """The function that scores a network in the other process."""

    code: Packed
    batch: Packed
    seed: int

    def __call__(self, question: tuple[dict[str, object], Sequence[str]]) -> Scores:
        architecture, names = Architecture.from_data(question[0]), question[1]
        build, batch = _unpacked(self)
        return score(build, architecture, batch, names, seed=self.seed)


_KNOWN: dict[int, tuple[Callable[..., Any], Batch]] = {}


def _unpacked(scoring: _Scoring) -> tuple[Callable[..., Any], Batch]:
    """Unpack once; the other process has one object for all questions."""
    if id(scoring) not in _KNOWN:
        _KNOWN[id(scoring)] = scoring.code.unpacked()[0], scoring.batch.unpacked()
    return _KNOWN[id(scoring)]
