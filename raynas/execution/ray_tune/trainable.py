"""A Tune trainable that trains children: each step is one epoch; actors are reused for trials."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from sys import intern
from typing import Any, Final

import ray
from ray import tune

from raynas.execution.constraint_check import UNCONSTRAINED, ConstraintCheck
from raynas.execution.packing import Resources
from raynas.execution.ray_tune.packing_code import Packed
from raynas.execution.training_context import TrainingContext
from raynas.execution.trial_spec import ONCE, Repeats, TrialSpec
from raynas.execution.uncollected import uncollected
from raynas.execution.winner import WinnerEvent, retrain
from raynas.execution.work import Work
from raynas.execution.worker import Notice, UnexplainedFailureError, train
from raynas.training.recipe import Recipe
from raynas.trial import Failed, Report

FINAL: Final = "raynas_final"  # in a configuration: train the winner; in a result: its event


@dataclass(frozen=True, slots=True)
class PackedContext:
    """A packed training context, which is sent to the workers.

    The first trial unpacks it, because that may import torch. The user's modules are pickled by
    value, because workers on other machines cannot import them.

    Attributes:
        code: The function that builds a child, and the task's own loop, packed.
        data: The data of the task, packed.
        recipe: The training recipe.
        device: The device of trials that have a GPU.
        repeats: How often a trial trains its architecture.
        check: Decides whether a network is trained.
    """

    code: Packed
    data: Packed
    recipe: Recipe
    device: str
    repeats: Repeats = ONCE
    check: ConstraintCheck = UNCONSTRAINED

    @classmethod
    def of(cls, work: Work, device: str) -> PackedContext:
        """Pack what trials do, with the user's modules that it needs."""
        code = Packed.of((work.build, work.loop), *work.homes)
        data = Packed.of(work.data, *work.homes)
        check = ConstraintCheck(work.constraints)
        return cls(code, data, work.recipe, device, work.repeats, check)

    def unpacked(self, share: Resources) -> TrainingContext:
        """Return the context of a worker with the resources ``share``."""
        device = self.device if share.gpus else "cpu"
        threads = max(1, int(share.cpus))
        build, loop = self.code.unpacked()
        data = self.data.unpacked()
        more = loop, self.repeats, self.check
        return TrainingContext(build, self.recipe, data, device, threads, *more)


class ChildTrainable(tune.Trainable):  # type: ignore[misc]  # Ray ships no types
    """Trains one child after another in the same process."""

    def setup(self, config: Mapping[str, Any], shared: Sequence[Any]) -> None:
        """Store what all trials have in common; imports come later, in the first step.

        Args:
            config: The configuration of the trial.
            shared: Ray's reference to a ``PackedContext``, in a list, so that Ray keeps it.
        """
        (self._shared,) = shared
        self._packed: PackedContext = ray.get(self._shared)
        self._context: TrainingContext | None = None
        self._trials = 0
        self.reset_config(config)

    def reset_config(self, new_config: Mapping[str, Any]) -> bool:
        """Begin the next trial in this process."""
        # Tune reuses an actor only for a trial with the same resources.
        self._spec, self._share = as_told(new_config)
        self._final = FINAL in new_config
        self._events: Iterator[Report | Notice | WinnerEvent] | None = None
        return True  # after False, Tune would drop the trial without telling the searcher

    def step(self) -> dict[str, Any]:
        """Return the next event: an epoch of training, or the test or the export of the winner."""
        if self._context is None:
            with uncollected():
                self._context = self._packed.unpacked(self._share)
                import_module("torch")
        if self._events is None:
            self._events = self._begun(self._context)
        event = next(self._events)
        if self._final or not isinstance(event, Report | Failed | Notice):
            return {FINAL: event}
        return as_result(event)

    def _begun(self, context: TrainingContext) -> Iterator[Any]:
        """Return the events of the trial or of the winner's training."""
        used, self._trials = self._trials > 0, self._trials + 1
        events = self.trained(context, used=used)
        return events if self._final else _named(events)

    def trained(self, context: TrainingContext, *, used: bool) -> Iterator[Any]:
        """Return the events of ``worker.train``, or of ``retrain`` if it is the winner."""
        return (retrain if self._final else train)(context, self._spec, used=used)

    def cleanup(self) -> None:
        """Release the memory of the child."""
        self._events = None


def as_config(spec: TrialSpec, share: Resources) -> dict[str, Any]:
    """Return a trial's specification and resources as Tune's configuration of the trial.

    The specification is one JSON text, because Tune copies, flattens, prints and stores
    dictionaries, which is slow.
    """
    return {"spec": json.dumps(asdict(spec)), **asdict(share)}


def as_final_config(spec: TrialSpec, share: Resources) -> dict[str, Any]:
    """Return Tune's configuration of the winner's training."""
    return {**as_config(spec, share), FINAL: True}


def as_told(config: Mapping[str, Any]) -> tuple[TrialSpec, Resources]:
    """Return the specification and the resources in a configuration."""
    spec = TrialSpec(**json.loads(config["spec"]))
    return spec, Resources(config["cpus"], config["gpus"], config["workers"])


def _named(events: Iterator[Report | Failed | Notice]) -> Iterator[Report | Failed | Notice]:
    """Add the name of this process to each event."""
    worker = f"{platform.node()}:{os.getpid()}"
    try:
        for event in events:
            yield event if isinstance(event, Notice) else replace(event, worker=worker)
    except UnexplainedFailureError as error:
        raise UnexplainedFailureError(replace(error.failed, worker=worker)) from error


def as_result(event: Report | Failed | Notice) -> dict[str, Any]:
    """Return an event as a dictionary of plain values, which Ray sends to the driver."""
    return {"raynas_event": type(event).__name__, "raynas": asdict(event)}


def as_event(result: Mapping[str, Any]) -> Report | Failed | Notice:
    """Return the event in a result; Tune has flattened the dictionary of ``as_result``."""
    plain: dict[str, Any] = {}
    nested: dict[str, dict[str, float]] = {"metrics": {}, "errors": {}}
    for key, value in result.items():
        if key.startswith("raynas/"):
            field, _, name = key.removeprefix("raynas/").partition("/")
            if field in nested:
                # All reports of a search have the same names, so ``intern`` saves memory.
                nested[field].update({intern(name): value} if name else {})
            else:
                plain[field] = value
    for kind in (Failed, Notice):
        if result["raynas_event"] == kind.__name__:
            return kind(**plain)
    return Report(**plain, metrics=nested["metrics"], errors=nested["errors"])
