"""A raynas searcher inside a plain ``tune.Tuner``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher as TuneSearcher

from raynas.execution.ask_tell import AskTell
from raynas.execution.proposals import unscored
from raynas.json_text import parsed
from raynas.searchers import Searcher
from raynas.space import Space
from raynas.trial import Trial


class RaynasSearch(TuneSearcher):  # type: ignore[misc]  # Ray is not typed
    """A Ray Tune searcher that proposes architectures; a config maps decision paths to values.

    >>> search = RaynasSearch(space, "evolution", metric="accuracy", epochs=27)  # doctest: +SKIP
    >>> tune.Tuner(train, tune_config=tune.TuneConfig(search_alg=search))  # doctest: +SKIP

    A network that was trained or has failed is not trained again, unless the searcher asks for a
    repeated training: its known result is recorded, and the searcher proposes again. A trial that
    ends before its last epoch counts as stopped early; a trial that ends without a finite score
    counts as failed.

    Tune saves the events of the history; ``restore`` replays them.
    """

    def __init__(
        self,
        space: Space,
        searcher: str | Searcher | Callable[..., Searcher] = "auto",
        *,
        metric: str | Sequence[str],
        mode: str | Sequence[str] = "max",
        epochs: int | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        """Make the searcher.

        Args:
            space: The search space.
            searcher: A name from ``raynas.searchers.SEARCHERS``, a searcher, a searcher class, or
                a function that returns a searcher for the space.
            metric: The metric that the trainable reports; several for several objectives.
            mode: ``max`` or ``min``, for all metrics or for each.
            epochs: The number of reports after which a trial is fully trained, like a scheduler's
                ``max_t``; none for the longest training so far.
            seed: The seed of the proposals.
            options: The options of the searcher.

        Raises:
            ConfigError: There is no such searcher, an option is invalid, or the searcher does not
                support the objectives.
            SpaceError: The searcher does not support the space.
        """
        self._asked = AskTell(
            space, searcher, metric=metric, mode=mode, epochs=epochs, seed=seed, **options
        )
        directions = [objective.direction for objective in self._asked.objectives]
        one = isinstance(metric, str)
        super().__init__(
            metric=metric if one else list(metric), mode=directions[0] if one else directions
        )
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """Return the next architecture's decisions by path.

        Raises:
            SearcherError: The searcher raised, or proposed a training that a Tuner cannot run.
        """
        trial = self._asked.ask()
        if trial is None:
            return str(TuneSearcher.FINISHED)
        self._numbers[trial_id] = trial.number
        return dict(trial.architecture)

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Record a report."""
        if (trial := self._running(trial_id)) is not None:
            self._report(trial, result)

    def on_trial_complete(
        self,
        trial_id: str,
        result: Mapping[str, Any] | None = None,
        error: bool = False,  # noqa: FBT001, FBT002 - Tune's signature
    ) -> None:
        """Record the end of a trial."""
        if (trial := self._running(trial_id)) is None:
            return
        self._report(trial, result or {})
        if error:
            self._asked.fail(trial.number, "the trainable failed")
        else:
            self._end(trial.number, result or {})

    def on_pause(self, trial_id: str) -> None:
        """Do nothing; ``HyperBandForBOHB`` calls this. The reports say all that is needed."""

    def on_unpause(self, trial_id: str) -> None:
        """Do nothing, as in ``on_pause``."""

    def save(self, checkpoint_path: str) -> None:
        """Write the events to a file."""
        state = {"trials": self._numbers, "events": self._asked.to_data()}
        Path(checkpoint_path).write_text(json.dumps(state), encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Replay the events of a file."""
        state = parsed(Path(checkpoint_path).read_text(encoding="utf-8"))
        self._asked.replay(state["events"])
        self._numbers = dict(state["trials"])

    def _running(self, trial_id: str) -> Trial | None:
        """Return a trial; none if it has ended or another searcher proposed it."""
        number = self._numbers.get(trial_id)
        return None if number is None else self._asked.running(number)

    def _report(self, trial: Trial, result: Mapping[str, Any]) -> None:
        """Record a report of a new epoch if it has finite scores; ignore any other report."""
        scores, epoch = self._scores(result), _epoch(result)
        faulty = unscored(self._asked.objectives, scores, epoch)
        if scores and epoch > trial.epoch and not faulty:
            self._asked.report(trial.number, scores, epoch)

    def _end(self, number: int, result: Mapping[str, Any]) -> None:
        """Record the end of a trial whose trainable raised no error."""
        trial = self._asked.running(number)
        if fault := unscored(self._asked.objectives, self._scores(result), _epoch(result)):
            self._asked.fail(number, fault)
        elif trial is not None and trial.reports:
            self._asked.tell(number)
        elif result:
            names = " and ".join(objective.metric for objective in self._asked.objectives)
            self._asked.fail(number, f"the trainable did not report {names}")
        else:
            self._asked.fail(number, "the trial was ended before it reported", "circumstances")

    def _scores(self, result: Mapping[str, Any]) -> dict[str, float]:
        """Return the values of the objectives in a report; empty if one is missing."""
        names = [objective.metric for objective in self._asked.objectives]
        if not all(name in result for name in names):
            return {}
        return {name: _number(result[name]) for name in names}


def _epoch(result: Mapping[str, Any]) -> int:
    return int(result.get("training_iteration", 1))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
