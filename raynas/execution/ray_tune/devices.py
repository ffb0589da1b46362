"""What the GPUs of a cluster are, before a trial has run on them."""

from __future__ import annotations

import logging
from typing import Any, Final

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raynas.execution.gpu_device import GPUDevice, smallest_device

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
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("GPU")]
    asked = [_asked(node["NodeID"]) for node in nodes]
    try:
        found = [one for one in ray.get(asked, timeout=_PATIENCE) if one is not None]
    except RayError as error:
        _LOG.warning("the memory of the GPUs is not known until a trial has run: %s", error)
        return None
    if not found:
        return None
    return GPUDevice(min(one.memory for one in found), all(one.bfloat16 for one in found))


def _asked(node: str) -> Any:
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    asking = ray.remote(num_cpus=0, num_gpus=_LITTLE, scheduling_strategy=there)(smallest_device)
    return asking.remote()
