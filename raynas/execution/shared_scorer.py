"""Score architectures by a trained supernet on a worker; this module does not use Ray."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from raynas.execution.training_context import Parts, TrainingContext, begin
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.worker import load
from raynas.oneshot.loop import SupernetLoop
from raynas.oneshot.supernet import Supernet
from raynas.training.loop import OwnLoop

if TYPE_CHECKING:
    from raynas.oneshot.scoring import SharedScores


def shared_scores_of(
    context: TrainingContext, loop: SupernetLoop, spec: TrialSpec
) -> SharedScores:
    """Return what scores architectures by the supernet of a trial.

    Args:
        context: What all supernets of the run share.
        loop: How they are trained.
        spec: The trial; its checkpoint has the weights.

    Raises:
        CheckpointError: The checkpoint cannot be read.
    """
    learner, _ = begin(context, replace(spec, begin=0), Parts())
    supernet = learner.child
    assert isinstance(learner, OwnLoop) and isinstance(supernet, Supernet)  # noqa: S101, PT018
    learner.load_state(load(spec.checkpoint))
    return loop.scores(supernet, learner.context)
