"""Write a network to a file that runs without its code."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import nn

from raynas.errors import ConfigError, ProbeError


def write_onnx(child: nn.Module, inputs: Any, path: Path) -> None:
    """Write an ONNX file for a batch of this size.

    Raises:
        ConfigError: The packages for it are not installed.
        ProbeError: The network cannot be written.
    """
    try:
        import onnx  # noqa: F401, PLC0415 - an extra
        import onnxscript  # noqa: F401, PLC0415 - likewise
    except ImportError as error:
        raise ConfigError(
            f"an ONNX file needs the packages onnx and onnxscript, and {error.name} is missing: "
            "pip install 'raynas[onnx]'"
        ) from error
    try:
        with _quiet():
            torch.onnx.export(child.eval(), (inputs,), path, dynamo=True, verbose=False)
    except Exception as error:
        raise ProbeError(f"the network cannot be written as ONNX: {_short(error)}") from error


def write_pt2(child: nn.Module, inputs: Any, path: Path) -> None:
    """Write a program for ``torch.export.load``, for a batch of this size.

    Raises:
        ProbeError: The network cannot be exported.
    """
    try:
        with _quiet():
            torch.export.save(torch.export.export(child.eval(), (inputs,)), path)
    except Exception as error:
        raise ProbeError(f"the network cannot be written as pt2: {_short(error)}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the progress that the exporters print."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
