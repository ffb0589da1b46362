"""The scores of a search beside those of final trainings: the same order, and how far apart."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, Final

from raynas.insight.outcome_counts import ranking_key
from raynas.insight.wording import metric, plural
from raynas.trial import Failed, Finished, History, Trial

if TYPE_CHECKING:
    import pandas as pd

_TEST: Final = "test_"
_VALID: Final = "val_"
_ENOUGH: Final = 5  # architectures, of which a rank correlation says something
_CLEAR: Final = 2.0  # standard errors of a difference
_LIKE: Final = 0.75  # a rank correlation from which on two orders are alike
_UNLIKE: Final = 0.25  # one below which they are not


@dataclass(frozen=True, slots=True)
class Row:
    """One architecture.

    Attributes:
        trial: The trial of the search that it is from.
        rank: Its place in the leaderboard of the search.
        search: Its score.
        scores: The test score of each final training that has ended.
        held_out: The scores on the folds that these left out; empty without folds.
        failed: How many final trainings failed.
        params: The number of its weights; NaN if it is unknown.
    """

    trial: int
    rank: int
    search: float
    scores: Sequence[float]
    held_out: Sequence[float]
    failed: int
    params: float

    @property
    def mean(self) -> float:
        """The mean test score; NaN without any."""
        return fmean(self.scores) if self.scores else math.nan

    @property
    def spread(self) -> float:
        """The standard deviation of the test scores; NaN for less than two."""
        return stdev(self.scores) if len(self.scores) > 1 else math.nan

    @property
    def error(self) -> float:
        """The standard error of the mean; NaN for less than two scores."""
        return self.spread / math.sqrt(len(self.scores)) if self.scores else math.nan


@dataclass(frozen=True, slots=True)
class Retrained:
    """The final trainings of the best architectures of a search.

    Attributes:
        objective: The metric of the search.
        final: The metric of the final trainings.
        sign: 1 if these are minimised, -1 if they are maximised.
        rows: The architectures, the best by its mean test score first.
        winner: The trial that the search handed over; none if it has no winner.
    """

    objective: str
    final: str
    sign: int
    rows: Sequence[Row]
    winner: int | None = None

    @property
    def correlation(self) -> float:
        """Spearman's rank correlation of the leaderboard and the mean test scores; NaN if unknown.

        1 means the same order. In the leaderboard, trials that were trained longer come first.
        """
        known = [row for row in self.rows if row.scores]
        pairs = [(row.rank, self.sign * row.mean) for row in known]
        if len(pairs) < 2 or any(len({*column}) < 2 for column in zip(*pairs, strict=True)):
            return math.nan
        from scipy.stats import spearmanr  # noqa: PLC0415 - slow to load

        return float(spearmanr(*zip(*pairs, strict=True)).statistic)

    @property
    def verdict(self) -> str:
        """What the scores mean, in sentences."""
        known = [row for row in self.rows if row.scores]
        if not known:
            return "No final training has ended."
        return " ".join(filter(None, (self._agreement(known), _lead(self, known))))

    def _agreement(self, known: Sequence[Row]) -> str:
        if len(known) < 2:
            return ""
        value = self.correlation
        if math.isnan(value):
            return "All final scores are equal, so they give no order."
        like = "agree" if value >= _LIKE else "agree in part"
        like = "disagree" if value < _UNLIKE else like
        said = (
            f"The search and the final trainings {like} on the order (Spearman's rank "
            f"correlation {value:.2f})"
        )
        few = f"; {len(known)} architectures are few to say so" if len(known) < _ENOUGH else ""
        return f"{said}{few}."

    def frame(self) -> pd.DataFrame:
        """Return one row for each architecture."""
        import pandas as pd  # noqa: PLC0415 - half a second that only tables need

        return pd.DataFrame([self._as_data(row) for row in self.rows])

    def as_data(self) -> dict[str, Any]:
        """Return all of it as JSON-ready data; unknown numbers are none."""
        rows = [
            {name: _plain(value) for name, value in self._as_data(row).items()}
            for row in self.rows
        ]
        return {
            "objective": self.objective,
            "final": self.final,
            "correlation": _plain(self.correlation),
            "verdict": self.verdict,
            "architectures": rows,
        }

    def _as_data(self, row: Row) -> dict[str, Any]:
        return {
            "trial": row.trial,
            "rank": row.rank,
            "winner": row.trial == self.winner,
            self.objective: row.search,
            f"{self.final}_mean": row.mean,
            f"{self.final}_std": row.spread,
            "trainings": len(row.scores),
            "failed": row.failed,
            "scores": [*row.scores],
            "held_out": [*row.held_out],
            "params": row.params,
        }

    @property
    def lines(self) -> Sequence[Sequence[str]]:
        """The rows as text, with the names of the columns first."""
        heads = ["trial", "rank", self.objective, self.final, "spread", "trainings", "params"]
        texts = []
        for row in self.rows:
            mark = ", winner" if row.trial == self.winner else ""
            failed = f" ({row.failed} failed)" if row.failed else ""
            texts.append(
                [
                    f"{row.trial}{mark}",
                    f"{row.rank}",
                    metric(self.objective, row.search),
                    "" if math.isnan(row.mean) else metric(self.final, row.mean),
                    "" if math.isnan(row.spread) else f"± {metric(self.final, row.spread)}",
                    f"{len(row.scores)}{failed}",
                    "" if math.isnan(row.params) else metric("params", row.params),
                ]
            )
        return [heads, *texts]


def retrained(search: History, final: History) -> Retrained:
    """Return the final trainings beside the trials that they are from.

    Args:
        search: The search.
        final: The final trainings; their architectures are those of trials of the search.
    """
    by_network: dict[str, list[Trial]] = defaultdict(list)
    for trial in final.trials.values():
        by_network[trial.identity].append(trial)
    objective, ended = search.objectives[0], final.finished
    places = [trial.number for trial in sorted(search.trials.values(), key=ranking_key)]
    name = _final_name(objective.metric, ended)
    sign = -1 if objective.direction == "max" else 1
    if name.endswith("loss"):
        sign = 1
    rows = [
        _row((original, 1 + places.index(original.number)), trials, objective.metric, name)
        for identity, trials in by_network.items()
        if (original := _original(search, identity)) is not None
    ]
    rows.sort(key=lambda row: (not row.scores, sign * row.mean if row.scores else 0.0))
    winner = search.winner.number if search.winner else None
    return Retrained(objective.metric, name, sign, rows, winner)


def _final_name(objective: str, ended: Sequence[Trial]) -> str:
    """Return the test metric that belongs to an objective; the loss if none does."""
    wanted = f"{_TEST}{objective.removeprefix(_VALID)}"
    reported = {name for trial in ended for name in trial.metrics}
    return wanted if wanted in reported or not reported else f"{_TEST}loss"


def _original(search: History, identity: str) -> Trial | None:
    """Return the best finished trial of a network; of the winner's, the winner."""
    same = [one for one in search.same(identity) if isinstance(one.outcome, Finished)]
    chosen = search.winner.number if search.winner else None
    return min(same, key=lambda one: (one.number != chosen, one.rank), default=None)


