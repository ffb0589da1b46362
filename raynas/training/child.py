"""Make a child from an architecture, ready to be measured, trained and saved. Loads torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from raynas.errors import SpaceError, TrialError, shown
from raynas.space import Architecture

Build = Callable[[Architecture], nn.Module]


def built(build: Build, architecture: Architecture, inputs: Callable[[], Any]) -> nn.Module:
    """Return the child that ``build`` makes; its layers have shapes, and its tensors memory.

    Seed the weights (``raynas.rng.seed_weights``) first: lazy layers draw theirs here.

    Args:
        build: Makes the child.
        architecture: Its architecture.
        inputs: Returns the inputs of two examples, on the CPU; called only for lazy layers.

    Raises:
        TrialError: It cannot be built.
    """
    try:
        child: Any = build(architecture)
    except (ValueError, SpaceError) as error:
        raise TrialError(f"the network cannot be built: {error}") from error
    if not isinstance(child, nn.Module):
        raise TrialError(f"build must return a torch.nn.Module, it returned {shown(child)}")
    if _lazy(child):
        _give_shapes(child, inputs())
    _write_out(child)
    return child


def _lazy(child: nn.Module) -> list[str]:
    """Return the names of tensors whose shapes the first inputs decide (``nn.LazyLinear``)."""
    tensors = [*child.named_parameters(), *child.named_buffers()]
    return [name for name, tensor in tensors if is_lazy(tensor)]


def _give_shapes(child: nn.Module, inputs: Any) -> None:
    """Run the child once, in evaluation mode, so that lazy layers get their shapes."""
    modes = [(layer, layer.training) for layer in child.modules()]
    try:
        with torch.no_grad():
            child.eval()(inputs)
    finally:
        for layer, training in modes:
            layer.training = training
    if left := _lazy(child):
        raise TrialError(
            "a lazy layer gets its shape from a forward pass in evaluation mode, which does not "
            f"use {', '.join(left)}: give that layer its sizes"
        )


def _write_out(child: nn.Module) -> None:
    """Give expanded buffers memory for every number: nothing can be loaded into them otherwise."""
    written: dict[int, Tensor] = {}  # by buffer, for several layers may share one
    for layer in child.modules():
        for name, buffer in [*layer.named_buffers(recurse=False)]:
            sides = zip(buffer.shape, buffer.stride(), strict=True)
            if any(size > 1 and not stride for size, stride in sides):
                setattr(layer, name, written.setdefault(id(buffer), buffer.contiguous()))
