"""Processes that train one network together; this module does not use Ray.

One of them, process 0, runs the trial as usual; the others accompany it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from raynas.execution.packing import Resources
from raynas.execution.training_context import TrainingContext, learner_of
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.winner import begun
from raynas.execution.worker import load, saved_of
from raynas.training.memory import memory_fails

if TYPE_CHECKING:
    from raynas.training.learner import Learner

_PATIENCE: Final = timedelta(days=7)  # a trial that hangs is ended by its own limit of time


def accompany(context: TrainingContext, spec: TrialSpec) -> None:
    """Train a trial as ``worker.train`` does, but report nothing and write no checkpoint.

    Raises:
        TrialError: The training failed.
        PeerError: Another process is gone.
    """
    import torch  # noqa: PLC0415 - only workers load torch

    with memory_fails():
        learner, _ = learner_of(context, spec)
        saved, _ = saved_of(spec, torch.device(context.device))
        if saved:
            learner.load_state(saved["training"])
        elif spec.parent:
            learner.inherit(load(spec.parent))
        _train(learner, spec.epochs)


def accompany_winner(context: TrainingContext, spec: TrialSpec) -> None:
    """Train the winner as ``winner.retrain`` does, in the same way.

    Raises:
        RaynasError: As for ``accompany``.
    """
    with memory_fails():
        learner, _ = begun(context, spec)
        _train(learner, spec.until or spec.epochs)


def _train(learner: Learner, epochs: int) -> None:
    with closing(learner):
        while learner.epoch < epochs:
            learner.step()


@contextmanager
def process_group(store: Any, rank: int, share: Resources) -> Iterator[None]:
    """Join the process group of a trial while the context is open.

    Args:
        store: The store of torch by which the processes find each other.
        rank: The number of this process.
        share: The resources of each process, and how many there are.
    """
    from torch import distributed  # noqa: PLC0415 - only workers load torch

    distributed.init_process_group(
        backend_of(share), store=store, rank=rank, world_size=share.workers, timeout=_PATIENCE
    )
    yield
    # Not after an error: the other processes may be gone, and a GPU would wait for them.
    distributed.destroy_process_group()


def backend_of(share: Resources) -> str:
    """Return what the processes talk by; NCCL needs a GPU for each."""
    if not share.gpus:
        return "gloo"
    return "cpu:gloo,cuda:gloo" if share.shared else "cpu:gloo,cuda:nccl"
