"""The winner: choose it after the search, train it on training and validation data, save it."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from raynas.data import Data, LoopData
from raynas.errors import RunError
from raynas.execution.conductor import Conductor
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.winner import Tested, WinnerEvent
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.experiment.run.folder import WINNER, checkpoints, keep_winner
from raynas.insight.estimates import reason
from raynas.insight.text.limits import ended_by
from raynas.insight.wording import metric
from raynas.rng import winner_seed
from raynas.searchers.recommendation import Recommendation
from raynas.training.exported import PROGRAM, WEIGHTS, Exported, network_card
from raynas.trial import Failed, History, Trial, Winner, WinnerEpoch

_LEVELS: Final = {"digits": 16.0}  # tasks whose white is another value than 255
_LOG = logging.getLogger("raynas")


def lacks_winner(conductor: Conductor) -> bool:
    """Return whether the recommended network is not exported yet."""
    chosen, winner = conductor.recommended, conductor.history.winner
    if chosen is None or winner is None:
        return True
    return winner.number != chosen.number or not winner.folder


def say_limit(experiment: Experiment, conductor: Conductor) -> None:
    """Log which limit has ended the search, if any has, and how to continue."""
    if limit := conductor.limit:
        said = ended_by(limit, conductor.plan.limits, conductor.history)
        resume = f"raynas resume {shlex.quote(str(experiment.output))}"
        _LOG.info("%s.\nTo continue: %s --%s ...", said, resume, limit.replace("_", "-"))


def say_over(experiment: Experiment, conductor: Conductor) -> None:
    """Log why a resumed run has nothing to do, and how to continue."""
    say_limit(experiment, conductor)
    trained, most = conductor.history.trained, experiment.most_trials
    if not conductor.limit and trained >= most:
        _LOG.info(
            "nothing is left to do: --trials is %d, and %s trained already; to continue: "
            "raynas resume %s --trials with more than %d",
            most,
            "1 trial is" if trained == 1 else f"{trained} trials are",
            shlex.quote(str(experiment.output)),
            trained,
        )


@dataclass(slots=True)
class WinnerTraining:
    """Chooses the winner, specifies its training, and saves the results.

    Attributes:
        experiment: The settings of the run.
        resolved: The objects that the settings name.
        conductor: The conductor of the search.
    """

    experiment: Experiment
    resolved: ResolvedExperiment
    conductor: Conductor
    _recommended: Recommendation | None = field(init=False, default=None)
    _missing: list[str] = field(init=False, default_factory=list)

    def choose(self) -> TrialSpec | None:
        """Return the specification of the winner's training; none if it is exported already.

        Raises:
            RunError: No trial finished.
        """
        experiment, conductor = self.experiment, self.conductor
        say_limit(experiment, conductor)
        if not lacks_winner(conductor):
            return None
        recommended = self._recommended = conductor.recommendation
        if recommended is None:
            raise RunError(_why_none(conductor.history))
        chosen = recommended.trial
        number, files = chosen.number, checkpoints(experiment.output)
        full = self.resolved.epochs
        epochs, weights = experiment.winner_epochs or full, ""
        if chosen.started.inherits:  # a training from new weights would not reach its score
            epochs, weights = chosen.epoch, str(files.of(chosen.donor))
        whole = weights or self.resolved.loop
        until = 0 if whole else best_epoch(chosen, epochs / full)
        if self._tested:
            _LOG.info("exporting the winner, trial %d: it is trained and tested already", number)
        elif weights:
            _LOG.info("testing the winner, trial %d, with the weights of its trial", number)
        else:
            _LOG.info("training the winner, trial %d, on training and validation data", number)
            self._begin(number, until or epochs)
        return TrialSpec(
            number,
            dict(chosen.architecture),
            epochs,
            winner_seed(experiment.seed),
            checkpoint=str(files.winner),
            parent=weights,
            until=until,
        )

    def _begin(self, number: int, epochs: int) -> None:
        so_far = self.conductor.history.winner_epoch
        if so_far is None or so_far.number != number:
            self.conductor.record(WinnerEpoch(number, 0, epochs, at=self.conductor.clock()))

    def take(self, event: WinnerEvent) -> None:
        """Record an event of the winner's training, and save its files.

        The score is recorded before the export, because the export may fail or take long.

        Raises:
            RunError: The winner could not be trained and tested.
            StorageError: A file of the winner cannot be written.
        """
        match event:
            case WinnerEpoch():
                self.conductor.record(replace(event, at=self.conductor.clock()))
            case Tested(metrics, weights):
                self._keep_tested(metrics, weights)
            case Exported():
                self._keep_program(event)
            case Failed() if self._tested:
                _LOG.warning(
                    "the winner's %s is missing: %s; its score and the other files are saved, and "
                    "raynas resume %s exports it again",
                    PROGRAM,
                    event.reason,
                    shlex.quote(str(self.experiment.output)),
                )
            case Failed():
                raise self._failure(event)

    @property
    def _tested(self) -> Winner | None:
        """The winner, if it is tested but not exported yet."""
        chosen, winner = self._recommended, self.conductor.history.winner
        if chosen is None or winner is None or winner.folder:
            return None
        return winner if winner.number == chosen.trial.number else None

    def _keep_tested(self, metrics: Mapping[str, float], weights: Exported) -> None:
        chosen = self._recommended
        if chosen is None:
            return
        if not self._tested:
            why = reason(self.conductor.history, chosen)
            front, now = chosen.front, self.conductor.clock()
            self.conductor.record(
                Winner(chosen.trial.number, metrics, "", at=now, reason=why, front=front)
            )
            said = ", ".join(f"{name} {metric(name, value)}" for name, value in metrics.items())
            _LOG.info("the winner is trained and tested, now it is exported: %s", said)
        winner = self.conductor.history.winner
        known = winner.metrics if winner else {}
        card = winner_card(self.experiment, self.resolved.data, chosen.trial, known)
        keep_winner(self.experiment.output, weights.files, card)
        self._missing = _said_missing(WEIGHTS, weights)

    def _keep_program(self, program: Exported) -> None:
        winner = self._tested
        if winner is None:
            return
        missing = [*self._missing, *_said_missing(PROGRAM, program)]
        for said in missing:
            _LOG.warning("the winner's %s", said)
        keep_winner(self.experiment.output, program.files)
        self.conductor.record(
            replace(winner, folder=WINNER, at=self.conductor.clock(), missing="; ".join(missing))
        )
        checkpoints(self.experiment.output).drop_winner()

    def _failure(self, event: Failed) -> RunError:
        folder = shlex.quote(str(self.experiment.output))
        error = RunError(
            f"the winner, trial {event.number}, could not be trained and tested: {event.reason}; "
            f"the trials are kept: raynas show {folder} lists them, raynas resume {folder} tries "
            "again"
        )
        if event.detail:
            error.add_note(event.detail)
        return error


def winner_card(
    experiment: Experiment, data: Data | LoopData, chosen: Trial, metrics: Mapping[str, float]
) -> dict[str, Any]:
    """Return the contents of ``architecture.json``.

    Args:
        experiment: The settings of the run.
        data: Its data.
        chosen: The trial whose architecture it is.
        metrics: The results of the test.
    """
    described = experiment.described()
    return {
        "space": described["space"],
        "space_options": described["space_options"],
        "architecture": dict(chosen.architecture),
        "task": described["task"],
        "levels": _LEVELS.get(str(described["task"]), 255.0),
        **network_card(data),
        "metrics": dict(metrics),
    }


def best_epoch(chosen: Trial, scale: float) -> int:
    """Return the best epoch of a trial that ended early, in a longer training; 0 if it did not."""
    best = chosen.metrics.get("best_epoch", 0.0)
    return max(1, round(best * scale)) if best else 0


def _said_missing(name: str, exported: Exported) -> list[str]:
    """Return which file is missing, why, and which file replaces it; empty if none is missing."""
    if not exported.missing:
        return []
    why = exported.missing.splitlines()[0]
    if name == PROGRAM:
        return [
            f"{name} is missing, because torch cannot export this network ({why}); its weights "
            "are saved, for the network that the space builds"
        ]
    instead = f"; {', '.join(exported.files)} is saved instead" if exported.files else ""
    return [f"{name} is missing ({why}){instead}"]


def _why_none(history: History) -> str:
    if nearest := history.best:
        broken = (one.broken(nearest.metrics) for one in history.constraints)
        return (
            f"none of {len(history.finished)} finished trials keeps the constraints: in the "
            f"nearest one, trial {nearest.number}, {' and '.join(filter(None, broken))}; loosen a "
            "constraint, or continue with more trials"
        )
    outcomes = (trial.outcome for trial in history.failed)
    reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, Failed)}
    silent = "the time was too short" if history.trials else "no trial was proposed in time"
    why = "; ".join(sorted(reasons)[:3]) or silent
    return f"none of {history.trained} trials finished: {why}"
