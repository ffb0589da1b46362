"""How long networks of a space take on a device: a table with the latency of each option.

As in ProxylessNAS (Cai et al., 2019, arXiv:1812.00332, section 3.3.1), the latency of a network is
the sum over its options and of a fixed rest. So the expected latency is differentiable. Differs
from the paper: the latencies are measured, not predicted by a model of a phone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from raynas.costs.device import Device
from raynas.errors import ConfigError
from raynas.json_text import parsed
from raynas.space import Architecture, Space


@dataclass(frozen=True, slots=True)
class LatencyTable:
    """The latency of each option of each decision, and of the rest of a network.

    Attributes:
        device: Where it was measured.
        batch: Examples per batch.
        rest_ms: The milliseconds of what is no option, such as the first and the last layers.
        options_ms: The milliseconds of each option, by the path of its decision, then by the
            option as text.

    Raises:
        ConfigError: A latency is no number, or that of an option is below zero.
    """

    device: Device
    batch: int
    rest_ms: float
    options_ms: Mapping[str, Mapping[str, float]]

    def __post_init__(self) -> None:
        """Check the numbers."""
        every = [value for own in self.options_ms.values() for value in own.values()]
        if not math.isfinite(self.rest_ms + sum(every)) or min(every, default=0.0) < 0:
            raise ConfigError("the latencies of options must be numbers of at least 0")

    @classmethod
    def of_space(
        cls, device: Device, batch: int, space: Space, ms: Mapping[str, Sequence[float]]
    ) -> LatencyTable:
        """Return a table without a rest.

        Args:
            device: Where it was measured.
            batch: Examples per batch.
            space: The space of the supernet.
            ms: The milliseconds of the options of each decision, in their order.
        """
        options = {path: space.decisions[path].domain.values() for path in ms}
        named = {
            path: dict(zip(map(str, options[path]), own, strict=True)) for path, own in ms.items()
        }
        return cls(device, batch, 0.0, named)

    def of(self, path: Architecture) -> float:
        """Return the milliseconds of a network.

        Args:
            path: The options that it uses, an architecture of the supernet's space.
        """
        ways = self.options_ms.items()
        return self.rest_ms + sum(own[str(path[name])] for name, own in ways if name in path)

    def latencies(self, space: Space) -> dict[str, list[float]]:
        """Return the milliseconds of the options of each open decision, in their order.

        Raises:
            ConfigError: The table lacks a decision or an option of the space.
        """
        found: dict[str, list[float]] = {}
        for path, decision in space.decisions.items():
            if decision.domain.count == 1:
                continue
            if path not in self.options_ms:
                raise ConfigError(
                    f"a latency table must have all decisions of the space: it lacks {path!r}; "
                    "measure one for this space"
                )
            own = self.options_ms[path]
            values = [str(value) for value in decision.domain.values()]
            if missing := [value for value in values if value not in own]:
                raise ConfigError(
                    f"a latency table must have all options of a decision: for {path!r} it lacks "
                    f"{missing[0]!r}; measure one for this space"
                )
            found[path] = [own[value] for value in values]
        return found

    def check_device(self, among: Sequence[Device]) -> None:
        """Check that it was measured on one of the devices that trials may get.

        Raises:
            ConfigError: It was not.
        """
        if self.device not in among:
            raise ConfigError(
                "a latency table must be of the device that trains: it was measured on "
                f"{self.device}, and trials run on {' or '.join(map(str, among))}; measure it "
                "there with as many threads, or leave latency_table out"
            )

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        options = {path: dict(own) for path, own in self.options_ms.items()}
        return {
            "device": asdict(self.device),
            "batch": self.batch,
            "rest_ms": self.rest_ms,
            "options_ms": options,
        }

    @classmethod
    def from_data(cls, data: object) -> LatencyTable:
        """Return the table of JSON-ready data.

        Raises:
            ConfigError: The data are something else.
        """
        from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - slow to load

        try:
            return TypeAdapter(cls).validate_python(data)
        except ValidationError as error:
            first, *_ = error.errors()
            where = ".".join(map(str, first["loc"]))
            raise ConfigError(f"{where or 'the table'}: {first['msg']}") from error

    def save(self, path: Path | str) -> None:
        """Write it to a JSON file."""
        Path(path).write_text(json.dumps(self.to_data(), indent=1))

    @classmethod
    def load(cls, path: Path | str) -> LatencyTable:
        """Read what ``save`` wrote.

        Raises:
            ConfigError: The file cannot be read, or it holds no table.
        """
        try:
            return cls.from_data(parsed(Path(path).read_text()))
        except (OSError, ValueError, ConfigError) as error:
            raise ConfigError(
                f"{path} must be a latency table, as LatencyTable.save writes it: {error}"
            ) from error
