"""Measure networks before their training, one at a time, each once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raynas.errors import ConfigError
from raynas.execution.training_context import TrainingContext
from raynas.execution.work import ProbeWork
from raynas.json_text import parsed


class Measurements:
    """Measures networks, and keeps what it has measured in a file of the run folder."""

    def __init__(self, context: TrainingContext, work: ProbeWork) -> None:
        """Make the probe and read what was measured earlier.

        Args:
            context: Builds networks, and has the inputs of one example.
            work: What is measured, and how.

        Raises:
            ConfigError: The probe cannot measure this here.
        """
        from raynas.costs.probe import make  # noqa: PLC0415 - loads torch

        self._context = context
        self._probe = make(work.probe, work.metrics)
        self._metrics = work.metrics
        self._file = Path(work.file) if work.file else None
        self._known: dict[str, Mapping[str, float]] = {}
        lines = _lines(self._file) if self._file else []
        for line in lines[:-1]:  # the last one is empty, or was torn when the run was killed
            said = parsed(line)
            if said["device"] == self._probe.device:
                self._known[_key(said["architecture"])] = said["metrics"]
        if lines and lines[-1]:
            self._append("\n")

    def device(self) -> str:
        """Return the name of the device; it can be asked to learn that the probe works."""
        return self._probe.device

    def measure(self, architecture: Mapping[str, Any]) -> Mapping[str, float]:
        """Return the metrics of the network of an architecture; each is measured once.

        Raises:
            ProbeError: It could not be measured.
            RaynasError: It cannot be built.
        """
        key = _key(architecture)
        known = self._known.get(key, {})
        if not set(self._metrics) <= set(known):
            known = self._known[key] = self._measured(architecture)
            said = {"architecture": dict(architecture), "device": self._probe.device}
            self._append(json.dumps({**said, "metrics": known}) + "\n")
        return {name: known[name] for name in self._metrics}

    def _measured(self, architecture: Mapping[str, Any]) -> Mapping[str, float]:
        from raynas.rng import seed_weights  # noqa: PLC0415 - loads torch
        from raynas.space import Architecture  # noqa: PLC0415
        from raynas.training.child import built  # noqa: PLC0415
        from raynas.training.loading import example  # noqa: PLC0415

        context = self._context
        inputs = example(context.data, 1)
        if inputs is None:
            raise ConfigError("a probe needs the inputs of one example, and the task has none")
        seed_weights(0)
        whole = Architecture.from_data(architecture)
        child = built(context.build, whole, lambda: example(context.data, 2))
        return dict(self._probe.measure(child.eval(), inputs))

    def _append(self, text: str) -> None:
        if self._file is None:
            return
        with self._file.open("a", encoding="utf-8") as file:
            file.write(text)


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").split("\n") if file.exists() else []


def _key(architecture: Mapping[str, Any]) -> str:
    # Not the identity: equal networks may be built with layers that do nothing, or without.
    return json.dumps(dict(architecture), sort_keys=True)
