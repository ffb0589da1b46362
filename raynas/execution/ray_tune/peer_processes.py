"""The other processes that train the network of a trial: Ray actors that end with the trial.

The trial's own worker is process 0. Each process has a bundle of the trial's placement group, so
that Ray gives no CPU and no GPU twice.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util import get_current_placement_group, get_node_ip_address
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from raynas.errors import PeerError, RaynasError
from raynas.execution.packing import Resources
from raynas.execution.peer import accompany, accompany_winner, process_group
from raynas.execution.ray_tune import last_words
from raynas.execution.ray_tune.trainable import ChildTrainable, PackedContext
from raynas.execution.training_context import TrainingContext
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.uncollected import uncollected
from raynas.execution.winner import Tested
from raynas.execution.worker import failure
from raynas.trial import Failed, Report, WinnerEpoch

Accompany = Callable[[TrainingContext, TrialSpec], None]

_LOG = logging.getLogger("raynas")
_SOON: Final = 5.0  # seconds in which Ray knows of a process that is gone
_GRACE: Final = 60.0  # seconds in which process 0 notices by itself that another one is gone


class PeerProcess:
    """A Ray actor that accompanies a trial."""

    def __init__(
        self, packed: PackedContext, spec: TrialSpec, share: Resources, rank: int
    ) -> None:
        """Keep what the trial is.

        Args:
            packed: What all trials share.
            spec: The trial.
            share: The resources of each of its processes.
            rank: The number of this process.
        """
        with uncollected():
            self._context = packed.unpacked(share)
            import_module("torch")
        self._told = spec, share, rank

    def run(self, accompany: Accompany, host: str, port: int) -> None:
        """Train with the other processes, to the end; their store is at an address."""
        from torch import distributed  # noqa: PLC0415 - the driver must not load torch

        spec, share, rank = self._told
        store = distributed.TCPStore(host, port, share.workers, is_master=False)  # type: ignore[attr-defined]
        with process_group(store, rank, share):
            try:
                accompany(self._context, spec)
            except SystemExit as error:  # it would end the actor, as if its machine were lost
                raise RuntimeError(f"SystemExit: {error}") from error


class PeerProcesses:
    """The actors of a trial."""

    def __init__(self, shared: Any, spec: TrialSpec, share: Resources, trial_id: str) -> None:
        """Start them, without waiting.

        Args:
            shared: Ray's reference to what all trials share.
            spec: The trial.
            share: The resources of each of its processes.
            trial_id: What Tune calls the trial.
        """
        placement = get_current_placement_group()
        self._share = share
        self._number, self._trial_id = spec.number, trial_id
        self._closed = threading.Event()
        self._actors = [
            ray.remote(
                num_cpus=share.cpus,
                num_gpus=share.gpus,
                scheduling_strategy=PlacementGroupSchedulingStrategy(placement, rank),
            )(PeerProcess).remote(shared, spec, share, rank)
            for rank in range(1, share.workers)
        ]
        self._runs: list[Any] = []

    def joined(self, accompany: Accompany) -> Any:
        """Let them train; return the context manager of the group, as process 0.

        Args:
            accompany: What they do.

        Raises:
            RayError: One has not started.
        """
        from torch import distributed  # noqa: PLC0415 - the driver must not load torch

        ray.get([actor.__ray_ready__.remote() for actor in self._actors])
        host = get_node_ip_address()
        store = distributed.TCPStore(  # type: ignore[attr-defined]
            host, 0, self._share.workers, is_master=True, wait_for_workers=False
        )
        self._runs = [actor.run.remote(accompany, host, store.port) for actor in self._actors]
        threading.Thread(target=self._watch, name="peers", daemon=True).start()
        return process_group(store, 0, self._share)

    def explained(self, failed: Failed) -> Failed:
        """End them after a failure of the trial; return theirs if they are the reason.

        They are if one of them is gone, whatever process 0 says of that: a loop of a user's own
        may have talked to it. They are, too, if process 0 lost one that had failed itself.
        """
        lost = failed.cause == "circumstances"  # one is gone, but a busy Ray knows it later
        found = self._failure(_GRACE if lost else _SOON) if lost or failed.detail else None
        self.close()
        if found is None:
            return failed
        rank, error = found
        own = _judged(failed.number, error)
        if failed.detail and own.cause != "circumstances":  # process 0 had the error, too
            return failed
        reason = f"process {rank} of its training failed: {own.reason}"
        return replace(own, reason=reason, seconds=failed.seconds, worker=failed.worker)

    def why(self) -> str:
        """Return why one has ended with an error; empty if none has."""
        found = self._failure(_SOON)
        return f"process {found[0]} of its training failed: {_said(found[1])}" if found else ""

    def _failure(self, seconds: float) -> tuple[int, RayError] | None:
        """Return the number of one that has ended with an error, and the error; none if none.

        Args:
            seconds: How long to wait until all have ended.
        """
        if not self._runs:
            return None
        ended, _ = ray.wait(self._runs, num_returns=len(self._runs), timeout=seconds)
        found = [(rank, _error_of(run)) for rank, run in enumerate(self._runs, 1) if run in ended]
        errors = [(rank, error) for rank, error in found if error is not None]
        # One that is gone is the reason of all that the others say. Of these, some may have failed
        # only because they lost another one, which a loop of a user's own may say in any words.
        gone = [one for one in errors if not isinstance(one[1], RayTaskError)]
        own = [one for one in errors if not isinstance(_cause(one[1]), PeerError)]
        said = [one for one in own if isinstance(_cause(one[1]), RaynasError)]
        return next(iter(gone or said or own or errors), None)

    def close(self) -> None:
        """End them."""
        self._closed.set()
        for actor in self._actors:
            ray.kill(actor)

    def _watch(self) -> None:
        """End one that has failed, so that its connections close and this process notices.

        On GPUs, this one may wait for the others without end all the same, or it is busy with
        something long; then it ends, too, and leaves the reason.
        """
        left, actors = self._runs, dict(zip(self._runs, self._actors, strict=True))
        while left and not self._closed.is_set():
            ended, left = ray.wait(left, timeout=1.0)
            failed = [run for run in ended if _error_of(run) is not None]
            for run in failed:
                ray.kill(actors[run])
            if failed and not self._closed.wait(_GRACE):
                gone = Failed(self._number, "another process is gone", cause="circumstances")
                last_words.leave(self._trial_id, self.explained(gone))
                _LOG.error("another process of the trial is gone: this one ends")
                os._exit(1)


def _error_of(run: Any) -> RayError | None:
    """Return the error by which a run has ended; none if there was none."""
    try:
        ray.get(run)
    except RayError as error:
        return error
    return None


def _cause(error: BaseException) -> BaseException:
    return getattr(error, "cause", None) or error


def _judged(number: int, error: RayError) -> Failed:
    """Return the failure of an error of another process, as if process 0 had raised it."""
    cause = _cause(error)
    if not isinstance(error, RayTaskError) or not isinstance(cause, Exception):
        return Failed(number, _said(error), cause="circumstances")
    own = failure(number, cause)
    return replace(own, detail=str(error) if own.detail else "")


def _said(error: BaseException) -> str:
    cause = _cause(error)
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return lines[0]


class DataParallelTrainable(ChildTrainable):
    """Trains one network with other processes, in a worker that trains no second one."""

    def reset_config(self, new_config: Mapping[str, Any]) -> bool:
        """Begin the trial; the other processes start while this one loads torch."""
        begun = super().reset_config(new_config)
        self._peers = PeerProcesses(self._shared, self._spec, self._share, self.trial_id)
        return begun

    def cleanup(self) -> None:
        """Release the memory of the child; end the other processes."""
        super().cleanup()
        self._peers.close()

    def trained(self, context: TrainingContext, *, used: bool) -> Iterator[Any]:
        """Return the events of the trial or the winner; the other processes end with it."""
        return self._together(super().trained(context, used=used))

    def _together(self, events: Iterator[Any]) -> Iterator[Any]:
        spec, peers = self._spec, self._peers
        with ExitStack() as group, closing(peers):
            try:
                theirs = accompany_winner if self._final else accompany
                group.enter_context(peers.joined(theirs))
            except (RayError, RuntimeError) as error:
                reason = f"the processes of its training did not start: {error}".splitlines()[0]
                yield Failed(spec.number, peers.why() or reason, cause="circumstances")
                return
            for event in events:
                if isinstance(event, Failed):
                    yield peers.explained(event)
                    return
                if _is_last(event, spec):
                    group.close()
                    peers.close()
                yield event


def _is_last(event: Any, spec: TrialSpec) -> bool:
    """Return whether the processes have nothing to do together after an event."""
    if isinstance(event, WinnerEpoch):
        return event.epoch >= (spec.until or spec.epochs)
    return isinstance(event, Tested) or (isinstance(event, Report) and event.epoch >= spec.epochs)
