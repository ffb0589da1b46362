"""Find a fault that would make every trial of a search fail, while Ray starts.

Like 'raynas check', it builds and trains sampled networks. It does so in another process while
Ray starts, and only until one network can be trained.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from raynas.errors import RaynasError, SpaceError
from raynas.experiment.check.network_probe import NetworkProbe
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.machine import trains_elsewhere
from raynas.experiment.resolve.references import shipped_spaces
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.rng import proposal_rng
from raynas.tasks import TASKS
from raynas.trial import History

if TYPE_CHECKING:
    from raynas.execution.ray_tune.isolated_process import IsolatedProcess

_SAMPLE: Final = 100  # architectures, as many as in 'raynas check'
_PATIENCE: Final = 20.0  # seconds after which trials begin without the result of the check


@contextmanager
def quick_check(
    experiment: Experiment, resolved: ResolvedExperiment, history: History
) -> Iterator[Callable[[], None]]:
    """Check a sample of the space in another process.

    There is no check if the space and the task are shipped with raynas and have no options, if a
    trial of the run was trained already, or if the user has set ``max_failures``.

    Yields:
        A function that waits for the result, and raises a ``SpaceError`` if no network can be
        trained.
    """
    trained = any(trial.trained for trial in history.trials.values())
    if trained or experiment.max_failures is not None or _all_shipped(experiment):
        yield lambda: None
        return
    from raynas.execution.ray_tune.isolated_process import IsolatedProcess  # noqa: PLC0415 - Ray

    space, seed = resolved.space.space, resolved.plan.seed
    sample = [space.sample(proposal_rng(seed, number)) for number in range(_SAMPLE)]
    with IsolatedProcess(NetworkProbe.of(resolved)) as process:
        process.send(("failures", (sample, not trains_elsewhere(experiment))))
        yield partial(_check, process, time.monotonic() + _PATIENCE)


def _all_shipped(experiment: Experiment) -> bool:
    """Return whether the space and the task are shipped with raynas and have no options."""
    options = (experiment.space_options, experiment.task_options, experiment.training)
    if any(options) or not isinstance(experiment.space, str):
        return False
    return experiment.space in shipped_spaces() and experiment.task in TASKS


def _check(process: IsolatedProcess, until: float) -> None:
    """Wait for the result of the check.

    Raises:
        SpaceError: No network can be trained.
    """
    if not process.answered(max(0.0, until - time.monotonic())):
        return
    try:
        reasons: list[str] = process.receive()
    except RaynasError:  # a network crashed the process; other networks may still train
        return
    if reasons:
        most = "; ".join(reason for reason, _ in Counter(reasons).most_common(3))
        raise SpaceError(
            f"none of {len(reasons)} sampled architectures can be trained: {most}. Probably an "
            "option of the space or the task is wrong. To search without this check, set "
            "--max-failures: the search then ends after so many failed trials"
        )
