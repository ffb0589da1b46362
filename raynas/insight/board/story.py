"""The numbers of the whole search: best so far, utilisation, networks, and their layout."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tensorboard.plugins.custom_scalar import layout_pb2, metadata

from raynas.insight.board.summaries import plain, tensor
from raynas.insight.comparison import BUDGETS
from raynas.insight.outcome_counts import leading
from raynas.insight.plots.clock import elapsed
from raynas.searchers.rank_correlation import rank_correlation
from raynas.space import Architecture
from raynas.trial import (
    Event,
    Failed,
    Finished,
    History,
    Objective,
    Outcome,
    Report,
    Retried,
    Trial,
)

GROUP: Final = "all trials"  # TensorBoard sorts groups by name: this one is the first
MORE: Final = "analysis"
_EACH: Final = 64  # so many trials have points of their own; then one of some has, or a better one
_SOME: Final = 8
_LATEST: Final = 20  # trials with which a new one is compared
_UTILISATION: Final = "utilisation of workers"
_DISTANCE: Final = "difference from the last 20 trials"

Point = tuple[int, Mapping[str, float]]
"""A step, and the numbers at it by their tags."""


class Story:
    """Follows a run, and says after each trial what is known of the search.

    Attributes:
        ended: How many trials that were trained have ended.
    """

    def __init__(self, objectives: Sequence[Objective]) -> None:
        """Begin with a run without trials."""
        self._objective = objectives[0]
        self._best: Trial | None = None
        self.ended = 0
        self._epochs = 0
        self._busy = 0.0
        self._latest: deque[Architecture] = deque(maxlen=_LATEST)

    def past(self, history: History, last: Event) -> Iterator[tuple[Outcome, list[Point]]]:
        """Yield the points of all trials that have ended, in the order they ended.

        Args:
            history: All events of the run.
            last: The last event, which is left out.
        """
        trials = history.trials.values()
        ended = [one.outcome for one in trials if one.outcome and one.outcome != last]
        for outcome in sorted(ended, key=lambda one: one.at):
            for spell in history.trials[outcome.number].spells:
                self.spent(spell)
            yield outcome, self.points(outcome, history)
        for trial in trials:
            if trial.outcome is None or trial.outcome == last:
                for spell in trial.spells:
                    if spell != last:
                        self.spent(spell)

    def spent(self, event: object) -> None:
        """Count what a trial did: epochs, and the time of a worker."""
        if isinstance(event, Report):
            self._epochs += 1
        if isinstance(event, Report | Retried | Failed):
            self._busy += event.seconds

    def points(self, outcome: Outcome, history: History) -> list[Point]:
        """Return what is known when a trial has ended, each number with its step."""
        trial = history.trials[outcome.number]
        if not trial.trained:
            return []
        self.ended += 1
        found: dict[str, float] = {f"{MORE}/different networks": float(history.networks)}
        if self._latest:
            found[f"{MORE}/{_DISTANCE}"] = self._distance(trial.architecture)
        self._latest.append(trial.architecture)
        seconds = elapsed(history, outcome.at)
        slots = history.sessions[-1].opened.slots if history.sessions else 1
        if seconds > 0:
            found[f"{GROUP}/{_UTILISATION}"] = min(self._busy / (seconds * slots), 1.0)
        asked = trial.started.screening.mode in {"chosen", "blind"}
        if asked and isinstance(outcome, Finished) and (known := rank_correlation(history)):
            found["proxies/rank_correlation"] = known.spearman
        points: list[Point] = [(self.ended, found)]
        before = self._best
        self._best = leading(filter(None, (self._best, trial)))
        if self._best is not None:
            value = self._best.metrics[self._objective.metric]
            shown = {f"best {self._objective.metric}": value}
            if (regret := history.regret(value)) is not None:
                shown["regret"] = regret
            found |= {f"{GROUP}/{name}, by trials": one for name, one in shown.items()}
            if self._best is not before or self.ended < _EACH or self.ended % _SOME == 0:
                steps = {"epochs": self._epochs, "seconds": int(seconds)}
                points += [
                    (step, {f"{GROUP}/{name}, by {by}": one for name, one in shown.items()})
                    for by, step in steps.items()
                ]
        return points

    def _distance(self, architecture: Architecture) -> float:
        """Return the mean share of decisions in which the latest trials differ."""
        own = architecture.items()
        shares = [
            1 - len(own & other.items()) / len(architecture.keys() | other.keys())
            for other in self._latest
        ]
        return sum(shares) / len(shares)


def layout(objectives: Sequence[Objective], tag: str, *, regret: bool) -> Any:
    """Return the charts of the tab *Custom scalars*.

    Args:
        objectives: The objectives of the run.
        tag: The tag of the first objective's learning curves.
        regret: Whether the regret is known.
    """
    metric = plain(objectives[0].metric)

    def chart(title: str, *tags: str) -> Any:
        return layout_pb2.Chart(title=title, multiline=layout_pb2.MultilineChartContent(tag=tags))

    by = [f"^{GROUP}/best .*, by {one}$" for one in BUDGETS]
    names = (f"best {metric} by trials", "by epochs of all trials", "by seconds of search")
    search = [chart(name, one) for name, one in zip(names, by, strict=True)]
    if regret:
        search += [chart(f"regret by {one}", f"^{GROUP}/regret, by {one}$") for one in BUDGETS]
    search.append(chart(_UTILISATION, f"^{GROUP}/{_UTILISATION}$"))
    search.append(chart(_DISTANCE, f"^{MORE}/{_DISTANCE}$"))
    trials = [
        chart(f"learning curves: {metric}", f"^{re.escape(plain(tag))}$"),
        chart("losses", "^epoch/(train|val)_loss$"),
    ]
    made = layout_pb2.Layout(
        category=[
            layout_pb2.Category(title="Search", chart=search),
            layout_pb2.Category(title="Trials", chart=trials),
        ]
    )
    described = metadata.create_summary_metadata()
    return tensor(metadata.CONFIG_SUMMARY_TAG, made.SerializeToString(), described)
