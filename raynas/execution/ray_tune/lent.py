"""A raynas searcher inside a plain ``tune.Tuner``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from ray.tune.search import Searcher as TuneSearcher

from raynas.rng import proposal_rng, training_seed
from raynas.searchers import check, make
from raynas.searchers.aim import Aim
from raynas.space import Architecture, Space
from raynas.trial import Event, Failed, Finished, History, Objective, Report, Started

# Tune's trainables have no length known beforehand; the count of their reports is epochs.
_EPOCHS: Final = 1


class RaynasSearch(TuneSearcher):  # type: ignore[misc]  # Ray is not typed
    """Proposes architectures to Ray Tune: each config is the decisions by path.

    >>> search = RaynasSearch(space, "evolution", metric="accuracy", mode="max")  # doctest: +SKIP
    >>> tune.Tuner(train, tune_config=tune.TuneConfig(search_alg=search))  # doctest: +SKIP

    What Tune saves of it is the events of its history; restoring replays them.
    """

    def __init__(
        self,
        space: Space,
        searcher: str = "evolution",
        *,
        metric: str,
        mode: str = "max",
        seed: int = 0,
        **options: Any,
    ) -> None:
        """Make the searcher.

        Args:
            space: Where architectures live.
            searcher: A name from ``raynas.searchers.SEARCHERS``.
            metric: What the trainable reports.
            mode: ``max`` or ``min``.
            seed: The seed of the proposals.
            options: The searcher's own.

        Raises:
            ConfigError: There is no such searcher, or an option does not fit.
            SpaceError: It cannot express the space.
        """
        super().__init__(metric=metric, mode=mode)
        self._space = space
        self._searcher = make(searcher, space, options)
        check(self._searcher, Aim((Objective(metric),), _EPOCHS))
        self._seed = seed
        self._objective = Objective(metric, "min" if mode == "min" else "max")
        self._begin()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the next architecture's decisions by path."""
        number = len(self._history.trials)
        proposal = self._searcher.propose(self._history, proposal_rng(self._seed, number))
        if proposal is None:
            return str(TuneSearcher.FINISHED)
        architecture = proposal.architecture
        identity, seed = self._space.identity(architecture), training_seed(self._seed, number)
        started = Started(number, architecture, identity, _EPOCHS, seed, proposal.parent)
        self._note(trial_id, started)
        return dict(architecture)

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Take note of a report."""
        self._report(trial_id, result)

    def on_trial_complete(
        self,
        trial_id: str,
        result: Mapping[str, Any] | None = None,
        error: bool = False,  # noqa: FBT001, FBT002 - Tune's signature
    ) -> None:
        """Take note of a trial's end; without a result it failed."""
        if trial_id not in self._numbers:
            return
        if result and not error:
            self._report(trial_id, result)
        trial = self._history.trials[self._numbers[trial_id]]
        if error or not trial.reports:
            self._note(trial_id, Failed(trial.number, "the trainable failed"))
        else:
            self._note(trial_id, Finished(trial.number))

    def save(self, checkpoint_path: str) -> None:
        """Write the events."""
        lines = [[trial_id, type(event).__name__, _plain(event)] for trial_id, event in self._log]
        Path(checkpoint_path).write_text(json.dumps(lines), encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Replay the events."""
        self._begin()
        kinds = {kind.__name__: kind for kind in (Started, Report, Finished, Failed)}
        for trial_id, kind, data in json.loads(Path(checkpoint_path).read_text(encoding="utf-8")):
            if kind == Started.__name__:
                data["architecture"] = Architecture(data["architecture"])
            self._note(trial_id, kinds[kind](**data))

    def _begin(self) -> None:
        self._history = History((self._objective,))
        self._numbers: dict[str, int] = {}
        self._log: list[tuple[str, Event]] = []

    def _report(self, trial_id: str, result: Mapping[str, Any]) -> None:
        number = self._numbers.get(trial_id)
        if number is None or self.metric not in result:
            return
        epoch = int(result.get("training_iteration", 1))
        if epoch > self._history.trials[number].epoch:
            score = float(result[self.metric])
            self._note(trial_id, Report(number, epoch, {self._objective.metric: score}))

    def _note(self, trial_id: str, event: Started | Report | Finished | Failed) -> None:
        self._history.apply(event)
        self._log.append((trial_id, event))
        self._numbers[trial_id] = event.number


def _plain(event: Event) -> dict[str, Any]:
    data = asdict(event)
    if isinstance(event, Started):
        data["architecture"] = dict(event.architecture)
    return data
