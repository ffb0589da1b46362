"""Write and read a checkpoint."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from raynas.storage import writing

if TYPE_CHECKING:
    import torch


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint; a process that is killed meanwhile leaves the previous one.

    Raises:
        StorageError: The checkpoint cannot be written.
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


def read(path: Path, device: torch.device) -> tuple[Mapping[str, Any], str]:
    """Return the contents of a checkpoint; if there are none, why, as half a sentence."""
    import torch  # noqa: PLC0415 - only workers load torch

    if not path.exists():
        return {}, (
            f"its checkpoint {path} is not there on {platform.node()}: the folder of a run must "
            "be on a file system that all machines share"
        )
    try:
        saved: Mapping[str, Any] = torch.load(path, map_location=device, weights_only=True)
        saved["training"]  # each kind of checkpoint has it
    except Exception as error:  # noqa: BLE001 - torch does not document what it raises
        reason = (str(error) or type(error).__name__).splitlines()[0]
        return {}, f"its checkpoint {path} cannot be read: {reason}"
    return saved, ""
