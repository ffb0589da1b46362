"""Settings of torch that hold for the whole process; a child may change them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Setting = tuple[Callable[[], Any], Callable[[Any], Any]]
"""How a setting is read, and how it is set."""


@contextmanager
def torch_globals_kept() -> Iterator[None]:
    """Put torch's settings back at the end, so that one trial does not change the next one.

    These are the default dtype and device, gradients, anomaly detection, determinism, precision of
    matrix products, and the choices of cuDNN.
    """
    settings = _settings()
    before = [read() for read, _ in settings]
    try:
        yield
    finally:
        for (read, write), value in zip(settings, before, strict=True):
            if read() != value:
                write(value)


def _settings() -> list[Setting]:
    import torch  # noqa: PLC0415 - deciding must not load torch
    from torch.backends import cudnn  # noqa: PLC0415

    def deterministic() -> tuple[bool, bool]:
        return (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        )

    def device(was: torch.device) -> None:
        # To set none, not the CPU, also ends what torch does at every call for a default device.
        torch.set_default_device(None if was.type == "cpu" else was)

    return [
        (torch.get_default_dtype, torch.set_default_dtype),
        (lambda: torch.empty(0).device, device),  # torch before 2.7 cannot read a default of none
        (torch.is_grad_enabled, torch.set_grad_enabled),
        (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
        (deterministic, lambda was: torch.use_deterministic_algorithms(was[0], warn_only=was[1])),
        (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
        *(_attribute(cudnn, name) for name in ("enabled", "benchmark", "deterministic")),
    ]


def _attribute(owner: object, name: str) -> Setting:
    return lambda: getattr(owner, name), lambda value: setattr(owner, name, value)
