"""Checks that several groups of settings make."""

from __future__ import annotations

from typing import Any

from raynas.errors import ConfigError


def at_least_one(settings: Any, *names: str) -> None:
    """Check that numbers, where they are given, are at least 1.

    Raises:
        ConfigError: One is not.
    """
    for name in names:
        value = getattr(settings, name)
        if value is not None and value < 1:
            raise ConfigError(f"{name} must be at least 1, got {value}")
