"""The training of supernets, and what a run gets from them. Loads torch."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import torch

from raynas.errors import JournalError, RunError
from raynas.execution.checkpoint_file import CheckpointFile
from raynas.execution.conductor import Conductor
from raynas.execution.ray_tune.final_training import NOTHING_FINAL
from raynas.execution.ray_tune.trainable import PackedContext
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.worker import load
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.experiment.resolve.supernets import Supernets
from raynas.experiment.run.ending import Assign
from raynas.experiment.run.folder import checkpoints
from raynas.experiment.settings import SHARED_PROXY
from raynas.insight.wording import metric
from raynas.json_text import parsed
from raynas.oneshot.candidate import Candidate
from raynas.oneshot.saved import misfit
from raynas.oneshot.search import METHOD, SHARED, Candidates
from raynas.rng import path_rng
from raynas.searchers.screened import Assess, Assessment
from raynas.space import Architecture, Value
from raynas.storage import Store, store_of
from raynas.trial import Event, Failed, Finished, History, Report, Trial

if TYPE_CHECKING:
    from raynas.execution.ray_tune.scoring_pool import ScoringPool
    from raynas.execution.ray_tune.session import RaySession

_LOG = logging.getLogger("raynas")
_QUIET: Final = 30.0  # seconds between two lines about the same supernet
_FILE: Final = "candidates.json"
_FEWEST: Final = 16  # trials for candidates, if the user does not say how many
PROPOSED: Final = 16  # by each supernet at least, because a run may get more trials later


@dataclass(frozen=True, slots=True)
class CandidatesEnding:
    """Let each supernet propose architectures, scored by its weights, and keep them in a file.

    Attributes:
        supernets: The supernets.
        count: How many architectures each proposes; 0 if their weights are all that is wanted.
    """

    supernets: Supernets
    count: int

    def lacks(self, conductor: Conductor) -> bool:  # noqa: ARG002 - by contract
        """Return whether candidates are wanted, and there are none yet."""
        return self.count > 0 and _FILE not in self._store.names()

    def over(self, conductor: Conductor) -> None:
        """Say nothing: the search goes on with the candidates."""

    def run(self, session: RaySession, conductor: Conductor, assign: Assign) -> None:
        """Train the supernets, then score architectures.

        Raises:
            RunError: No supernet was trained.
            ResourceError: The machines of the cluster have too little memory for one.
            JournalError: Another version has saved one, with other names.
        """
        check_saved(self.supernets, conductor.history)
        if not conductor.finished:
            if limit := session.memory_limit():
                self.supernets.check_memory(limit)
            session.run_trials(conductor, assign, NOTHING_FINAL)
        trained = trained_in(conductor.history)
        if not self.count:
            return
        found = [self._proposed(session, assign, trial) for trial in trained]
        content = json.dumps([[one.to_data() for one in each] for each in found])
        self._store.write({_FILE: content.encode()})

    def _proposed(self, session: RaySession, assign: Assign, trial: Trial) -> list[Candidate]:
        """Return the candidates of one supernet."""
        loop, spec = self.supernets.loop, assign(trial)
        method = loop.method(str(trial.architecture[METHOD]))
        method.load_state_dict(load(spec.checkpoint)["loop"]["tracked"]["method"])
        build = self.supernets.build
        method.told(build.relaxation, self.supernets.feasibility)
        begun = time.perf_counter()
        rng = path_rng(trial.started.seed, trial.epoch)
        with closing(session.scoring_pool(build.space, loop, spec)) as pool:
            found = method.candidates(pool, build.relaxation, self.count, rng)
        seconds = time.perf_counter() - begun
        best = found[0].shared_score if found else float("nan")
        _LOG.info(
            "%s: scored architectures for %.1f s; its first has %s%s %s",
            *(_called(trial), seconds, SHARED, loop.objective.metric),
            metric(loop.objective.metric, best),
        )
        return found

    def read(self) -> list[list[Candidate]]:
        """Return the candidates of each supernet."""
        saved: list[list[dict[str, Any]]] = parsed(self._store.read(_FILE))
        return [[Candidate.from_data(one) for one in each] for each in saved]

    @property
    def _store(self) -> Store:
        return store_of(self.supernets.training.experiment.output)


def trained_in(history: History) -> list[Trial]:
    """Return the best trial of each method whose supernet was trained to the end.

    Raises:
        RunError: There is none.
    """
    best: dict[Value, Trial] = {}
    for trial in history.finished:
        if trial.cut or trial.stopped:
            continue
        known = best.setdefault(trial.architecture[METHOD], trial)
        if trial.losses[0] < known.losses[0]:
            best[trial.architecture[METHOD]] = trial
    if best:
        return sorted(best.values(), key=lambda one: one.number)
    failed = (one.outcome for one in history.failed)
    why = "; ".join(one.reason for one in failed if isinstance(one, Failed))
    raise RunError(f"no supernet was trained: {why}")


def check_saved(supernets: Supernets, history: History) -> None:
    """Check that the supernets that an earlier process has saved fit those of this one.

    Raises:
        JournalError: One has other names; they are in the message.
    """
    output, build = supernets.training.experiment.output, supernets.build
    for trial in (*history.running, *history.finished):
        file = CheckpointFile.at(str(checkpoints(output).of(trial.number)))
        saved, _ = file.read(torch.device("cpu"))
        if not saved:
            continue
        method = supernets.loop.method(str(trial.architecture[METHOD]))
        supernet = build(trial.architecture)
        if wrong := misfit(saved["training"], supernet, method, build.relaxation):
            raise JournalError(
                f"a saved supernet must have the names that it has in this version, and "
                f"{_called(trial)} in {output} was saved by another one: {wrong}. Delete "
                f"{output} to train the supernets again, or use the version that saved them"
            )


def candidates_of(experiment: Experiment, *, limited: bool) -> int:
    """Return how many trials train the candidates of supernets; the finalists come after them.

    If the candidates have limits of their own, all are candidates: a searcher knows none of them.
    """
    trials = int(experiment.most_trials)
    usual = trials if limited else max(_FEWEST, trials // 4)
    return min(experiment.candidates or usual, trials - int(experiment.finalists * trials))


def with_candidates(resolved: ResolvedExperiment, ending: CandidatesEnding) -> ResolvedExperiment:
    """Return the experiment whose first trials train the candidates of supernets."""
    limited = ending.supernets.limited
    count = candidates_of(resolved.experiment, limited=limited)
    searcher = Candidates(resolved.plan.searcher, ending.read(), count, limited)
    return replace(resolved, plan=replace(resolved.plan, searcher=searcher))


def with_shared_proxy(
    resolved: ResolvedExperiment, supernets: Supernets, trained: History
) -> ResolvedExperiment:
    """Return the experiment in which the score by a trained supernet is a proxy.

    Raises:
        RunError: It was not trained.
        JournalError: Another version has saved it, with other names.
    """
    (trial,) = trained_in(trained)
    check_saved(supernets, trained)
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
        pool = session.scoring_beside(supernets.build.space, (packed, supernets.loop, spec))

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
    _epochs: dict[int, int] = field(default_factory=dict)

    def write(self, event: Event, history: History) -> None:
        """Say what happened, if it is the end of a supernet or nothing was said for a while."""
        if not isinstance(event, Report | Finished | Failed):
            return
        trial, now = history.trials[event.number], time.monotonic()
        if isinstance(event, Failed):
            _LOG.warning("%s failed: %s", _called(trial), event.reason)
            return
        soon = now < self._told.get(trial.number, 0.0) + _QUIET
        ended = isinstance(event, Finished)
        if (soon and not ended) or self._epochs.get(trial.number) == trial.epoch:
            return
        self._told[trial.number], self._epochs[trial.number] = now, trial.epoch
        _LOG.info(
            "%s: epoch %d of %d, %s",
            _called(trial),
            trial.epoch,
            self.epochs,
            ", ".join(f"{name} {metric(name, trial.metrics[name])}" for name in _shown(trial)),
        )


def _called(trial: Trial) -> str:
    """Return the name of a supernet, with its settings if they are searched."""
    settings = [
        f"{path} {value:.3g}" if isinstance(value, float) else f"{path} {value}"
        for path, value in trial.architecture.items()
        if path != METHOD
    ]
    said = f" ({', '.join(settings)})" if settings else ""
    return f"supernet {trial.number} of {trial.architecture[METHOD]}{said}"


def _shown(trial: Trial) -> list[str]:
    return [name for name in trial.metrics if name.startswith(SHARED) or name == "train_loss"]
