"""The winner: chosen when the search is over, trained on all but the test data, kept."""

from __future__ import annotations

import logging
import shlex
import time
from dataclasses import dataclass, field

from raynas.errors import RunError
from raynas.execution.conductor import Conductor
from raynas.execution.winner import Retrained, Tested
from raynas.execution.worker import TrialSpec
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.experiment.run.folder import WINNER, checkpoints, keep_winner
from raynas.insight.estimates import reason
from raynas.insight.run_limits import ended_by
from raynas.insight.wording import metric
from raynas.rng import winner_seed
from raynas.searchers.recommendation import Recommendation
from raynas.storage import writing
from raynas.training.exported import input_card
from raynas.trial import Failed, History, Winner

_LOG = logging.getLogger("raynas")


def lacks_winner(conductor: Conductor) -> bool:
    """Say whether the network to hand over is another than was trained last, if any was."""
    chosen, winner = conductor.recommended, conductor.history.winner
    return chosen is None or winner is None or winner.number != chosen.number


def say_limit(experiment: Experiment, conductor: Conductor) -> None:
    """Tell people what has ended the search, if it was a limit, and how to go on."""
    if limit := conductor.limit:
        said = ended_by(limit, conductor.plan.limits, conductor.history)
        way_on = f"raynas resume {shlex.quote(str(experiment.output))}"
        _LOG.info("%s.\nTo go on: %s --%s ...", said, way_on, limit.replace("_", "-"))


def say_over(experiment: Experiment, conductor: Conductor) -> None:
    """Tell people why a run that they take up does nothing, and how to go on."""
    say_limit(experiment, conductor)
    trained, most = conductor.history.trained, experiment.most_trials
    if not conductor.limit and trained >= most:
        _LOG.info(
            "nothing is left to do: --trials is %d, and %s trained already; to go on: "
            "raynas resume %s --trials with more than %d",
            most,
            "1 trial is" if trained == 1 else f"{trained} trials are",
            shlex.quote(str(experiment.output)),
            trained,
        )


@dataclass(slots=True)
class WinnerTraining:
    """Chooses the winner, says how it is trained, and keeps what became of it.

    Attributes:
        experiment: What was asked for.
        resolved: What its words stand for.
        conductor: Has led the search.
    """

    experiment: Experiment
    resolved: ResolvedExperiment
    conductor: Conductor
    _recommended: Recommendation | None = field(init=False, default=None)

    def choose(self) -> TrialSpec | None:
        """Return how the winner is trained; none if it was trained before.

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
        epochs, weights, number = experiment.winner_epochs or experiment.epochs, "", chosen.number
        if chosen.started.inherits:  # its score is that of weights no training from scratch gives
            epochs, weights = chosen.epoch, str(checkpoints(experiment.output).of(chosen.donor))
            _LOG.info("testing the winner, trial %d, with the weights it has", number)
        else:
            _LOG.info("training the winner, trial %d, on training and validation data", number)
        return TrialSpec(
            number,
            dict(chosen.architecture),
            epochs,
            winner_seed(experiment.seed),
            checkpoint="",
            parent=weights,
        )

    def take(self, event: Tested | Retrained | Failed) -> None:
        """Say what the test gave, then keep the files.

        Raises:
            RunError: The winner failed.
        """
        match event:
            case Tested(metrics):
                said = ", ".join(
                    f"{name} {metric(name, value)}" for name, value in metrics.items()
                )
                _LOG.info("the winner is trained and tested, now it is exported: %s", said)
            case Retrained() if self._recommended is not None:
                self._keep(self._recommended, event)
            case Failed(number=number, reason=reason, detail=detail):
                folder = shlex.quote(str(self.experiment.output))
                error = RunError(
                    f"the winner, trial {number}, could not be trained and tested: {reason}; the "
                    f"trials are kept: raynas show {folder} lists them, raynas resume {folder} "
                    "tries again"
                )
                if detail:
                    error.add_note(detail)
                raise error

    def _keep(self, recommended: Recommendation, retrained: Retrained) -> None:
        if missing := retrained.exported.missing:
            _LOG.warning(
                "the winner's network.pt2 is missing, for torch cannot export this network (%s); "
                "weights.safetensors is there, for the network that the space builds",
                missing.splitlines()[0],
            )
        experiment, data, chosen = self.experiment, self.resolved.data, recommended.trial
        card = {
            "space": experiment.described()["space"],
            "space_options": experiment.described()["space_options"],
            "architecture": dict(chosen.architecture),
            "task": experiment.described()["task"],
            "input_shape": list(data.input_shape),
            "classes": data.classes,
            "class_names": list(data.names),
            "input": input_card(data),
            "metrics": dict(retrained.metrics),
        }
        with writing(experiment.output / WINNER):
            keep_winner(experiment.output, retrained.exported.files, card)
        self.conductor.record(
            Winner(
                chosen.number,
                retrained.metrics,
                WINNER,
                at=time.time(),
                reason=reason(self.conductor.history, recommended),
                front=recommended.front,
            )
        )


def _why_none(history: History) -> str:
    outcomes = (trial.outcome for trial in history.failed)
    reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, Failed)}
    silent = "they were not given the time" if history.trials else "nothing was proposed in time"
    why = "; ".join(sorted(reasons)[:3]) or silent
    return f"none of {history.trained} trials finished: {why}"
