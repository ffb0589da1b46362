"""A raynas searcher inside a plain ``tune.Tuner``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from ray.tune.search import Searcher as TuneSearcher

from raynas.errors import ConfigError, SearcherError
from raynas.execution.proposals import answer, ask, begin, exhausted, unscored
from raynas.execution.ray_tune.open_history import OpenHistory, Told
from raynas.options import made
from raynas.searchers import Searcher, check, make
from raynas.searchers.requirements import Requirements
from raynas.space import Space
from raynas.trial import Failed, Finished, Objective, Proposal, Report
from raynas.trial import codec as event_codec


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
        self._objectives = _objectives(metric, mode)
        if epochs is not None and epochs < 1:
            raise ConfigError(f"epochs must be at least 1, got {epochs}")
        directions = [objective.direction for objective in self._objectives]
        one = isinstance(metric, str)
        super().__init__(
            metric=metric if one else list(metric), mode=directions[0] if one else directions
        )
        self._space = space
        self._searcher = _made(searcher, space, options)
        check(self._searcher, Requirements(self._objectives, epochs or 1))
        self._epochs = epochs
        self._seed = seed
        self._begin()

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """Return the next architecture's decisions by path.

        Raises:
            SearcherError: The searcher raised, or proposed a training that a Tuner cannot run.
        """
        while not exhausted(history := self._open.history, self._space):
            proposal = ask(self._searcher, self._space, history, self._seed)
            if proposal is None:
                break
            number, epochs = len(history.trials), self._open.epochs
            self._require_plain(proposal, number)
            started = begin(proposal, number, self._space, epochs=epochs, seed=self._seed)
            known = answer(started, history)
            self._open.apply(started)
            if known is None:
                self._numbers[trial_id] = number
                return dict(proposal.architecture)
            self._open.apply(known)
        return str(TuneSearcher.FINISHED)

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Record a report."""
        if (number := self._running(trial_id)) is not None:
            self._report(number, result)

    def on_trial_complete(
        self,
        trial_id: str,
        result: Mapping[str, Any] | None = None,
        error: bool = False,  # noqa: FBT001, FBT002 - Tune's signature
    ) -> None:
        """Record the end of a trial."""
        if (number := self._running(trial_id)) is not None:
            self._report(number, result or {})
            self._open.apply(
                Failed(number, "the trainable failed")
                if error
                else self._outcome(number, result or {})
            )

    def on_pause(self, trial_id: str) -> None:
        """Do nothing; ``HyperBandForBOHB`` calls this. The reports say all that is needed."""

    def on_unpause(self, trial_id: str) -> None:
        """Do nothing, as in ``on_pause``."""

    def save(self, checkpoint_path: str) -> None:
        """Write the events to a file."""
        events = [event_codec.to_data(event) for event in self._open.told]
        state = {"trials": self._numbers, "events": events}
        Path(checkpoint_path).write_text(json.dumps(state), encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Replay the events of a file."""
        self._begin()
        state = json.loads(Path(checkpoint_path).read_text(encoding="utf-8"))
        for data in state["events"]:
            self._open.apply(cast("Told", event_codec.from_data(data)))
        self._numbers.update(state["trials"])

    def _begin(self) -> None:
        self._open = OpenHistory(self._objectives, self._epochs)
        self._numbers: dict[str, int] = {}

    def _running(self, trial_id: str) -> int | None:
        """Return the number of a trial; none if it has ended or another searcher proposed it."""
        number = self._numbers.get(trial_id)
        ended = number is None or self._open.loose.trials[number].outcome is not None
        return None if ended else number

    def _report(self, number: int, result: Mapping[str, Any]) -> None:
        """Record a report of a new epoch if it has finite scores; ignore any other report."""
        scores, epoch = self._scores(result), _epoch(result)
        further = epoch > self._open.loose.trials[number].epoch
        if scores and further and not unscored(self._objectives, scores, epoch):
            self._open.apply(Report(number, epoch, scores))

    def _outcome(self, number: int, result: Mapping[str, Any]) -> Finished | Failed:
        """Return the outcome of a trial whose trainable raised no error."""
        fault = unscored(self._objectives, self._scores(result), _epoch(result))
        if fault:
            return Failed(number, fault)
        if self._open.loose.trials[number].reports:
            return Finished(number)
        if result:
            names = " and ".join(objective.metric for objective in self._objectives)
            return Failed(number, f"the trainable did not report {names}")
        return Failed(number, "the trial was ended before it reported", cause="circumstances")

    def _scores(self, result: Mapping[str, Any]) -> dict[str, float]:
        """Return the values of the objectives in a report; empty if one is missing."""
        names = [objective.metric for objective in self._objectives]
        if not all(name in result for name in names):
            return {}
        return {name: _number(result[name]) for name in names}

    def _require_plain(self, proposal: Proposal, number: int) -> None:
        """Check that a proposal is a full training from new weights; Tune supports no other.

        Raises:
            SearcherError: It is not.
        """
        epochs = proposal.epochs or self._open.epochs
        wish = f"train for {epochs} epochs only" if epochs < self._open.epochs else ""
        wish = "begin with another trial's weights" if proposal.inherits else wish
        if wish:
            raise SearcherError(
                f"the searcher wants trial {number} to {wish}, which a plain Tuner does not "
                "support: remove that option, or use raynas.search"
            )


def _made(
    searcher: str | Searcher | Callable[..., Searcher], space: Space, options: Mapping[str, Any]
) -> Searcher:
    if isinstance(searcher, str):
        return make(searcher, space, options)
    name = getattr(searcher, "__name__", type(searcher).__name__)
    found: Searcher = made(f"searcher {name!r}", searcher, "propose", options, space=space)
    return found


def _objectives(metric: str | Sequence[str], mode: str | Sequence[str]) -> tuple[Objective, ...]:
    metrics = [metric] if isinstance(metric, str) else [*metric]
    modes = [mode] * len(metrics) if isinstance(mode, str) else [*mode]
    if not metrics or len(modes) != len(metrics) or not {"max", "min"}.issuperset(modes):
        raise ConfigError(
            "there must be at least one metric, and every metric needs a mode, max or min; got "
            f"the metrics {metrics} with the modes {modes}"
        )
    directions = cast("list[Literal['max', 'min']]", modes)
    return tuple(map(Objective, metrics, directions))


def _epoch(result: Mapping[str, Any]) -> int:
    return int(result.get("training_iteration", 1))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