def _row(ranked: tuple[Trial, int], trials: Sequence[Trial], objective: str, name: str) -> Row:
    original, rank = ranked
    ended = [one for one in trials if isinstance(one.outcome, Finished) and name in one.metrics]
    held_out = f"{_VALID}{name.removeprefix(_TEST)}"
    return Row(
        original.number,
        rank,
        original.metrics.get(objective, math.nan),
        [one.metrics[name] for one in ended],
        [one.metrics[held_out] for one in ended if held_out in one.metrics],
        sum(isinstance(one.outcome, Failed) for one in trials),
        original.metrics.get("params", math.nan),
    )


def _lead(found: Retrained, known: Sequence[Row]) -> str:
    """Return what the best mean is worth against the second, and against the winner."""
    best, *others = known
    score = f"{metric(found.final, best.mean)} in {plural(len(best.scores), 'training')}"
    if not others:
        return f"Trial {best.trial} reaches {found.final} {score}."
    rival = next((one for one in others if one.trial == found.winner), others[0])
    error = math.hypot(best.error, rival.error)
    apart = abs(best.mean - rival.mean)
    said = f"Trial {best.trial} is the best with {found.final} {score}"
    if math.isnan(error):
        return f"{said}; one training of each does not say how much of its lead is luck."
    lead = f"its lead over trial {rival.trial}, {_difference(found.final, apart)},"
    if apart <= _CLEAR * error:
        return f"{said}, but {lead} is within the spread of the trainings."
    return f"{said}, and {lead} is larger than the spread of the trainings explains."


def _difference(name: str, value: float) -> str:
    if name.endswith("accuracy"):
        return f"{100 * value:.2f} points"
    return metric(name, value)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
