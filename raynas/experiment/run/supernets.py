"""The training of supernets, and what a run gets from them. Loads torch."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from raynas.errors import RunError
from raynas.execution.conductor import Conductor
from raynas.execution.ray_tune.final_training import NOTHING_FINAL
from raynas.execution.ray_tune.trainable import PackedContext
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.worker import load
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.experiment.resolve.supernets import Supernets
from raynas.experiment.run.ending import Assign
from raynas.experiment.run.folder import checkpoints
from raynas.experiment.settings import SHARED_PROXY
from raynas.insight.wording import metric
from raynas.oneshot.candidate import Candidate
from raynas.oneshot.search import METHOD, SHARED, Candidates
from raynas.rng import path_rng
from raynas.searchers.screened import Assess, Assessment
from raynas.space import Architecture
from raynas.storage import writing
from raynas.trial import Event, Failed, Finished, History, Report, Trial

if TYPE_CHECKING:
    from raynas.execution.ray_tune.scoring_pool import ScoringPool
    from raynas.execution.ray_tune.session import RaySession

_LOG = logging.getLogger("raynas")
_QUIET: Final = 30.0  # seconds between two lines about the same supernet
_FILE: Final = "candidates.json"
MOST: Final = 16  # candidates of a supernet, unless there are more trials


@dataclass(frozen=True, slots=True)
class CandidatesEnding:
    """Let each supernet propose architectures, scored by its weights, and keep them in a file.

    Attributes:
        supernets: The supernets.
        count: How many architectures each proposes; 0 if their weights are all that is wanted.
    """

    supernets: Supernets
    count: int

    @property
    def path(self) -> Path:
        """The file of the candidates."""
        return self.supernets.training.experiment.output / _FILE

    def lacks(self, conductor: Conductor) -> bool:  # noqa: ARG002 - by contract
        """Return whether candidates are wanted, and there are none yet."""
        return self.count > 0 and not self.path.exists()

    def over(self, conductor: Conductor) -> None:
        """Say nothing: the search goes on with the candidates."""

    def run(self, session: RaySession, conductor: Conductor, assign: Assign) -> None:
        """Train the supernets, then score architectures.

        Raises:
            RunError: No supernet was trained.
        """
        if not conductor.finished:
            session.run_trials(conductor, assign, NOTHING_FINAL)
        trained = trained_in(conductor.history)
        if not self.count:
            return
        found = [self._proposed(session, assign, trial) for trial in trained]
        content = json.dumps([[one.to_data() for one in each] for each in found])
        with writing(self.path):
            partial = self.path.with_suffix(".partial")
            partial.write_text(content)
            partial.replace(self.path)

    def _proposed(self, session: RaySession, assign: Assign, trial: Trial) -> list[Candidate]:
        """Return the candidates of one supernet."""
        loop, spec = self.supernets.loop, assign(trial)
        method = loop.method(str(trial.architecture[METHOD]))
        method.load_state_dict(load(spec.checkpoint)["loop"]["tracked"]["method"])
        begun = time.perf_counter()
        rng = path_rng(trial.started.seed, trial.epoch)
        with closing(session.scoring_pool(self.supernets.space, loop, spec)) as pool:
            found = method.candidates(pool, self.supernets.relaxation, self.count, rng)
        seconds = time.perf_counter() - begun
        best = found[0].shared_score if found else float("nan")
        _LOG.info(
            "supernet of %s: scored architectures for %.1f s; its first has %s%s %s",
            *(method.name, seconds, SHARED, loop.objective.metric),
            metric(loop.objective.metric, best),
        )
        return found

    def read(self) -> list[list[Candidate]]:
        """Return the candidates of each supernet."""
        saved: list[list[dict[str, Any]]] = json.loads(self.path.read_text())
        return [[Candidate.from_data(one) for one in each] for each in saved]


def trained_in(history: History) -> list[Trial]:
    """Return the trials whose supernets were trained to the end.

    Raises:
        RunError: There is none.
    """
    if trained := [trial for trial in history.finished if not trial.cut]:
        return trained
    failed = (one.outcome for one in history.failed)
    why = "; ".join(one.reason for one in failed if isinstance(one, Failed))
    raise RunError(f"no supernet was trained: {why}")


def with_candidates(resolved: ResolvedExperiment, ending: CandidatesEnding) -> ResolvedExperiment:
    """Return the experiment whose searcher proposes the candidates of trained supernets."""
    searcher = Candidates(resolved.plan.space, ending.read())
    return replace(resolved, plan=replace(resolved.plan, searcher=searcher))


def with_shared_proxy(
    resolved: ResolvedExperiment, supernets: Supernets, trained: History
) -> ResolvedExperiment:
    """Return the experiment in which the score by a trained supernet is a proxy.

    Raises:
        RunError: It was not trained.
    """
    (trial,) = trained_in(trained)
    training = supernets.training
    spec = TrialSpec(
        trial.number,
        dict(trial.architecture),
        trial.started.epochs,
        trial.started.seed,
        str(checkpoints(training.experiment.output).of(trial.number)),
    )

    def assessor(session: RaySession) -> Assess:
        packed = PackedContext.of(training.work, "cpu")
        pool = session.scoring_beside(supernets.space, (packed, supernets.loop, spec))

        def assess(architectures: Sequence[Architecture]) -> list[Assessment]:
            return [_assessment(pool, score) for score in pool.many(architectures)]

        return assess

    return replace(resolved, assessors=(*resolved.assessors, assessor))


def _assessment(pool: ScoringPool, score: float | None) -> Assessment:
    return Assessment({} if score is None else {SHARED_PROXY: -pool.loss(score)})


@dataclass(slots=True)
class SupernetLines:
    """Tells in lines how the supernets come on.

    Attributes:
        epochs: How long each is trained.
    """

    epochs: int
    _told: dict[int, float] = field(default_factory=dict)

    def write(self, event: Event, history: History) -> None:
        """Say what happened, if it is the end of a supernet or nothing was said for a while."""
        if not isinstance(event, Report | Finished | Failed):
            return
        trial = history.trials[event.number]
        method, now = trial.architecture[METHOD], time.monotonic()
        if isinstance(event, Failed):
            _LOG.warning("the supernet of %s failed: %s", method, event.reason)
        elif isinstance(event, Finished) or now >= self._told.get(trial.number, 0.0) + _QUIET:
            self._told[trial.number] = now
            _LOG.info(
                "supernet of %s: epoch %d of %d, %s",
                method,
                trial.epoch,
                self.epochs,
                ", ".join(f"{name} {metric(name, trial.metrics[name])}" for name in _shown(trial)),
            )


def _shown(trial: Trial) -> list[str]:
    return [name for name in trial.metrics if name.startswith(SHARED) or name == "train_loss"]
