"""Measure a network with ONNX Runtime, on a core of this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from raynas.costs.device import Device
from raynas.costs.probe.files import write_onnx
from raynas.costs.probe.names import LATENCY
from raynas.costs.probe.reading import settled
from raynas.costs.timing import milliseconds
from raynas.errors import ConfigError, ProbeError
from raynas.trees import leaves

_ROUNDS: Final = 30
_CPU: Final = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class OnnxProbe:
    """Run a network with ONNX Runtime and one thread.

    Attributes:
        runtime: The module ``onnxruntime``.
    """

    runtime: Any

    @classmethod
    def here(cls) -> OnnxProbe:
        """Return the probe.

        Raises:
            ConfigError: ONNX Runtime is not installed.
        """
        try:
            import onnxruntime  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ConfigError(
                "the probe onnx needs the package onnxruntime: pip install 'raynas[onnx]'"
            ) from error
        torch.set_num_threads(1)
        return cls(onnxruntime)

    @property
    def device(self) -> str:
        """The name of the CPU, and the version of ONNX Runtime."""
        return f"{Device.of(_CPU)}, onnxruntime {self.runtime.__version__}"

    def measure(self, child: nn.Module, inputs: Any) -> Mapping[str, float]:
        """Return the milliseconds of one run.

        Raises:
            ProbeError: The network cannot be written or run, or the readings spread too much.
        """
        with tempfile.TemporaryDirectory(prefix="raynas-") as folder:
            path = Path(folder) / "network.onnx"
            write_onnx(child, inputs, path)
            session = self._session(path)
        names = [one.name for one in session.get_inputs()]
        feed = dict(zip(names, (leaf.numpy() for leaf in leaves(inputs)), strict=True))

        def read() -> Any:
            return milliseconds([lambda: session.run(None, feed)], _ROUNDS, _CPU)[:, 0]

        try:
            return {LATENCY: settled(read)}
        except ProbeError:
            raise
        except Exception as error:  # ONNX Runtime has exceptions of its own
            raise ProbeError(f"ONNX Runtime cannot run the network: {error}") from error

    def _session(self, path: Path) -> Any:
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            return self.runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ProbeError(f"ONNX Runtime cannot read the network: {error}") from error
