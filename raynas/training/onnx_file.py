"""A network as an ONNX file, for ONNX Runtime and what reads such files."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Final

import torch
from torch import nn

from raynas.training.exported import Exported
from raynas.trees import leaves, named_leaves

ONNX: Final = "model.onnx"
TOLERANCE: Final = 1e-4  # of the largest output, or of 1 if that is less
_NEEDED: Final = ("onnx", "onnxscript")
_LOGGERS: Final = ("torch.onnx", "onnxscript", "onnx_ir")


def onnx_file(network: nn.Module, program: torch.export.ExportedProgram, inputs: Any) -> Exported:
    """Return ``model.onnx``, for batches of any size.

    If ONNX Runtime is installed, its outputs are compared with those of the network.

    Args:
        network: The network.
        program: The same as torch has exported it.
        inputs: Inputs of two examples.
    """
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        needed = " and ".join(missing)
        return Exported({}, f"it needs {needed}: pip install 'raynas[export]'")
    names = [name.replace(".", "_") or "inputs" for name, _ in named_leaves(inputs)]
    try:
        with _quiet():
            made: Any = torch.onnx.export(
                program, (), dynamo=True, input_names=names, verbose=False
            )
        model = made.model_proto  # made anew each time it is read
        _name_batches(model)
        content: bytes = model.SerializeToString()
        apart = _apart(network, content, inputs)
    except Exception as error:  # noqa: BLE001 - what the exporter raises is not documented
        said = (str(error) or "no reason given").splitlines()[0]
        return Exported({}, f"torch cannot write it: {type(error).__name__}: {said}")
    if apart > 1.0:
        return Exported({}, f"ONNX Runtime gives other outputs, by {apart * TOLERANCE:.2g}")
    return Exported({ONNX: content})


def _name_batches(model: Any) -> None:
    """Call the size of the batch so in all inputs and outputs."""
    for value in (*model.graph.input, *model.graph.output):
        shape = value.type.tensor_type.shape
        if shape.dim and shape.dim[0].dim_param:
            shape.dim[0].dim_param = "batch"


def _apart(network: nn.Module, content: bytes, inputs: Any) -> float:
    """Return how far apart the outputs are, in tolerances; 0 without ONNX Runtime."""
    if find_spec("onnxruntime") is None:
        return 0.0
    from onnxruntime import InferenceSession  # noqa: PLC0415 - optional

    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    wanted = [one.name for one in session.get_inputs()]
    given = {name: part.numpy() for name, part in zip(wanted, leaves(inputs), strict=False)}
    found = session.run(None, given)
    with torch.no_grad():
        expected = [*leaves(network(inputs))]
    distances = [0.0]
    for one, other in zip(found, expected, strict=True):
        bound = TOLERANCE * max(1.0, float(other.abs().max()))
        distances.append(float((torch.as_tensor(one) - other).abs().max()) / bound)
    return max(distances)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter from speaking of its own internals."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)
