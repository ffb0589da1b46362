"""A step that runs, is recorded, and is then replayed.

A small network is limited by its hundreds of kernel launches and not by its arithmetic. A CUDA
graph launches all of them at once (Gray, Getting Started with CUDA Graphs, NVIDIA, 2019; "CUDA
graphs" in the notes of torch).

A graph repeats kernels with fixed arguments at fixed addresses. So a step is recorded only if
all that changes is in tensors on the device: inputs are copied to fixed tensors, numbers such as
the learning rate become tensors, and a step in which the host has a part is not recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, Protocol

import torch
from torch import Tensor

from raynas.training.recording.cuda_graphs import CudaGraphs
from raynas.training.recording.fixed import (
    addresses,
    host_state,
    parameters,
    plain_values,
    unrecordable,
)
from raynas.trees import leaves, mapped, named_leaves

Call = Callable[[], Any]

_WARM_UP: Final = 3  # steps before a recording, as in torch's notes: they make what a step keeps
_SHAPES: Final = 4  # recordings of one step at most, because each needs memory
_CHANGES: Final = 2  # so often the step is recorded again because its network has changed


class Recorder(Protocol):
    """Records calls on a device."""

    def watched(self, call: Call) -> tuple[Any, str]:
        """Call; return the result, and why the call cannot be recorded, empty if it can."""

    def warmed(self, call: Call) -> Any:
        """Call as before a recording; return the result."""

    def record(self, call: Call) -> Call:
        """Record the call without running it; the result replays it.

        The replayed call returns the same tensors each time, with new contents.

        Raises:
            Exception: The call cannot be recorded.
        """


class Recorded:
    """Calls a step, and replays a recording of it once it has one.

    Each of the first calls runs the step itself, so nothing is trained twice. Arguments of
    another shape get a recording of their own. A step that cannot be recorded runs as it is.

    Attributes:
        reason: Why the step is not recorded, in words; empty if it is or will be.
    """

    def __init__(
        self, step: Callable[..., Any], parts: Sequence[Any], recorder: Recorder | None
    ) -> None:
        """Keep the step.

        Args:
            step: Gets trees of tensors on the device, and returns one. A number is given to it as
                a tensor with one number.
            parts: All that the step uses and that can change: networks, goals, optimizers.
            recorder: Records it; none to run the step as it is.
        """
        self.reason = ""
        self._step = step
        self._parts = parts
        self._recorder = recorder
        self._calls: dict[Hashable, int] = {}
        self._recordings: dict[Hashable, _Recording] = {}
        self._fixed: Hashable = None
        self._changes = 0
        self._due = False

    def __call__(self, *given: Any) -> Any:
        """Return the result of the step; its tensors are the caller's."""
        if self._due:
            self._check()
        if self._recorder is None or self.reason:
            return self._step(*given)
        return self._called(given, self._recorder)

    def _called(self, given: tuple[Any, ...], recorder: Recorder) -> Any:
        key = _key(given)
        recording = self._recordings.get(key)
        if recording:
            return recording(given)
        seen = self._calls[key] = self._calls.get(key, 0) + 1
        if seen > _WARM_UP and len(self._recordings) < _SHAPES:
            return self._record(key, given, recorder)
        given = _with_tensors(given)
        if seen < _WARM_UP:
            return recorder.warmed(lambda: self._step(*given))
        before = host_state(self._parts)
        result, self.reason = recorder.watched(lambda: self._step(*given))
        if not self.reason and host_state(self._parts) != before:
            self.reason = "the host has a part in its step: attributes or generators change"
        return result

    def begin(self) -> None:
        """Begin an epoch: what was recorded is forgotten if the parts have changed since."""
        self._due = True

    def _check(self) -> None:
        self._due = False
        if self._recordings and self._state() != self._fixed:
            self.forget()
            self._changes += 1
            if self._changes > _CHANGES:
                self.reason = "attributes or tensors of its network change from epoch to epoch"

    def forget(self) -> None:
        """Release all recordings."""
        self._recordings.clear()
        self._calls.clear()

    def _record(self, key: Hashable, given: tuple[Any, ...], recorder: Recorder) -> Any:
        self.reason = unrecordable(self._parts)
        if self.reason:
            return self._step(*given)
        fixed = _with_tensors(mapped(_copied, given))
        gradients = [(one, one.grad) for one in parameters(self._parts)]
        try:
            replay = recorder.record(lambda: self._step(*fixed))
        except Exception as error:  # noqa: BLE001 - a child is a user's code, and CUDA has many
            self.reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            self.forget()
            for parameter, gradient in gradients:
                parameter.grad = gradient
            return self._step(*given)
        if not self._recordings:
            self._fixed = self._state()
        self._recordings[key] = _Recording(fixed, replay)
        return self._recordings[key](given)

    def _state(self) -> Hashable:
        return plain_values(self._parts), addresses(self._parts)


class _Recording:
    """A recorded call with its fixed arguments."""

    def __init__(self, fixed: Any, replay: Call) -> None:
        self._fixed = [*leaves(fixed)]
        self._replay = replay

    def __call__(self, given: Any) -> Any:
        for own, new in zip(self._fixed, leaves(given), strict=True):
            if isinstance(new, Tensor):
                own.copy_(new)
            elif isinstance(new, float):
                own.fill_(new)
        return mapped(_copied, self._replay())


def _key(given: Any) -> Hashable:
    """Return what must be equal for a recording to hold: all but contents and real numbers."""
    return tuple((name, _kind(leaf)) for name, leaf in named_leaves(given))


def _kind(leaf: Any) -> Hashable:
    if isinstance(leaf, Tensor):
        return leaf.shape, leaf.stride(), leaf.dtype, leaf.device, leaf.requires_grad
    return float if isinstance(leaf, float) else (type(leaf), repr(leaf))


def _copied(leaf: Any) -> Any:
    return leaf.detach().clone() if isinstance(leaf, Tensor) else leaf


def _with_tensors(given: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return arguments with a tensor in place of each real number."""
    device = next((leaf.device for leaf in leaves(given) if isinstance(leaf, Tensor)), None)
    made: tuple[Any, ...] = mapped(
        lambda leaf: torch.full((), leaf, device=device) if isinstance(leaf, float) else leaf,
        given,
    )
    return made


def recorder_for(device: torch.device) -> Recorder | None:
    """Return what records steps on a device; none for a CPU.

    There is also none if torch was asked for deterministic algorithms.
    """
    if device.type != "cuda" or torch.are_deterministic_algorithms_enabled():
        return None
    return CudaGraphs(device)


def not_recorded(reason: str) -> str:
    """Return a notice of a step that is not recorded, for ``Learner.notices``."""
    return f"trains without a CUDA graph: {reason}"
