"""What an experiment wants to know of networks before their training."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from raynas.costs.probe import METRICS, check_name
from raynas.errors import ConfigError
from raynas.execution.work import ProbeWork
from raynas.experiment.experiment import Experiment
from raynas.tasks.task import Task
from raynas.trial import Constraint

COUNTED: Final = frozenset({"params", "flops"})
_USUAL: Final = "torch"
_FILE: Final = "measurements.jsonl"


def wanted(experiment: Experiment) -> tuple[str, ...]:
    """Return the metrics that an experiment optimises, limits or waits for, each once."""
    target = experiment.limits.target
    named = [one.metric for one in experiment.objectives]
    named += [one.metric for one in experiment.constraints]
    return tuple(dict.fromkeys([*named, *([target.objective.metric] if target else [])]))


def probe_of(experiment: Experiment, task: Task) -> ProbeWork | None:
    """Return what a probe measures; none if nothing is to be measured.

    A task may report a metric of that name itself; then it is not measured, unless there is a
    setting ``probe``.

    Raises:
        ConfigError: There is no such probe, or nothing for it to measure.
    """
    own = () if experiment.probe else getattr(task, "metrics", ())
    metrics = tuple(name for name in METRICS if name in wanted(experiment) and name not in own)
    if not metrics:
        if experiment.probe:
            raise ConfigError(
                f"a probe measures {' and '.join(METRICS)}, and neither is an objective, a "
                "constraint or the target: name one of them, or leave probe out"
            )
        return None
    probe = experiment.probe or _USUAL
    check_name(probe)
    output = experiment.output
    file = str(output.resolve() / _FILE) if isinstance(output, Path) else ""
    return ProbeWork(probe, metrics, file)


def before_training(experiment: Experiment, task: Task) -> tuple[Constraint, ...]:
    """Return the constraints on what is known before training; the others are learnt."""
    probe = probe_of(experiment, task)
    known = COUNTED | set(probe.metrics if probe else ())
    return tuple(one for one in experiment.constraints if one.metric in known)
