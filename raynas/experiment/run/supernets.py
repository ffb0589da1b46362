"""Between the training of supernets and the search among their candidates."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from typing import Final

import torch

from raynas.errors import RunError
from raynas.execution.checkpoint_file import read
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.experiment.run.folder import checkpoints
from raynas.experiment.run.result import Result
from raynas.insight.wording import metric
from raynas.oneshot.candidate import Candidate
from raynas.oneshot.loop import FILE, read_candidates
from raynas.oneshot.search import METHOD, Candidates
from raynas.trial import Event, Failed, Finished, History, Report, Trial

_LOG = logging.getLogger("raynas")
_QUIET: Final = 30.0  # seconds between two lines about the same supernet


def with_candidates(resolved: ResolvedExperiment, trained: Result) -> ResolvedExperiment:
    """Return the experiment whose searcher proposes the candidates of trained supernets.

    Raises:
        RunError: No supernet was trained, or its candidates cannot be read.
    """
    found = [_candidates(trained, trial) for trial in trained.history.finished if not trial.cut]
    if not found:
        failed = (one.outcome for one in trained.history.failed)
        why = "; ".join(one.reason for one in failed if isinstance(one, Failed))
        raise RunError(f"no supernet was trained: {why or 'the run was interrupted'}")
    searcher = Candidates(resolved.plan.space, found)
    return replace(resolved, plan=replace(resolved.plan, searcher=searcher))


def _candidates(trained: Result, trial: Trial) -> list[Candidate]:
    path = checkpoints(trained.output).of(trial.donor)
    saved, lacking = read(path, torch.device("cpu"))
    files = saved["training"]["loop"]["files"] if saved else {}
    if FILE not in files:
        raise RunError(
            f"the candidates of the supernet {trial.architecture[METHOD]!r} must be in its "
            f"checkpoint: {lacking or f'{path} has none'}; delete {trained.output} to train the "
            "supernets again"
        )
    return read_candidates(bytes(files[FILE].numpy()))


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
    return [name for name in trial.metrics if name.startswith("shared_") or name == "train_loss"]
