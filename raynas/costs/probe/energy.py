"""The energy that a device has used so far, where the device says it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from raynas.errors import ConfigError

Meter = Callable[[], float]
"""Returns the joules that a device has used since some moment; only differences mean something."""

_RAPL: Final = Path("/sys/class/powercap")


def meter(device: str) -> Meter:
    """Return what reads the energy of a device.

    Args:
        device: ``cpu``, by Intel's RAPL (the whole processor), or ``cuda``, by NVML (the GPU).

    Raises:
        ConfigError: The device does not say it.
    """
    return _gpu() if device == "cuda" else _cpu(_RAPL)


def _gpu() -> Meter:
    try:
        import pynvml  # noqa: PLC0415 - not everywhere

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception as error:
        raise ConfigError(
            "energy_mj on a GPU needs the package nvidia-ml-py and a GPU that says its energy "
            f"(since Volta), and reading it failed: {type(error).__name__}: {error}"
        ) from error
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3


def _cpu(folder: Path) -> Meter:
    packages = sorted(folder.glob("intel-rapl:[0-9]"))
    try:
        wraps = [_number(one / "max_energy_range_uj") for one in packages]
        _numbers(packages)
    except OSError as error:
        raise ConfigError(
            f"energy_mj on a CPU needs {folder}/intel-rapl:*/energy_uj, which often only root may "
            f"read, and reading it failed: {error}; leave energy_mj out, or allow to read it"
        ) from error
    if not packages:
        raise ConfigError(
            f"energy_mj on a CPU needs a processor that says its energy in {folder}/intel-rapl:*, "
            "and there is none here: leave energy_mj out"
        )
    return _Unwrapped(packages, wraps)


class _Unwrapped:
    """Adds up counters that begin again at zero."""

    def __init__(self, packages: Sequence[Path], wraps: Sequence[float]) -> None:
        self._packages, self._wraps = packages, wraps
        self._last, self._joules = _numbers(packages), 0.0

    def __call__(self) -> float:
        """Return the joules since it was made; it must be read before a counter wraps twice."""
        now = _numbers(self._packages)
        for new, old, wrap in zip(now, self._last, self._wraps, strict=True):
            self._joules += ((new - old) % wrap) / 1e6
        self._last = now
        return self._joules


def _numbers(packages: Sequence[Path]) -> list[float]:
    return [_number(one / "energy_uj") for one in packages]


def _number(path: Path) -> float:
    return float(path.read_text())
