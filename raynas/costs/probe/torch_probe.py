"""Measure a network with PyTorch, on a core of this machine or on its GPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import torch
from torch import nn

from raynas.costs.device import Device
from raynas.costs.probe.energy import Meter, meter
from raynas.costs.probe.names import ENERGY, LATENCY
from raynas.costs.probe.reading import settled
from raynas.costs.timing import milliseconds
from raynas.errors import ConfigError, ProbeError
from raynas.trees import mapped

_ROUNDS: Final = 30
_AT_LEAST_S: Final = 0.5  # how long a network runs, so that the energy of one run can be told


@dataclass(frozen=True, slots=True)
class TorchProbe:
    """Run a network with PyTorch; on the CPU with one thread.

    Attributes:
        on_device: Where.
        meter: Reads the energy that the device has used; none if only latency is measured.
    """

    on_device: torch.device
    meter: Meter | None = None

    @classmethod
    def on(cls, device: str, *, energy: bool) -> TorchProbe:
        """Return the probe of a device.

        Args:
            device: ``cpu`` or ``cuda``.
            energy: Whether to measure energy, too.

        Raises:
            ConfigError: There is no such device, or it does not say how much energy it uses.
        """
        if device == "cuda" and not torch.cuda.is_available():
            raise ConfigError(
                "the probe torch:cuda needs a GPU, and there is none here: use the probe torch"
            )
        torch.set_num_threads(1)
        return cls(torch.device(device), meter(device) if energy else None)

    @property
    def device(self) -> str:
        """The name of the device, and the version of PyTorch."""
        return f"{Device.of(self.on_device)}, torch {torch.__version__}"

    def measure(self, child: nn.Module, inputs: Any) -> Mapping[str, float]:
        """Return the milliseconds of one run, and the millijoules if they are measured.

        Raises:
            ProbeError: The network fails, or the readings spread too much.
        """
        try:
            child = child.to(self.on_device).eval()
            inputs = mapped(lambda tensor: tensor.to(self.on_device), inputs)
            with torch.inference_mode():
                run = partial(child, inputs)
                found = {LATENCY: settled(lambda: self._read(run))}
                if self.meter is not None:
                    found[ENERGY] = self._energy(run, self.meter)
                return found
        except (RuntimeError, ValueError, TypeError) as error:
            raise ProbeError(f"the network could not be run by the probe: {error}") from error

    def _read(self, run: Callable[[], Any]) -> Any:
        return milliseconds([run], _ROUNDS, self.on_device)[:, 0]

    def _energy(self, run: Callable[[], Any], joules: Meter) -> float:
        """Return the millijoules of one run, with what the idle device uses meanwhile."""
        begun, before, runs = time.perf_counter(), joules(), 0
        while time.perf_counter() - begun < _AT_LEAST_S:
            run()
            runs += 1
            if self.on_device.type == "cuda":
                torch.cuda.synchronize(self.on_device)
        return 1e3 * (joules() - before) / runs
