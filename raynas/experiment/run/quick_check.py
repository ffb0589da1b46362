"""What would make every trial of a search fail, found while Ray starts.

'raynas check' builds and trains sampled networks for that. Here another process does, beside
Ray's start, and only until it has seen one network that can be trained.
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

_SAMPLE: Final = 100  # architectures, as many as 'raynas check' looks at
_PATIENCE: Final = 20.0  # seconds until trials begin without an answer; it mostly comes before Ray


@contextmanager
def quick_check(
    experiment: Experiment, resolved: ResolvedExperiment, history: History
) -> Iterator[Callable[[], None]]:
    """Look at a sample of the space in another process.

    Nothing is looked at where all parts are raynas's own, as they are, or a trial was trained
    already; nor where the user has said how many trials may fail.

    Yields:
        What waits for the answer, and raises a ``SpaceError`` if no network can be trained.
    """
    trained = any(trial.trained for trial in history.trials.values())
    if trained or experiment.max_failures is not None or _all_shipped(experiment):
        yield lambda: None
        return
    from raynas.execution.ray_tune.isolated_process import IsolatedProcess  # noqa: PLC0415 - Ray

    space, seed = resolved.space.space, resolved.plan.seed
    sample = [space.sample(proposal_rng(seed, number)) for number in range(_SAMPLE)]
    with IsolatedProcess(NetworkProbe.of(experiment, resolved)) as process:
        process.send(("failures", (sample, not trains_elsewhere(experiment))))
        yield partial(_check, process, time.monotonic() + _PATIENCE)


def _all_shipped(experiment: Experiment) -> bool:
    """Say whether nothing is the user's own."""
    options = (experiment.space_options, experiment.task_options, experiment.training)
    if any(options) or not isinstance(experiment.space, str):
        return False
    return experiment.space in shipped_spaces() and experiment.task in TASKS


def _check(process: IsolatedProcess, until: float) -> None:
    """Wait for the answer.

    Raises:
        SpaceError: No network can be trained.
    """
    if not process.answered(max(0.0, until - time.monotonic())):
        return
    try:
        reasons: list[str] = process.receive()
    except RaynasError:  # a network has killed it: trials will tell what others do
        return
    if reasons:
        most = "; ".join(reason for reason, _ in Counter(reasons).most_common(3))
        raise SpaceError(
            f"none of {len(reasons)} sampled architectures can be trained: {most}. Something that "
            "they share seems wrong, such as an option of the space or the task; --max-failures "
            "searches all the same, until so many trials have failed"
        )
