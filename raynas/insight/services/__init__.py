"""Experiment trackers that get the trials of a run while it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Final

from raynas.errors import ConfigError, unknown
from raynas.insight.services.entry import Entry, Service
from raynas.lazy_table import LazyTable

__all__ = ["SERVICES", "Entry", "Service", "check", "connect"]

SERVICES: Final[Mapping[str, type[Service]]] = LazyTable(
    {
        "wandb": "raynas.insight.services.wandb_service:WandB",
        "mlflow": "raynas.insight.services.mlflow_service:MLflow",
    }
)
"""Every service by name, which is also the name of its package."""


def check(names: Iterable[str]) -> None:
    """Check that services are known, and that their packages are installed.

    Raises:
        ConfigError: One is not.
    """
    for name in names:
        if name not in [*SERVICES]:  # without importing it
            raise ConfigError(unknown("service", name, SERVICES))
        found = find_spec(name)
        if found is None or found.origin is None:  # a folder of that name is no package
            raise ConfigError(
                f"log={name} needs the package {name}: pip install 'raynas[{name}]', or leave it "
                "out"
            )


def connect(name: str) -> Service:
    """Return a service that was checked; its package is imported now."""
    return SERVICES[name]()
