"""Whether this machine can hold what trials ask for: seen before anything starts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from raynas.errors import ResourceError
from raynas.execution.packing import FreeResources, Resources, read_resources
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.references import SpaceModule
from raynas.experiment.resolve.user_code import blamed

if TYPE_CHECKING:
    from raynas.execution.ray_tune.cluster import Share

_ASKED: Final = 16  # architectures whose resources are looked at


def share_of(experiment: Experiment, workers: int = 1) -> Share:
    """Return what trials take, and of which cluster.

    Args:
        experiment: The experiment.
        workers: How many processes train a trial together.
    """
    from raynas.execution.ray_tune.cluster import Share  # noqa: PLC0415 - loads Ray

    return Share(
        cpus=experiment.cpus_per_trial,
        gpus=experiment.gpus_per_trial,
        workers=workers,
        concurrent=experiment.max_concurrent,
        address=experiment.address,
        verbose=experiment.verbose,
        grace=experiment.grace_seconds,
        trial_timeout=experiment.trial_seconds,
    )


def check_machine(experiment: Experiment, space: SpaceModule, workers: int = 1) -> None:
    """Refuse trials that this machine can never hold, unless they are to run elsewhere.

    Args:
        experiment: The experiment.
        space: Its space.
        workers: How many processes train a trial together.

    Raises:
        ConfigError: The space's ``resources`` raises, or says nothing usable.
        ResourceError: GPUs are asked for, and there is none here; or a trial asks for more than
            there is.
    """
    asked = _asked(space, Resources(experiment.cpus_per_trial, 0.0, workers))
    wanted = experiment.gpus_per_trial or experiment.gpu_hours or any(one.gpus for one in asked)
    node = Resources(float(os.cpu_count() or 1), float(gpus_here() if wanted else 0))
    lack = _lack(experiment, asked, node, workers)
    if lack and not trains_elsewhere(experiment):
        raise ResourceError(f"{lack}, or name a cluster with --address")


def may_use_gpus(experiment: Experiment) -> bool:
    """Say whether trials may get a GPU; what a cluster has is known only once it is joined."""
    return experiment.gpus_per_trial != 0 and (gpus_here() > 0 or trains_elsewhere(experiment))


def gpus_here() -> int:
    """Return how many GPUs this machine has."""
    import torch  # noqa: PLC0415 - slow to load

    return torch.cuda.device_count()


def trains_elsewhere(experiment: Experiment) -> bool:
    """Say whether trials may run on other machines."""
    from raynas.execution.ray_tune.cluster import joins  # noqa: PLC0415 - loads Ray

    return joins(share_of(experiment))


def _asked(space: SpaceModule, default: Resources) -> list[Resources]:
    """Return what the space says that some of its architectures need."""
    if space.resources is None:
        return []
    rng = np.random.default_rng(0)
    with blamed("the space's resources"):
        said = [space.resources(space.space.sample(rng)) for _ in range(_ASKED)]
    return [read_resources(one, default) for one in said]


def _lack(
    experiment: Experiment, asked: Sequence[Resources], node: Resources, workers: int
) -> str:
    """Return what is missing and what to do about it; nothing if a trial can run."""
    with_gpu = next((one for one in asked if one.gpus), None)
    if not node.gpus and (experiment.gpus_per_trial or experiment.gpu_hours):
        return (
            "GPUs are asked for (gpus_per_trial or gpu_hours), and there is none here: "
            "leave that out"
        )
    if not node.gpus and with_gpu:
        return (
            f"the space's resources ask for {with_gpu} for a trial, and there is no GPU here: "
            "let them ask for none"
        )
    gpus = experiment.gpus_per_trial
    gpus = gpus if isinstance(gpus, float | int) else 0.0
    usual = Resources(experiment.cpus_per_trial, gpus, workers)
    if not FreeResources([node]).fits(usual):
        more = "" if workers == 1 else ", or for fewer workers with --workers-per-trial"
        return (
            f"a trial asks for {usual}, and this machine has {node}: ask for less with "
            f"--cpus-per-trial and --gpus-per-trial{more}"
        )
    if asked and not any(map(FreeResources([node]).fits, asked)):
        return (
            f"the space's resources ask for {asked[0]} for a trial, and this machine has {node}: "
            "let them ask for less"
        )
    return ""
