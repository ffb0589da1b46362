"""A task's own training loop, run epoch by epoch.

The loop is a generator that yields metrics after every epoch, or a function that calls
``context.report``; such a function runs in a thread, because libraries with a loop of their own
call back and do not return between two epochs.
"""

from __future__ import annotations

import inspect
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from torch import nn

from raynas.data import Loop
from raynas.errors import TrialError
from raynas.goals.metric import is_name
from raynas.training.batches import Batches
from raynas.training.inherit import grouping, inherit
from raynas.training.learner import Epoch
from raynas.training.loop_context import LoopContext, Restored
from raynas.training.loop_thread import in_thread
from raynas.training.peers import ALONE
from raynas.training.recording import not_recorded

_ENDED: Final = "ended_after"  # the number of epochs after which a loop ended by itself


class OwnLoop:
    """A child that is trained by a task's own loop.

    A loop that ends before its last epoch has finished: its last metrics count for the epochs
    that are left.

    Attributes:
        child: The network.
        epoch: Epochs trained so far.
        context: What the loop is told.
    """

    def __init__(self, child: nn.Module, loop: Loop, context: LoopContext) -> None:
        """Prepare to train.

        Args:
            child: The network; it is moved to the device.
            loop: The loop.
            context: What the loop is told.
        """
        self.child = child.to(context.device)
        self.epoch = context.epoch
        self.notices: list[str] = []
        self._noted = False
        self._loop = loop
        self.context = context
        self._reports: Iterator[Mapping[str, Any]] | None = None
        self._last: Mapping[str, float] = {}
        self._ended = 0

    def step(self) -> Epoch:
        """Run the loop to its next report.

        Raises:
            TrialError: It ended without a report, or reported something else than numbers; or all
                processes of the trial do the same work.
            PeerError: Another process is gone, or has another checkpoint.
        """
        started = time.perf_counter()
        if not self._ended:
            if self._reports is None:
                self.context.together.check_epoch(self.epoch)
                self.context.together.send(self.child)
                self.context.begin(self.epoch)
                self._reports = self._begun()
            reported = next(self._reports, None)
            self._note()
            self._check_divided()
            if reported is None:
                self._end()
            else:
                self._last = _numbers(reported)
        self.epoch += 1
        self.context.epoch = self.epoch
        facts = {_ENDED: float(self._ended)} if self._ended else {}
        return Epoch(self.epoch, {**self._last, **facts}, time.perf_counter() - started)

    def _begun(self) -> Iterator[Mapping[str, Any]]:
        if inspect.isgeneratorfunction(inspect.unwrap(self._loop.fit)):
            return iter(self._loop.fit(self.child, self.context))
        return in_thread(self._loop.fit, self.child, self.context)

    def _note(self) -> None:
        """Note, once, that a step is not recorded, and that the checkpoint is not used."""
        if self.context.unrecorded and not self._noted:
            self._noted = True
            self.notices.append(not_recorded(self.context.unrecorded))
        if self.context.ignored:
            self.context.restored = None
            self.notices.append(
                "continues with the weights of its checkpoint only, because its loop uses none of "
                "context.epochs(), context.track(...) and context.checkpoint"
            )

    def _check_divided(self) -> None:
        if self.context.idle:
            raise TrialError(
                f"the loop must share its work among the {self.context.together.count} workers of "
                "a trial, and it does not ask for context.peers: train on "
                "context.peers.part(batch) and call context.peers.mean_gradients(...) before each "
                "step, or leave workers_per_trial out"
            )

    def _end(self) -> None:
        if not self._last:
            raise TrialError(
                f"the loop must report metrics after every epoch: fit ended without a report, "
                f"{self.context.last_epoch - self.epoch} epochs before the end"
            )
        self._ended = self.epoch

    def state(self) -> dict[str, Any]:
        """Return the weights, and what the loop has registered to be saved."""
        return {
            "epoch": self.epoch,
            "child": self.child.state_dict(),
            "groups": grouping(self.child),
            "loop": self.context.state(),
            "last": dict(self._last),
            _ENDED: self._ended,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of the same trial."""
        self.epoch = state["epoch"]
        self.child.load_state_dict(state["child"])
        self._last, self._ended = state["last"], state[_ENDED]
        self.context.restored = Restored(state["loop"], own=True)

    def inherit(self, state: Mapping[str, Any]) -> float:
        """Inherit the weights of another trial, and what fits of the rest of its state."""
        share = inherit(self.child, state["child"], state.get("groups"))
        self.context.inherited = share
        self.context.restored = Restored(state["loop"], own=False)
        return share

    def test(self, examples: Callable[[], Batches]) -> dict[str, float]:  # noqa: ARG002
        """Return the metrics of the trained child, by the task's ``test``.

        Raises:
            TrialError: They are no numbers.
        """
        if self._loop.test is None:
            return dict(self._last)
        self.context.together = ALONE  # the other processes have ended
        return _numbers(self._loop.test(self.child, self.context))

    def close(self) -> None:
        """End the loop, and delete its folder."""
        close = getattr(self._reports, "close", None)
        self._reports = None
        try:
            if close:
                close()
        finally:
            self.context.release()
            shutil.rmtree(self.context.folder, ignore_errors=True)


def _numbers(reported: Any) -> dict[str, float]:
    """Return metrics as finite numbers.

    Raises:
        TrialError: They are none.
    """
    if not isinstance(reported, Mapping) or not reported:
        raise TrialError(
            "a loop must report metrics by name, such as {'val_loss': 0.5}: "
            f"got {reported!r:.80}"
        )
    for name in reported:
        if not is_name(name):
            raise TrialError(f"the name of a metric must be printable text, got {name!r:.80}")
    return {name: _number(name, value) for name, value in reported.items()}


def _number(name: str, value: Any) -> float:
    if hasattr(value, "detach"):  # torch warns of a conversion that loses the gradient
        value = value.detach()
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TrialError(f"the metric {name} must be a number: got {value!r:.80}") from error
    if not math.isfinite(number):
        raise TrialError(f"training diverged: {name} is {number}")
    return number
