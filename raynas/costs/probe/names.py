"""What probes measure, and what stands for a network in a command."""

from __future__ import annotations

from typing import Final

LATENCY: Final = "latency_ms"
ENERGY: Final = "energy_mj"
METRICS: Final = (LATENCY, ENERGY)
"""What probes measure: milliseconds, and millijoules, of one example."""

MODELS: Final = ("{model}", "{pt2}")
"""What a command has in place of the file of the network: ONNX, or a program of torch.export."""
