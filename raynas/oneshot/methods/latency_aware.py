"""What the methods have in common that learn strengths and mind the latency of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from raynas.costs.device import Device
from raynas.errors import ConfigError
from raynas.oneshot.latency import LatencyTable
from raynas.oneshot.methods.differentiable import Differentiable
from raynas.oneshot.mixed import as_mixed
from raynas.oneshot.supernet import Supernet
from raynas.oneshot.timing import check_flat, check_used, measured
from raynas.oneshot.training import SupernetTraining


@dataclass(slots=True)
class LatencyAware(Differentiable):
    """Add the expected latency of the network to the loss of the strengths.

    The added part is ``weight * (latency - reference) / reference``, one of two forms in the code
    of ProxylessNAS. The latency is the sum over all decisions of the softmax of the strengths
    times the latencies of the options.

    Attributes:
        latency_weight: What the loss gains if the expected latency is twice the reference; 0 to
            leave latency out.
        latency_reference_ms: The latency that is wanted, in milliseconds per batch.
        latency_table: A file with the latency of each option on the device that trains, as
            ``LatencyTable.save`` writes it; none to measure it before the first epoch.
        latency_batch: Examples per batch, if the latency is measured.

    Raises:
        ConfigError: An option is out of range, or the file is no table.
    """

    latency_weight: float = 0.0
    latency_reference_ms: float = 0.0
    latency_table: LatencyTable | Path | None = None
    latency_batch: int = 1
    _table: LatencyTable | None = field(init=False, repr=False, default=None)
    _ms: dict[str, Tensor] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Check the options, and read the file."""
        Differentiable.__post_init__(self)
        weight, reference = self.latency_weight, self.latency_reference_ms
        if weight < 0 or reference < 0 or self.latency_batch < 1:
            raise ConfigError(
                f"{self.name} needs latency_weight >= 0, latency_reference_ms >= 0 and "
                f"latency_batch >= 1, got {weight}, {reference} and {self.latency_batch}"
            )
        if bool(weight) != bool(reference) or (self.latency_table is not None and not weight):
            raise ConfigError(
                f"{self.name} minds latency if latency_weight and latency_reference_ms are above "
                f"zero: give both or neither, and latency_table only with them; got {weight} and "
                f"{reference}"
            )
        if weight and self.share > 1:
            raise ConfigError(
                f"{self.name} can mind latency only if it mixes all channels, as the network has "
                f"them: give share=1 or leave latency_weight out, got share={self.share}"
            )
        if isinstance(self.latency_table, Path):
            self.latency_table = LatencyTable.load(self.latency_table)

    def check(self, supernet: Supernet, inputs: Any) -> None:
        """Check that the supernet has a latency for each option.

        Raises:
            SpaceError: Its decisions contain each other, or a network does not use one.
            ConfigError: The given table lacks an option.
        """
        if self.latency_weight:
            check_flat(as_mixed(supernet))
            check_used(as_mixed(supernet), inputs)
        if isinstance(self.latency_table, LatencyTable):
            self.latency_table.latencies(as_mixed(supernet).relaxation.space)

    def check_devices(self, among: Sequence[Device]) -> None:
        """Check that the given table is of a device that trials may get.

        Raises:
            ConfigError: It is of another one.
        """
        if isinstance(self.latency_table, LatencyTable):
            self.latency_table.check_device(among)

    def train(self, training: SupernetTraining, epoch: int) -> Mapping[str, float]:
        """Train for an epoch; before the first one, measure the latencies."""
        if not self.latency_weight:
            return Differentiable.train(self, training, epoch)
        if not self._ms:
            self._prepare(training)
        metrics = Differentiable.train(self, training, epoch)
        with torch.no_grad():
            return {**metrics, "expected_latency_ms": float(self.expected_ms())}

    def _prepare(self, training: SupernetTraining) -> None:
        """Take the latencies of a checkpoint, of the given table, or measured ones.

        Raises:
            ConfigError: The given table is of another device, or lacks an option.
        """
        supernet, device = training.mixed, training.valid.device
        if self._table is None and isinstance(self.latency_table, LatencyTable):
            self.check_devices([Device.of(device)])
            self._table = self.latency_table
        if self._table is None:
            self._table = measured(supernet, training.valid.some(self.latency_batch)[0])
        found = self._table.latencies(supernet.relaxation.space)
        self._ms = {path: torch.tensor(own, device=device) for path, own in found.items()}

    def expected_ms(self) -> Tensor:
        """Return the expected latency of the strengths, in milliseconds."""
        assert self._table is not None  # noqa: S101 - train has prepared
        sums = [(self.strengths[path].softmax(0) * ms).sum() for path, ms in self._ms.items()]
        return torch.stack(sums).sum() + self._table.rest_ms

    def penalty(self, training: SupernetTraining) -> Tensor | float:  # noqa: ARG002
        """Return what the expected latency adds to the loss."""
        if not self.latency_weight:
            return 0.0
        reference = self.latency_reference_ms
        return self.latency_weight * (self.expected_ms() - reference) / reference

    def slope(self, path: str) -> Tensor:
        """Return what a unit of each option's weight, ``[options]``, adds to the loss."""
        return self.latency_weight * self._ms[path] / self.latency_reference_ms

    def state_dict(self) -> dict[str, Any]:
        """Return also the table, so that a resumed training has the same."""
        table = None if self._table is None else self._table.to_data()
        return {**Differentiable.state_dict(self), "latency": table}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with the table of a state, too."""
        Differentiable.load_state_dict(self, state)
        if (table := state.get("latency")) is not None:
            self._table = LatencyTable.from_data(table)
