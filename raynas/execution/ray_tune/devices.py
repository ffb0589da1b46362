"""What the nodes of a cluster have, before a trial has run on them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raynas.execution.gpu_device import GPUDevice, smallest_device
from raynas.execution.machine_memory import machine_memory
from raynas.execution.memory_limit import MemoryLimit
from raynas.execution.ray_tune.cluster import Slots, alive, fitting

_LOG = logging.getLogger("raynas")

_PATIENCE: Final = 60.0  # seconds for a node to answer; its worker has to load torch
_LITTLE: Final = 0.001  # of a GPU; with none, Ray hides the GPUs from the worker


def first_device(*, elsewhere: bool) -> GPUDevice | None:
    """Return what all GPUs have at least; none if there is none, or if no node answers.

    Args:
        elsewhere: Whether GPUs may be on other machines: then the nodes of the cluster are asked.
    """
    if not elsewhere:
        return smallest_device()
    return _device_of(name for name, has in alive().items() if has.gpus)


def memory_limit(slots: Slots) -> MemoryLimit | None:
    """Return the least memory of the nodes, or of the GPUs, on which Ray may place a trial.

    Args:
        slots: The nodes, and the resources of a trial.

    Returns:
        None if there is no such node yet, or if none answers.
    """
    usual = replace(slots.usual, workers=1)
    places = [name for name, has in slots.nodes.items() if fitting(usual, {name: has}, None)]
    if usual.gpus:
        device = _device_of(places)
        return MemoryLimit.of_gpu(device, "the smallest GPU of the cluster") if device else None
    memory: list[int] = _answers(places, machine_memory, "the memory of the cluster")
    return MemoryLimit(min(memory), "the smallest machine of the cluster") if memory else None


def _device_of(nodes: Iterable[str]) -> GPUDevice | None:
    """Return what all GPUs of these nodes have at least."""
    what = "the memory of the GPUs"
    found: list[GPUDevice] = _answers(nodes, smallest_device, what, num_gpus=_LITTLE)
    if not found:
        return None
    return GPUDevice(min(one.memory for one in found), all(one.bfloat16 for one in found))


def _answers(
    nodes: Iterable[str], question: Callable[[], Any], what: str, **resources: float
) -> list[Any]:
    """Return what nodes answer; nothing if one of them does not."""
    asked = []
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node, soft=False)
        asking = ray.remote(num_cpus=0, scheduling_strategy=there, **resources)(question)
        asked.append(asking.remote())
    try:
        return [one for one in ray.get(asked, timeout=_PATIENCE) if one is not None]
    except RayError as error:
        _LOG.warning("%s is not known until a trial has run: %s", what, error)
        for one in asked:  # so that it does not run beside trials later
            ray.cancel(one, force=True)
        return []
