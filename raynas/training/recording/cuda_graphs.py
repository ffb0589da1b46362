"""Record calls as CUDA graphs."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

import torch

from raynas.training.recording.host_work import HostWork

Call = Callable[[], Any]
_WAITS = "called a synchronizing CUDA operation"  # torch's warning


class CudaGraphs:
    """Records calls on a GPU.

    All recordings that are held at a time have one pool of memory, because only one of them runs.
    """

    def __init__(self, device: torch.device) -> None:
        """Prepare for a device."""
        self._device = device
        self._last: Callable[[], torch.cuda.CUDAGraph | None] = lambda: None

    @cached_property
    def _stream(self) -> Any:
        # Autograd works on the stream of the forward pass, and the default one cannot be recorded.
        return torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]  # torch's own

    def warmed(self, call: Call) -> Any:
        """Call on the stream of the recordings; return the result."""
        own, now = self._stream, torch.cuda.current_stream(self._device)
        own.wait_stream(now)
        with torch.cuda.stream(own):
            result = call()
        now.wait_stream(own)
        return result

    def watched(self, call: Call) -> tuple[Any, str]:
        """Call; return the result, and why the call cannot be recorded, empty if it can.

        What is looked for is whatever waits for the device or uses memory of the host. A recording
        that fails on it would leave torch's generator in a state in which it draws no more.
        """
        with HostWork(self._device) as host, _waits() as waited:
            result = self.warmed(call)
        if host.found:
            return result, f"the host has a part in its step: {host.found}"
        return result, "its step waits for the device" if waited else ""

    def record(self, call: Call) -> Call:
        """Record the call without running it; the result replays it."""
        graph, held = torch.cuda.CUDAGraph(), self._last()
        pool = held.pool() if held else None  # torch refuses a pool whose recordings are all gone
        try:
            # Other threads, such as those that load data, may use the device in the meantime.
            with torch.cuda.graph(
                graph,
                pool=pool,
                stream=self._stream,
                capture_error_mode="thread_local",
            ):
                result = call()
        except BaseException:
            self._renew_generator()
            raise

        self._last = weakref.ref(graph)

        def replay() -> Any:
            graph.replay()
            return result

        return replay

    def _renew_generator(self) -> None:
        """Let torch's generator draw again: a failed recording leaves it waiting for the end."""
        index = torch.cuda.current_device() if self._device.index is None else self._device.index
        own = torch.cuda.default_generators[index]
        fresh = torch.Generator(self._device)
        fresh.manual_seed(own.initial_seed())
        with suppress(RuntimeError):
            own.graphsafe_set_state(fresh)


@contextmanager
def _waits() -> Iterator[list[str]]:
    """Collect what waits for the device; all other warnings are passed on."""
    found: list[str] = []
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode(before)
    for one in caught:
        if _WAITS in str(one.message):
            found.append(str(one.message))
        elif "Synchronization debug mode" not in str(one.message):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
