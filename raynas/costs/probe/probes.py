"""What a probe is, and the probes by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from raynas.costs.probe.names import ENERGY, MODELS
from raynas.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn


class Probe(Protocol):
    """Measures networks on a device."""

    @property
    def device(self) -> str:
        """The name of the device, and of what computes on it."""

    def measure(self, child: nn.Module, inputs: Any) -> Mapping[str, float]:
        """Return the metrics of a network.

        Args:
            child: The network, on the CPU, in evaluation mode.
            inputs: The inputs of one example, on the CPU.

        Raises:
            ProbeError: It could not be measured, or the readings spread too much.
        """


def _torch(metrics: Collection[str], device: str = "cpu") -> Probe:
    from raynas.costs.probe.torch_probe import TorchProbe  # noqa: PLC0415 - loads torch

    return TorchProbe.on(device, energy=ENERGY in metrics)


def _onnx(metrics: Collection[str]) -> Probe:
    from raynas.costs.probe.onnx_probe import OnnxProbe  # noqa: PLC0415 - loads torch

    refuse_energy(metrics, "onnx")
    return OnnxProbe.here()


def _cuda(metrics: Collection[str]) -> Probe:
    return _torch(metrics, "cuda")


_PROBES: Final[Mapping[str, Callable[[Collection[str]], Probe]]] = MappingProxyType(
    {"torch": _torch, "torch:cuda": _cuda, "onnx": _onnx}
)


def check_name(text: str) -> None:
    """Check that there is such a probe.

    Raises:
        ConfigError: There is none.
    """
    if text not in _PROBES and not any(part in text for part in MODELS):
        raise ConfigError(
            f"a probe must be {', '.join(_PROBES)}, or a command in which {{model}} stands for "
            f"the network's ONNX file or {{pt2}} for its program, as in 'ssh board run {{model}}'"
            f"; got {text!r}"
        )


def make(text: str, metrics: Collection[str]) -> Probe:
    """Return the probe of a name or a command.

    Args:
        text: The name, or the command.
        metrics: What it must measure, of ``METRICS``.

    Raises:
        ConfigError: There is no such probe, or it cannot measure this here.
    """
    check_name(text)
    if text in _PROBES:
        return _PROBES[text](metrics)
    from raynas.costs.probe.command_probe import CommandProbe  # noqa: PLC0415 - loads torch

    refuse_energy(metrics, "a command")
    return CommandProbe(text)


def refuse_energy(metrics: Collection[str], probe: str) -> None:
    """Check that no energy is asked of a probe that does not measure it.

    Raises:
        ConfigError: It is.
    """
    if ENERGY in metrics:
        raise ConfigError(
            f"{ENERGY} must be measured by the probe 'torch' or 'torch:cuda', and the probe is "
            f"{probe}: use one of these, or leave {ENERGY} out"
        )
