"""Write a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from raynas.storage import writing


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint; whoever is killed meanwhile leaves the one before.

    Raises:
        StorageError: It cannot be written.
    """
    import torch  # noqa: PLC0415 - only workers load torch

    with writing(path, RuntimeError):  # torch raises it if the disk is full
        path.parent.mkdir(parents=True, exist_ok=True)
        # A unique name, because the worker of a killed run may still write the same checkpoint.
        partial = path.with_name(f"{path.name}.{uuid4().hex}.partial")
        try:
            torch.save(state, partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
