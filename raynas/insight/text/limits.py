"""One line about the limits of a search at its start, and one about the limit that ended it."""

from __future__ import annotations

import math

from raynas.execution.limits import Limits
from raynas.execution.plan import Plan
from raynas.insight.wording import metric, plural, span
from raynas.schedulers.forecast import expected_epochs, most_epochs
from raynas.trial import History


def ahead(plan: Plan, history: History, slots: int, scheduler: str) -> str:
    """Return in one line the most and the expected number of trials and epochs of a search.

    Args:
        plan: The plan of the search.
        history: All trials so far.
        slots: The number of trials that run at once; 0 before a cluster has added nodes.
        scheduler: The name of the scheduler.
    """
    limits, epochs = plan.limits, plural(plan.epochs, "epoch")
    if plan.trials < math.inf:
        trials = plural(int(plan.trials), "trial")
        text = f"at most {trials} of {epochs}"
    else:
        text = f"trials of {epochs}"
    text += _training(plan, scheduler)
    if limits.time < math.inf:
        text += f", for at most {span(limits.time)}"
    if limits.gpu_hours < math.inf:
        text += f", for at most {limits.gpu_hours:g} GPU-hours"
    text += f" on {plural(slots, 'worker')}" if slots else ", once the cluster has added nodes"
    if limits.target:
        of = limits.target.objective
        text += f", until {of.metric} reaches {metric(of.metric, limits.target.value)}"
    there = history.trained
    return f"{text}; {there} of them are trained already" if there else text


def ended_by(limit: str, limits: Limits, history: History) -> str:
    """Return in one line which limit has ended a search.

    Args:
        limit: The name of the limit, as ``Limits.reached`` returns it.
        limits: The limits of the search.
        history: All trials.
    """
    match limit:
        case "time":
            said = f"the time of {span(limits.time)} is up"
        case "gpu_hours":
            said = f"{limits.gpu_hours:g} GPU-hours are used up"
        case "max_failures":
            said = f"{plural(int(limits.max_failures), 'trial')} failed"
        case _:
            said = _target(limits)
    cut = sum(trial.cut for trial in history.trials.values())
    half = f", {plural(cut, 'trial')} stopped before the end" if cut else ""
    return f"{said}: the search ends after {plural(history.trained, 'trial')}{half}"


def _target(limits: Limits) -> str:
    if limits.target is None:
        raise ValueError("the limits have no target, so it cannot be reached")
    of, value = limits.target.objective, limits.target.value
    return f"the target is reached, {of.metric} {metric(of.metric, value)}"


def _training(plan: Plan, scheduler: str) -> str:
    """Return in words the most and the expected epochs; empty if the epochs are not limited."""
    most = most_epochs(plan.scheduler, plan.trials, plan.epochs)
    if most == math.inf:
        return ""
    said = plural(int(most), "epoch")
    if plan.trials < math.inf:
        likely = expected_epochs(plan.scheduler, int(plan.trials), plan.epochs)
        if likely is not None and round(likely) < most:
            said += f"; with {scheduler} about {likely:.0f}"
    return f" ({said})"
